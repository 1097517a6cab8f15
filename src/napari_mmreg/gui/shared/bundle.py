"""From a finished run to everything that is shown of it, built in the worker thread.

A `Bundle` holds arrays and layer arguments only, so that the GUI thread has nothing left
to do but to make the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.gui.shared import fields
from napari_mmreg.gui.shared.carried import carry
from napari_mmreg.gui.shared.full_resolution import full_registered
from napari_mmreg.gui.shared.layer_spec import LayerSpec, layer_name, shared_kwargs
from napari_mmreg.gui.shared.matches import match_layers
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.placement import part_of
from napari_mmreg.gui.shared.snapshot import Snapshot
from napari_mmreg.imaging.compose import Shown, to_shown

if TYPE_CHECKING:
    from napari_mmreg.geometry import MatrixTransform
    from napari_mmreg.registration import RegistrationResult

REGISTERED = "registered"
RERENDERED = "moving as seen by the fixed sensor"
RISK = "misregistration"
LOCALISATION = "misregistration before"
MAGNITUDE = "displacement"
FLOW = "flow colour"
GRID = "deformed grid"
ARROWS = "flow arrows"
FIXED_EXCLUDED, MOVING_EXCLUDED = "left out of fixed", "left out of moving"
COMPARE = "compare"

PROBABILITY = {
    "contrast_limits": (0.0, 1.0),
    "colormap": "inferno",
    "blending": "translucent",
    "opacity": 0.6,
    "visible": False,
}
"""How maps of probability are shown."""

SCREEN_PIXELS = 1_600_000
"""More of an image could not be seen at once."""

ARROW_COLOURS = ("#5ec8ff", "#ffe94a", "#ff7a1a")
"""From short to long; all of them bright, to be seen on any picture."""

_ARROW_SCALES = (50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05)

COMPLEMENTS = {
    "magenta": "green",
    "red": "cyan",
    "cyan": "red",
    "blue": "yellow",
    "yellow": "blue",
}
"""A layer's colour to the one that makes grey or white with it; magenta for all others."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A finished run, ready to be shown.

    Attributes
    ----------
    snapshot : Snapshot
    result : RegistrationResult
    layers : tuple of LayerSpec
        Bottom first.
    note : str
        For the user: how the start was chosen, and what was fused.
    field : ndarray of float32, shape (h, w, 2)
        The correction (see `fields.correction`) on every `stride`-th fixed pixel.
    stride : int
    fixed, before : ndarray
        The fixed image, and the moving one where it lay before, on the fixed grid.
    valid, valid_before : ndarray of bool, shape (H, W)
        Where the registered and the former moving image have data.
    shown : dict of str to ndarray of uint8
        The whole of ``"fixed"``, ``"after"`` and ``"before"`` as compared on the screen, on
        every `shown_stride`-th pixel.
    """

    snapshot: Snapshot
    result: RegistrationResult
    layers: tuple[LayerSpec, ...]
    note: str
    field: NDArray[np.float32]
    stride: int
    fixed: NDArray[Any]
    before: NDArray[Any]
    valid: NDArray[np.bool_]
    valid_before: NDArray[np.bool_]
    shown: dict[str, Shown]
    shown_stride: int

    @property
    def start(self) -> MatrixTransform:
        """Fixed to moving pixels before the run: a matrix, since docks start from no other."""
        return cast("MatrixTransform", self.result.initial)

    def show(self, source: str, part: tuple[slice, slice]) -> Shown:
        """Return a part of ``"fixed"``, ``"after"`` or ``"before"`` as shown on the screen."""
        return _shown(self.snapshot, *self._source(source), source, part)

    def _source(self, source: str) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
        if source == "fixed":
            return self.fixed, None
        if source == "after":
            return self.result.registered, self.valid
        return self.before, self.valid_before


def _shown(
    snapshot: Snapshot,
    image: NDArray[Any],
    valid: NDArray[np.bool_] | None,
    source: str,
    part: tuple[slice, slice],
) -> Shown:
    picture = snapshot.fixed if source == "fixed" else snapshot.moving
    return to_shown(image[part], picture.contrast_limits, None if valid is None else valid[part])


def screen_stride(rows: int, cols: int) -> int:
    """Return the stride that leaves about a screen's pixels of an image."""
    return max(1, int(np.ceil(np.sqrt(rows * cols / SCREEN_PIXELS))))


