"""What a run is told about its two images, in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Frame, MatrixTransform, Transform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.imaging.checks import check_modalities, check_spacing, without_nodata

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from napari_mmreg.imaging import Pair
    from napari_mmreg.run import Run


@dataclass(frozen=True, slots=True, eq=False)
class PairOptions:
    """Where two images start from, and what of them may be used; see `imaging.prepare_pair`.

    Attributes
    ----------
    initial : Transform or array_like of shape (3, 3), or None
        Fixed to moving pixels, ``(row, col)``; None for centred frames.
    fixed_mask, moving_mask : array_like of bool or int, shape (H, W), or None
        True where the image may be used.
    fixed_spacing, moving_spacing : float or (float, float), or None for the moving one
        Size of a pixel along rows and columns, both in one physical unit.
    modalities : (str or None, str or None)
        The sensors.
    detect_borders : bool
        Whether what lies outside a warped frame counts as no data.
    nodata : (number or None, number or None)
        Values that mean no data in the fixed and the moving image.
    unit : str or None
        Of the spacings.
    order : {0, 1, 3} or None
        How the registered image is interpolated; None for what suits it.
    """

    initial: Transform | ArrayLike | None = None
    fixed_mask: ArrayLike | None = None
    moving_mask: ArrayLike | None = None
    fixed_spacing: float | Sequence[float] = (1.0, 1.0)
    moving_spacing: float | Sequence[float] | None = None
    modalities: tuple[str | None, str | None] = (None, None)
    detect_borders: bool = True
    nodata: tuple[float | None, float | None] = (None, None)
    unit: str | None = None
    order: int | None = None

    def __post_init__(self) -> None:
        check_modalities(self.modalities)
        if self.order is not None and self.order not in (0, 1, 3):
            raise InputError(f"Interpolation order {self.order} is unknown; use 0, 1 or 3.")

    def prepare(self, fixed: NDArray[Any], moving: NDArray[Any], budget: int, run: Run) -> Pair:
        """Bring two images onto one grid of at most `budget` pixels; raises `InputError`."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        del given["nodata"], given["unit"], given["order"]
        for name, image, nodata in zip(
            ("fixed", "moving"), (fixed, moving), self.nodata, strict=True
        ):
            mask = given[f"{name}_mask"]
            given[f"{name}_mask"] = without_nodata(image, nodata, mask, name)
        return prepare_pair(fixed, moving, budget=budget, run=run, **given)

    def frames(self, fixed: NDArray[Any], moving: NDArray[Any]) -> tuple[Frame, Frame]:
        """Return the two images as the transform between them remembers them.

        Spacings of 1 without another for the moving image say nothing, and are left out.
        """
        spacing = check_spacing(self.fixed_spacing, "fixed")
        known = self.moving_spacing is not None or spacing != (1.0, 1.0)
        other = None
        if self.moving_spacing is not None:
            other = check_spacing(self.moving_spacing, "moving")
        return (
            Frame(
                (fixed.shape[0], fixed.shape[1]),
                spacing if known else None,
                self.unit if known else None,
            ),
            Frame((moving.shape[0], moving.shape[1]), other, None if other is None else self.unit),
        )

    def describe(self) -> dict[str, Any]:
        """Return the options for JSON; masks are only said to be there."""
        return {
            "initial": _describe_initial(self.initial),
            "fixed_mask": self.fixed_mask is not None,
            "moving_mask": self.moving_mask is not None,
            "fixed_spacing": _numbers(self.fixed_spacing),
            "moving_spacing": _numbers(self.moving_spacing),
            "modalities": list(self.modalities),
            "detect_borders": self.detect_borders,
            "nodata": list(self.nodata),
            "order": self.order,
        }


def _describe_initial(initial: Any) -> Any:
    if initial is None:
        return None
    if isinstance(initial, MatrixTransform):
        return initial.matrix.tolist()
    if isinstance(initial, Transform):
        return type(initial).__name__
    return np.asarray(initial, dtype=np.float64).tolist()


def _numbers(spacing: Any) -> list[float] | None:
    if spacing is None:
        return None
    return [float(size) for size in np.broadcast_to(np.asarray(spacing, dtype=np.float64), 2)]
