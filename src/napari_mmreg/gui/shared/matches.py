"""A model's single matches as layers: a point in each image, and a line between the two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared.layer_spec import LayerSpec, layer_name, shared_kwargs
from napari_mmreg.gui.shared.placement import moving_from_fixed, part_of

if TYPE_CHECKING:
    from napari_mmreg.gui.shared.snapshot import Snapshot
    from napari_mmreg.registration import RegistrationResult

FIXED = "fixed matches"
MOVING = "moving matches"
LINES = "match lines"

MAX_DRAWN = 250
"""More of them hide the image; the best ones of all parts of it are drawn."""

COLOURS = "plasma"
"""From unlikely, dark, to likely, bright."""

_SCREEN_SIZE = (5, 9)
"""Least and greatest size of a point on the screen, in pixels."""


def match_layers(snapshot: Snapshot, result: RegistrationResult) -> list[LayerSpec]:
    """Return the layers of a result's matches, none where there are none.

    The points lie on the fixed and on the moving image, wherever the user has these in the
    world, and tell their row in `RegistrationResult.matches` as id, and their probability.
    """
    from napari_mmreg.landmarks.proposals import well_spread

    matches = result.matches
    if matches is None or not len(matches):
        return []
    drawn = np.sort(well_spread(matches[:, :2], matches[:, 4], MAX_DRAWN))
    shown = np.asarray(matches[drawn], dtype=np.float64)
    features = {"id": drawn, "probability": shown[:, 4]}
    hint = "" if len(drawn) == len(matches) else f" ({len(drawn)} of {len(matches)})"

    def kwargs(role: str, colour: str) -> dict[str, Any]:
        return {
            **shared_kwargs(snapshot, role),
            "name": layer_name(snapshot.run, role) + hint,
            "features": features,
            colour: "probability",
            f"{colour}map": COLOURS,
        }

    specs = []
    lines = _lines(snapshot, shown)
    if lines is not None:
        look = {"vector_style": "line", "edge_width": max(snapshot.fixed.shape) / 400}
        specs.append(
            LayerSpec(
                LINES,
                "vectors",
                lines,
                {**kwargs(LINES, "edge_color"), **look, "edge_contrast_limits": (0.0, 1.0)},
            )
        )
    for role, picture, places in (
        (FIXED, snapshot.fixed, shown[:, :2]),
        (MOVING, snapshot.moving, shown[:, 2:4]),
    ):
        look = {
            **part_of(picture.placement, (0, 0), 1),
            "symbol": "disc" if role == FIXED else "diamond",
            "size": max(picture.shape) / 50,
            "canvas_size_limits": _SCREEN_SIZE,
            "border_width": 0.05,
            "border_color": "black",
            "face_contrast_limits": (0.0, 1.0),
        }
        specs.append(LayerSpec(role, "points", places, {**kwargs(role, "face_color"), **look}))
    return specs


def _lines(snapshot: Snapshot, matches: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return lines between the two images as they lie, in fixed pixels; None if that is unknown."""
    from napari_mmreg.geometry import MatrixTransform

    try:
        matrix = moving_from_fixed(snapshot.fixed.placement, snapshot.moving.placement)
    except InputError:
        return None
    ends = MatrixTransform(matrix).inverse().map(matches[:, 2:4])
    return np.stack([matches[:, :2], ends - matches[:, :2]], axis=1)


def link_matches(viewer: Any, layers: Mapping[str, Any]) -> None:
    """Show, hide and select the two points of a match together; `layers` are a run's, by role."""
    both = [layers[role] for role in (FIXED, MOVING) if role in layers]
    if len(both) < 2 or any(layer not in viewer.layers for layer in both):
        return
    viewer.layers.link_layers(both, ("visible",))
    for one, other in (both, both[::-1]):
        one.selected_data.events.items_changed.connect(_follower(one, other))


def _follower(one: Any, other: Any) -> Callable[..., None]:
    """Return what makes `other` select what `one` selects."""

    def follow(*_changes: Any) -> None:
        wanted = _rows(other, _ids(one))
        if set(other.selected_data) != wanted:
            other.selected_data = wanted

    return follow


def _ids(layer: Any) -> set[int]:
    """Return what is selected; rows change when the user deletes points, ids do not."""
    ids = layer.features["id"].to_numpy()
    return {int(ids[row]) for row in layer.selected_data if row < len(ids)}


def _rows(layer: Any, ids: set[int]) -> set[int]:
    return {int(row) for row in np.flatnonzero(np.isin(layer.features["id"], list(ids)))}