def build(
    snapshot: Snapshot,
    fixed: NDArray[Any],
    moving: NDArray[Any],
    result: RegistrationResult,
    note: str,
    check: Callable[[], None],
) -> Bundle:
    """Build all that is shown; `check` raises when the user cancelled."""
    shape, start = snapshot.fixed.shape, cast("MatrixTransform", result.initial)
    stride = fields.field_stride(shape)
    displacement = np.asarray(result.displacement)  # computed here, on first use
    check()
    flow = fields.correction(displacement, start, stride)
    check()
    before = start.resample(moving, shape)
    check()
    valid_before = start.valid(shape, moving.shape)
    check()
    layers = [_registered(snapshot, result), _risk(snapshot, result)]
    check()
    if result.status != "failed":  # nothing was moved: there would be nothing to see
        layers += _flow_layers(snapshot, flow, stride, check)
    layers += _rerendered(snapshot, result) + _localised(snapshot, result)
    layers += match_layers(snapshot, result) + _excluded(snapshot, result)
    carry(layers, snapshot, result)
    valid = np.asarray(result.valid)
    check()
    look = screen_stride(*shape)
    whole = np.s_[::look, ::look]
    return Bundle(
        snapshot=snapshot,
        result=result,
        layers=tuple(layers),
        note=note,
        field=flow,
        stride=stride,
        fixed=fixed,
        before=before,
        valid=valid,
        valid_before=valid_before,
        shown={
            "fixed": _shown(snapshot, fixed, None, "fixed", whole),
            "after": _shown(snapshot, result.registered, valid, "after", whole),
            "before": _shown(snapshot, before, valid_before, "before", whole),
        },
        shown_stride=look,
    )


def _registered(snapshot: Snapshot, result: RegistrationResult) -> LayerSpec:
    kwargs = shared_kwargs(snapshot, REGISTERED)
    own = kwargs["metadata"][METADATA_KEY]
    own.update(
        modality=snapshot.moving.modality,
        model=result.model,
        status=result.status,
        metrics=dict(result.metrics),
        provenance=dict(result.provenance),
    )
    if snapshot.moving.rgb or snapshot.fixed.rgb:
        # Adding light to a bright-field picture gives white: these are seen through instead.
        kwargs.update(blending="translucent", opacity=0.6)
    else:
        kwargs.update(blending="additive")
    if snapshot.moving.rgb:
        kwargs.update(rgb=True)
    else:
        kwargs.update(
            colormap="gray"
            if snapshot.fixed.rgb
            else COMPLEMENTS.get(snapshot.fixed.colormap, "magenta"),
            contrast_limits=_limits(snapshot.moving.contrast_limits, result.registered),
        )
    full = full_registered(snapshot, result)
    if full is None:
        return LayerSpec(REGISTERED, "image", result.registered, kwargs)
    levels, place = full
    data = levels if len(levels) > 1 else levels[0]
    return LayerSpec(REGISTERED, "image", data, {**kwargs, **place, "multiscale": len(levels) > 1})


def _rerendered(snapshot: Snapshot, result: RegistrationResult) -> list[LayerSpec]:
    """Return the hidden layer of a model's rendering, none where there is none."""
    picture = result.rerendered
    if picture is None:
        return []
    kwargs = shared_kwargs(snapshot, RERENDERED)
    kwargs["metadata"][METADATA_KEY].update(
        modality=snapshot.fixed.modality, model=result.model, rendered=True
    )
    kwargs.update(
        colormap="gray", contrast_limits=(0.0, 1.0), blending="translucent", visible=False
    )
    return [LayerSpec(RERENDERED, "image", picture, kwargs)]


def _localised(snapshot: Snapshot, result: RegistrationResult) -> list[LayerSpec]:
    """Return the hidden layer of where a model found the pair misregistered, if it says so."""
    likely = result.localisation
    if likely is None:
        return []
    kwargs = shared_kwargs(snapshot, LOCALISATION)
    kwargs["metadata"][METADATA_KEY]["model"] = result.model
    return [LayerSpec(LOCALISATION, "image", likely, kwargs | PROBABILITY)]


