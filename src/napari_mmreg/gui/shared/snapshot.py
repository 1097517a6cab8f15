"""A run's immutable view of the layers and of the dock's settings.

Taken on the GUI thread before a run; no pixel is copied there. The worker reads the
pixels, so that lazy (dask, zarr) data is computed away from the GUI.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared.modalities import METADATA_KEY, guess_modality
from napari_mmreg.gui.shared.placement import Placement, place
from napari_mmreg.gui.shared.slices import Slice, slice_of
from napari_mmreg.models.budgets import BALANCED

Start = Literal["auto", "layers", "centre", "mirror"]

LEVEL_BUDGET = 2048 * 2048
"""Pixels that a level of a multiscale layer may have; result layers are as large."""


@dataclass(frozen=True)
class RunSettings:
    """What the dock is set to.

    Attributes
    ----------
    model, budget, device, refine, seed : as in `napari_mmreg.register`
    start : {"auto", "layers", "centre", "mirror"}
        Start from the layers' places in the world, from centred frames, or from the former
        where someone placed the layers and the latter where nobody did; ``"mirror"`` does the
        same and flips the moving image left to right.
    arrows : int
        About how many arrows across the longer side.
    threads : int
        CPU threads of the run; 0 leaves one core to the GUI.
    fusion : str
        How the images are fused afterwards, a name that `napari_mmreg.fusion` knows, or
        ``"none"``.
    correct_fusion : bool
        Whether the fused image is corrected by FusionRegister.
    """

    model: str = "auto"
    budget: str = BALANCED
    device: str = "auto"
    refine: bool = True
    seed: int = 0
    start: Start = "auto"
    arrows: int = 32
    threads: int = 0
    fusion: str = "none"
    correct_fusion: bool = False


@dataclass(frozen=True)
class Origin:
    """Where a picture can be read again.

    Attributes
    ----------
    path : str
        The file that napari read the layer from; '' if none.
    sample, side : str
        The sample pair and which of its images; '' if none.
    step : tuple of int
        The slice along every leading axis.
    coarse : bool
        Whether it is a coarser level of a multiscale layer.
    crop : tuple of int
        First row and column, last ones (exclusive), of the part that it is; () for all.
    """

    path: str = ""
    sample: str = ""
    side: str = ""
    step: tuple[int, ...] = ()
    coarse: bool = False
    crop: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Picture:
    """One 2-D picture of a layer.

    Attributes
    ----------
    name : str
        The layer's name.
    data : array_like of shape (H, W) or (H, W, C)
        The pixels, not copied, perhaps lazy.
    rgb : bool
    placement : Placement
    modality : str
        A key of `napari_mmreg.gui.shared.modalities.MODALITIES`.
    contrast_limits : (float, float) or None
        The layer's own; None for colour.
    colormap : str
        The layer's own; empty for colour.
    origin : Origin
    levels : tuple of array_like
        Of a multiscale layer, from fine to coarse, as `data`, which is one of them.
    level_scale : (float, float)
        Pixels of the finest level per pixel of `data`, along rows and columns.
    slice : Slice or None
        Where it lies in its stack; None for a layer of two axes.
    """

    name: str
    data: Any
    rgb: bool
    placement: Placement
    modality: str
    contrast_limits: tuple[float, float] | None
    colormap: str = ""
    origin: Origin = Origin()
    levels: tuple[Any, ...] = ()
    level_scale: tuple[float, float] = (1.0, 1.0)
    slice: Slice | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.data.shape[0]), int(self.data.shape[1])


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Everything a run needs; masks are pictures of Labels layers, nonzero where usable.

    Of a run of a region `fixed` is the region alone, and `whole` the picture it was cut from.
    """

    run: int
    fixed: Picture
    moving: Picture
    fixed_mask: Picture | None
    moving_mask: Picture | None
    settings: RunSettings
    whole: Picture | None = None

    @property
    def slice(self) -> Slice | None:
        """Where results are seen: the slice of the one with more axes, the fixed one if equal.

        None if both are layers of two axes.
        """
        own = [each.slice for each in (self.fixed, self.moving) if each.slice is not None]
        return max(own, key=lambda each: len(each.index), default=None)


