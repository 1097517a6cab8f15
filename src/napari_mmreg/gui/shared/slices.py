"""Where a slice lies in its stack, and layers that are there and nowhere else.

A layer of two axes is seen in every slice. What a run found in one slice belongs to that slice
alone, so its layers get the stack's other axes, one plane thick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.gui.shared.placement import unit_factors


@dataclass(frozen=True)
class Slice:
    """A place in the axes before rows and columns.

    Attributes
    ----------
    index : tuple of int
        Which plane, along each of them.
    world : tuple of float
        Where that is.
    thickness : tuple of float
        World length of one step along each.
    units : tuple of str
    """

    index: tuple[int, ...]
    world: tuple[float, ...]
    thickness: tuple[float, ...]
    units: tuple[str, ...]

    @property
    def name(self) -> str:
        """What users call it: its index, or indices."""
        return ", ".join(str(n) for n in self.index)

    def is_shown(self, viewer: Any) -> bool:
        """Return whether a viewer shows this slice."""
        lead, ndim = len(self.index), len(self.index) + 2
        if viewer.dims.ndim < ndim or viewer.dims.ndisplay != 2:
            return True
        point = np.asarray(viewer.dims.point, dtype=np.float64)[-ndim:-2]
        units = viewer.dims.units
        if units:
            shown = tuple(str(unit) for unit in units[-ndim:-2])
            point = point * unit_factors(shown, self.units)
        away = np.abs(point - self.world) / np.maximum(self.thickness, 1e-12)
        return bool((away[:lead] <= 0.5 + 1e-6).all())


def slice_of(layer: Any, step: tuple[int, ...]) -> Slice | None:
    """Return where a layer's slice lies; None for a layer of two axes.

    Parameters
    ----------
    layer : napari layer
    step : tuple of int
        Index along every axis before rows and columns.
    """
    if not step:
        return None
    lead = len(step)
    origin = np.asarray(layer.data_to_world((*step, 0.0, 0.0)), dtype=np.float64)
    nexts = np.eye(lead + 2)[:lead] + np.array((*step, 0.0, 0.0))
    away = np.array([layer.data_to_world(tuple(place)) for place in nexts]) - origin
    return Slice(
        index=step,
        world=tuple(float(x) for x in origin[:lead]),
        thickness=tuple(float(x) for x in np.linalg.norm(away[:, :lead], axis=1)),
        units=tuple(str(unit) for unit in layer.units[:lead]),
    )


def placed(kwargs: dict[str, Any], at: Slice | None) -> dict[str, Any]:
    """Return a two-dimensional layer's arguments for one that is there in one slice only.

    Those that are not ``scale``, ``translate``, ``rotate``, ``shear``, ``affine`` and ``units``
    stay as they are.
    """
    if at is None:
        return kwargs
    lead = len(at.index)
    ndim = lead + 2
    rotate, affine = np.eye(ndim), np.eye(ndim + 1)
    rotate[lead:, lead:] = kwargs["rotate"]
    affine[lead:, lead:] = kwargs["affine"]
    shear = np.zeros(ndim * (ndim - 1) // 2)
    shear[-1] = np.ravel(kwargs["shear"])[-1]  # that of the last two axes
    return {
        **kwargs,
        "scale": np.array([*at.thickness, *kwargs["scale"]], dtype=np.float64),
        "translate": np.array([*at.world, *kwargs["translate"]], dtype=np.float64),
        "rotate": rotate,
        "shear": shear,
        "affine": affine,
        "units": (*at.units, *kwargs["units"]),
    }


def deepened(data: Any, kind: str, at: Slice | None) -> Any:
    """Return a two-dimensional layer's data with the axes of a slice before its own.

    Images and labels (H, W) or (H, W, C) become one plane thick, also lazy ones and lists of
    levels; points (n, 2) and vectors (n, 2, 2) get columns of zeros.
    """
    if isinstance(data, list):
        return [deepened(level, kind, at) for level in data]
    if at is None:
        return data
    lead = len(at.index)
    if kind in ("image", "labels"):
        return data.reshape((1,) * lead + data.shape)
    array = np.asarray(data)
    columns = np.zeros((*array.shape[:-1], lead), dtype=array.dtype)
    return np.concatenate([columns, array], axis=-1)


def flat(layer: Any) -> NDArray[Any]:
    """Return the picture of an image layer that `deepened` made one plane thick, or of any other.

    ``(H, W)`` or ``(H, W, C)``; a plain `LayerSpec` of a picture is taken, too.
    """
    array = np.asarray(layer.data)
    own = 3 if getattr(layer, "rgb", False) or _is_rgb(layer) else 2
    return array.reshape(array.shape[-own:])


def _is_rgb(layer: Any) -> bool:
    return bool(getattr(layer, "kwargs", {}).get("rgb", False))