def _excluded(snapshot: Snapshot, result: RegistrationResult) -> list[LayerSpec]:
    """Return the hidden layers of what detection left out of the two images, where these lie."""
    return [
        LayerSpec(
            role,
            "labels",
            area.astype(np.uint8),
            {
                **shared_kwargs(snapshot, role),
                **part_of(picture.placement, (0, 0), 1),
                "visible": False,
                "opacity": 0.5,
            },
        )
        for role, picture, area in (
            (FIXED_EXCLUDED, snapshot.fixed, result.fixed_excluded),
            (MOVING_EXCLUDED, snapshot.moving, result.moving_excluded),
        )
        if area is not None
    ]


def _limits(own: tuple[float, float] | None, data: NDArray[Any]) -> tuple[float, float]:
    """Return the user's contrast limits, or the data's range where they are empty."""
    if own is not None and own[1] > own[0]:
        return own
    finite = data[np.isfinite(data)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _risk(snapshot: Snapshot, result: RegistrationResult) -> LayerSpec:
    kwargs = shared_kwargs(snapshot, RISK)
    kwargs["name"] += " (uncalibrated)"
    likely = np.asarray(result.misregistration, np.float32)
    return LayerSpec(RISK, "image", likely, kwargs | PROBABILITY)


def _flow_layers(
    snapshot: Snapshot, flow: NDArray[np.float32], stride: int, check: Callable[[], None]
) -> list[LayerSpec]:
    length = fields.magnitude(flow)
    known = length[np.isfinite(length)]
    full = max(float(np.percentile(known[::7], 99)), 0.1) if known.size else 1.0
    check()
    hidden = {"visible": False, "blending": "translucent"}
    unit_length, unit = physical_length(snapshot)
    amount = shared_kwargs(snapshot, MAGNITUDE, stride)
    amount["name"] += f" ({unit})"
    specs = [
        LayerSpec(
            MAGNITUDE,
            "image",
            length * unit_length,
            {
                **amount,
                **hidden,
                "colormap": "viridis",
                "contrast_limits": (0.0, full * unit_length),
            },
        ),
        LayerSpec(
            FLOW,
            "image",
            fields.flow_colour(flow, full),
            {**shared_kwargs(snapshot, FLOW, stride), **hidden, "rgb": True},
        ),
    ]
    check()
    size = max(snapshot.fixed.shape)
    specs.append(
        LayerSpec(
            GRID,
            "vectors",
            fields.grid_lines(flow, stride=stride),
            {
                **shared_kwargs(snapshot, GRID),
                "visible": False,
                "vector_style": "line",
                "edge_color": "#29d3c4",
                "edge_width": max(size / 400, 1.0),
            },
        )
    )
    across = snapshot.settings.arrows
    vectors, lengths = fields.arrow_vectors(flow, across, stride)
    scale = arrow_scale(full, size / across)
    arrows = shared_kwargs(snapshot, ARROWS)
    arrows.update(
        name=arrows_name(snapshot.run, scale),
        vector_style="arrow",
        length=scale,
        features={"length": lengths},
        edge_color="length",
        edge_colormap=ARROW_COLOURS,
        edge_contrast_limits=(0.0, full),
        edge_width=max(size / 280, 1.0),
    )
    specs.append(LayerSpec(ARROWS, "vectors", vectors, arrows))
    return specs


def arrow_scale(longest: float, spacing: float) -> float:
    """Return how much longer arrows are drawn than they are.

    So that short ones can be seen, and long ones do not cover their neighbours.
    """
    fitting = (scale for scale in _ARROW_SCALES if scale * longest <= 1.3 * spacing)
    return float(next(fitting, _ARROW_SCALES[-1]))


def arrows_name(run: int, scale: float) -> str:
    """Return the arrows' name; it says so where they are not drawn true to scale."""
    return layer_name(run, ARROWS) + ("" if scale == 1 else f" (×{scale:g})")


def physical_length(snapshot: Snapshot) -> tuple[float, str]:
    """Return what one fixed pixel measures, and in which unit; pixels where nobody said."""
    place = snapshot.fixed.placement
    row, col = place.spacing
    if place.calibrated and place.units[0] == place.units[1] and np.isclose(row, col, rtol=1e-3):
        return (row + col) / 2, place.units[0]
    return 1.0, "px"