def take_picture(layer: Any, world_point: tuple[float, ...] = ()) -> Picture:
    """Return the 2-D picture that a layer shows.

    Parameters
    ----------
    layer : napari Image or Labels layer
        With any number of leading axes, colour or not, multiscale or not.
    world_point : tuple of float
        The viewer's current point in the layer's units: says which slice of a stack.

    Raises
    ------
    InputError
        If the layer has fewer than two axes.
    """
    if layer.ndim < 2:
        raise InputError(f"The layer “{layer.name}” has one axis only; choose an image.")
    rgb = bool(getattr(layer, "rgb", False))
    from napari_mmreg.geometry.lazy import Plane

    step = current_step(layer, world_point)
    data, level = layer.data, (1.0, 1.0)
    if layer.multiscale:
        data, level = level_of(layer)
    limits, colormap = None, ""
    if not rgb and hasattr(layer, "contrast_limits"):
        low, high = layer.contrast_limits
        limits, colormap = (float(low), float(high)), str(layer.colormap.name)
    return Picture(
        name=layer.name,
        data=data[step] if step else data,
        rgb=rgb,
        placement=place(layer, step, level),
        modality=modality_of(layer),
        contrast_limits=limits,
        colormap=colormap,
        origin=_origin(layer, step, coarse=level != (1.0, 1.0)),
        levels=tuple(Plane(each, step) for each in layer.data) if layer.multiscale else (),
        level_scale=level,
        slice=slice_of(layer, step),
    )


def _origin(layer: Any, step: tuple[int, ...], *, coarse: bool) -> Origin:
    own = layer.metadata.get(METADATA_KEY, {})
    sample = str(own.get("sample", "")) if own.get("role") in ("fixed", "moving") else ""
    path = layer.source.path
    return Origin(
        path="" if path is None else str(path),
        sample=sample,
        side=str(own["role"]) if sample else "",
        step=step,
        coarse=coarse,
    )


def modality_of(layer: Any) -> str:
    """Return what the user chose for a layer, or the guess."""
    return guess_modality(
        layer.name, rgb=bool(getattr(layer, "rgb", False)), metadata=layer.metadata
    )


def set_modality(layer: Any, modality: str) -> None:
    """Keep a choice in the layer's metadata."""
    layer.metadata.setdefault(METADATA_KEY, {})["modality"] = modality


def read(picture: Picture) -> NDArray[Any]:
    """Return the pixels as an array; call it in the worker."""
    return np.asarray(picture.data)


def current_step(layer: Any, world_point: tuple[float, ...]) -> tuple[int, ...]:
    """Return the index of the shown slice along every leading axis."""
    leading = layer.ndim - 2
    if leading == 0:
        return ()
    padded = (*(0.0,) * layer.ndim, *world_point)[-layer.ndim :]
    index = np.rint(np.asarray(layer.world_to_data(padded))[:leading])
    shape = layer.data[0].shape if layer.multiscale else layer.data.shape
    last = np.array(shape[:leading]) - 1
    return tuple(int(i) for i in np.clip(index, 0, last))


def level_of(layer: Any) -> tuple[Any, tuple[float, float]]:
    """Return the level of a multiscale layer that is computed on, and its pixel size."""
    from napari_mmreg.imaging import pick_level

    axes = (layer.ndim - 2, layer.ndim - 1)
    planes = [_Plane(level, axes) for level in layer.data]
    picked = pick_level(planes, LEVEL_BUDGET)
    shapes = [level.shape[: layer.ndim - 2] for level in layer.data]
    if shapes[picked.index] != shapes[0]:
        raise InputError(
            f"The layer “{layer.name}” is reduced along its stack axis too. Extract the slice "
            "you want to register as a layer of its own."
        )
    return layer.data[picked.index], picked.scale


class _Plane:
    """The shape of a level's last two spatial axes; nothing is read."""

    def __init__(self, level: Any, axes: tuple[int, int]) -> None:
        self.shape = tuple(int(level.shape[axis]) for axis in axes)
