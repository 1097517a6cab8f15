"""A layer as it was when *Apply* was pressed, and as it becomes with other data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.apply import strings as texts
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.placement import Placement, place

KINDS = ("image", "labels", "points", "shapes", "vectors", "tracks", "surface")
"""Layer types that can be carried."""

ROWS = {
    "points": (
        *("symbol", "border_width", "face_color", "border_color", "size", "shown", "features"),
    ),
    "shapes": ("shape_type", "z_index", "edge_width", "face_color", "edge_color", "features"),
    "vectors": ("edge_color", "features"),
    "tracks": ("features",),
    "surface": ("vertex_colors", "texcoords", "features"),
}
"""Which arguments of a layer have a value per item."""

LENGTHS = {
    "points": ("size",),
    "shapes": ("edge_width",),
    "vectors": ("edge_width",),
}
"""Which arguments of a layer are lengths in its data's pixels."""


@dataclass(frozen=True, eq=False)
class Item:
    """A layer's data and all that napari needs to make it again.

    Attributes
    ----------
    name, kind : str
    data : Any
        As napari has it, not copied where it is large.
    kwargs : dict
        Arguments of ``Layer.create``.
    ndim : int
    placement : Placement
        Where its last two axes lie in the world.
    leading : ndarray of float64, shape (k + 1, k + 1)
        The other axes' data to world coordinates.
    """

    name: str
    kind: str
    data: Any
    kwargs: dict[str, Any]
    ndim: int
    placement: Placement
    leading: NDArray[np.float64]

    @property
    def channels_last(self) -> bool:
        """Whether an image's last axis holds its colours."""
        return bool(self.kwargs.get("rgb", False))

    @property
    def levels(self) -> list[Any]:
        """The levels of an image, from fine to coarse."""
        return list(self.data) if self.kwargs.get("multiscale") else [self.data]

    @property
    def is_lazy(self) -> bool:
        """Whether an image is multiscale or not in memory, so that it is carried tile by tile."""
        from napari_mmreg.geometry import is_lazy

        return bool(self.kwargs.get("multiscale")) or is_lazy(self.data)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of an image."""
        rows, cols = (
            self.levels[0].shape[-3:-1] if self.channels_last else self.levels[0].shape[-2:]
        )
        return int(rows), int(cols)


def take(layer: Any) -> Item:
    """Return a layer as it is now; called in the GUI thread, no pixel is copied.

    Raises
    ------
    InputError
        If the layer has one axis only, or its planes are tilted.
    """
    if layer.ndim < 2:
        raise InputError(texts.ONE_AXIS.format(name=layer.name))
    data, kwargs, kind = layer.as_layer_data_tuple()
    for doubled in ("properties", "property_choices"):  # features say the same
        kwargs.pop(doubled, None)
    lead = layer.ndim - 2
    return Item(
        name=layer.name,
        kind=kind,
        data=data,
        kwargs=kwargs,
        ndim=layer.ndim,
        placement=place(layer, (0,) * lead),
        leading=_leading(layer, lead),
    )


def _leading(layer: Any, lead: int) -> NDArray[np.float64]:
    """Return how the axes before rows and columns lie in the world; they must not mix."""
    origin = np.asarray(layer.data_to_world((0.0,) * layer.ndim))
    linear = np.stack(
        [np.asarray(layer.data_to_world(tuple(unit))) - origin for unit in np.eye(layer.ndim)],
        axis=1,
    )
    size = np.abs(linear).max()
    if (np.abs(linear[:lead, lead:]) > 1e-6 * size).any() or (
        np.abs(linear[lead:, :lead]) > 1e-6 * size
    ).any():
        raise InputError(texts.TILTED.format(name=layer.name))
    world = np.eye(lead + 1)
    world[:lead, :lead] = linear[:lead, :lead]
    world[:lead, lead] = origin[:lead]
    return world


def placed_on(item: Item, target: Placement) -> dict[str, Any]:
    """Return the arguments that lay data in the target's pixels where the target lies.

    Axes before rows and columns stay where they are.
    """
    own = target.layer_kwargs
    lead = item.ndim - 2
    if lead == 0:
        return dict(own)
    scale = np.array([*item.kwargs["scale"][:lead], *own["scale"]], dtype=np.float64)
    translate = np.array([*item.kwargs["translate"][:lead], *own["translate"]], dtype=np.float64)
    world = np.eye(item.ndim + 1)
    world[:lead, :lead] = item.leading[:lead, :lead]
    world[:lead, -1] = item.leading[:lead, lead]
    world[lead:-1, lead:-1] = target.world_from_pixels[:2, :2]
    world[lead:-1, -1] = target.world_from_pixels[:2, 2]
    physical = np.diag([*scale, 1.0])
    physical[:-1, -1] = translate
    return {
        "scale": scale,
        "translate": translate,
        "rotate": np.eye(item.ndim),
        "shear": np.zeros(item.ndim * (item.ndim - 1) // 2),
        "affine": world @ np.linalg.inv(physical),
        "units": (*item.kwargs["units"][:lead], *own["units"]),
    }


def kept_rows(item: Item, kept: NDArray[np.bool_]) -> dict[str, Any]:
    """Return the arguments that have a value per item, of the items that are kept."""
    rows = {}
    for name in ROWS.get(item.kind, ()):
        value = item.kwargs.get(name)
        if value is None or np.ndim(value) == 0 or len(value) != len(kept):
            continue
        if hasattr(value, "iloc"):
            rows[name] = value[kept].reset_index(drop=True)
        elif isinstance(value, np.ndarray):
            rows[name] = value[kept]
        else:
            rows[name] = [each for each, keep in zip(value, kept, strict=True) if keep]
    return rows


def stretched(item: Item, factor: float) -> dict[str, Any]:
    """Return the arguments that are lengths in the data's pixels, after these have changed."""
    return {
        name: np.asarray(item.kwargs[name]) * factor
        if np.ndim(item.kwargs[name])
        else item.kwargs[name] * factor
        for name in LENGTHS.get(item.kind, ())
        if name in item.kwargs
    }


def described(item: Item, name: str, **about: Any) -> dict[str, Any]:
    """Return name and metadata of a result; what other docks noted about the layer is left out."""
    own = item.kwargs.get("metadata", {})
    modality = own.get(METADATA_KEY, {}).get("modality")
    known = {"applied": {**about, "source": item.name}}
    return {
        "name": name,
        "visible": True,
        "metadata": {**own, METADATA_KEY: known | ({"modality": modality} if modality else {})},
    }
