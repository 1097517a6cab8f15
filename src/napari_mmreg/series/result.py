"""What a registration of a series hands back: the planes' transforms, and the stack they make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Transform
from napari_mmreg.registration.result import Status
from napari_mmreg.series.carrying import CarriedStack, apply_series
from napari_mmreg.series.files import load_series, report_of, save_series
from napari_mmreg.series.motion import drift_between
from napari_mmreg.series.plane_result import PlaneResult

if TYPE_CHECKING:
    from napari_mmreg.geometry.applying import Side
    from napari_mmreg.run import CancelCheck, Progress
    from napari_mmreg.series.planes import Planes

Way = Literal["once", "each", "follow"]

WAYS: tuple[Way, ...] = ("once", "each", "follow")


@dataclass(frozen=True, eq=False)
class SeriesResult:
    """One transform a plane, the stack they make, and how far to trust them.

    Attributes
    ----------
    planes : tuple of PlaneResult
        In order.
    way : {"once", "each", "follow"}
    status : {"ok", "doubtful", "failed"}
        ``"failed"`` if nothing was found at all, ``"doubtful"`` if that is so for some planes, or
        some are doubtful.
    reasons : tuple of str
        Sentences about the whole.
    fixed_shape, moving_shape : (int, int)
        Rows and columns.
    moving : Planes or None
        The moving stack, not copied; None for a result that was loaded.
    order : {0, 1, 3} or None
        How stacks are interpolated; None for what suits them.
    nodata : number or None
        What means no data in the moving stack.
    provenance : dict
        Versions, model, weights, parameters; serialisable as JSON.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """

    planes: tuple[PlaneResult, ...]
    way: Way
    status: Status
    reasons: tuple[str, ...]
    fixed_shape: tuple[int, int]
    moving_shape: tuple[int, int]
    moving: Planes | None = None
    order: int | None = None
    nodata: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.planes)

    def __iter__(self) -> Iterator[PlaneResult]:
        return iter(self.planes)

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The planes' transforms, in order."""
        return tuple(plane.transform for plane in self.planes)

    def count(self, status: str) -> int:
        """Return how many planes have a status."""
        return sum(plane.status == status for plane in self.planes)

    @cached_property
    def drift(self) -> NDArray[np.float64]:
        """How far the moving image has moved since the first plane: (N, 2), (row, col).

        Mean over a grid of places, in fixed pixels; positive is down and to the right. It is
        counted from the first plane that is ``"ok"``, else the first that has a transform of its
        own or from others, and NaN where there is none.
        """
        found = [plane for plane in self.planes if plane.source != "start"]
        first = next(
            (plane for plane in found if plane.status == "ok"), found[0] if found else None
        )
        result = np.full((len(self.planes), 2), np.nan)
        for plane in found:
            if first is None or plane.transform is first.transform:
                result[plane.index] = 0.0
            else:
                result[plane.index] = drift_between(
                    plane.transform, first.transform, self.fixed_shape
                )
        return result

    @property
    def registered(self) -> CarriedStack:
        """The moving stack on the fixed grid, in its own dtype: resampled a plane at a time.

        It is indexed like an array, ``np.asarray`` makes it one. Its shape is that of the moving
        stack with the fixed rows and columns; a single moving image gives (N, H, W) or
        (N, H, W, C).

        Raises
        ------
        InputError
            If the result was loaded: it does not hold the stack, see `apply`.
        """
        if self.moving is None:
            raise InputError(
                "A loaded result does not hold the moving stack; result.apply(stack) carries it, "
                "and registered.tif in its folder is what was written."
            )
        return CarriedStack(
            self.moving, self.transforms, self.fixed_shape, order=self.order, nodata=self.nodata
        )

    def apply(
        self,
        data: Any,
        kind: Literal["image", "labels", "points"] = "image",
        *,
        to: Side = "fixed",
        axis: int = 0,
        rgb: bool | None = None,
        order: int | None = None,
        fill: float | None = None,
        nodata: float | None = None,
        progress: Progress | None = None,
        cancel: CancelCheck | None = None,
    ) -> Any:
        """Carry another stack of one of the two sides to the other one, each plane by its own.

        Parameters
        ----------
        data : array_like
            Images and labels (..., H, W) or (..., H, W, C) with as many planes along `axis`, or
            one image that is carried for every plane; points (n, D) whose column `axis` says the
            plane and whose last two columns are (row, col). In pixels of the moving images; with
            ``to="moving"`` of the fixed ones.
        kind : {"image", "labels", "points"}
        to : {"fixed", "moving"}
        axis : int
            Which leading axis, or column, the planes run along.
        rgb : bool, optional
            Whether an image's last axis holds channels; by default where it is short.
        order, fill, nodata
            As in `napari_mmreg.apply`.
        progress, cancel : callable, optional
            As in `napari_mmreg.register`.

        Returns
        -------
        ndarray
            Images in their dtype; points as float64, NaN where a plane's transform has no answer.

        Raises
        ------
        InputError, TransformError, Cancelled
            As `napari_mmreg.apply`, and if the number of planes is another one.
        """
        return apply_series(
            data,
            self.transforms,
            kind,
            to=to,
            axis=axis,
            rgb=rgb,
            shape=self.fixed_shape if to == "fixed" else self.moving_shape,
            order=order,
            fill=fill,
            nodata=nodata,
            progress=progress,
            cancel=cancel,
        )

    def report(self) -> dict[str, Any]:
        """Return all numbers with their units, ready for JSON; what is not finite becomes None."""
        return report_of(self)

    def save(
        self,
        folder: str | Path,
        *,
        replace: bool = True,
        progress: Progress | None = None,
        cancel: CancelCheck | None = None,
    ) -> Path:
        """Write the result to a folder, which appears when all is written, or not at all.

        ``registered.tif`` is the stack (a plane at a time), ``transforms`` a folder of ``.npz``
        files that `Transform.load` reads, ``planes.csv`` the table of planes with status and drift,
        ``series.json`` the report. Of a failed series, or one that was loaded, there is no
        ``registered.tif``.

        Raises
        ------
        InputError
            If the folder cannot be written to, or `replace` is False and it holds a result.
        """
        return save_series(self, folder, replace=replace, progress=progress, cancel=cancel)

    @staticmethod
    def load(folder: str | Path) -> SeriesResult:
        """Read a result that `save` wrote, without its stack. Nothing is unpickled.

        Raises
        ------
        InputError, TransformError
            If it is missing or damaged.
        """
        return load_series(folder, SeriesResult)
