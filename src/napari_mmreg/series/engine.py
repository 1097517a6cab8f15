"""One plane of a series: registered with a model that is loaded once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Transform
from napari_mmreg.imaging import check_image
from napari_mmreg.imaging.checks import check_spacing
from napari_mmreg.imaging.grid import initial_transform
from napari_mmreg.registration.register import register_pair
from napari_mmreg.series.plane_result import PlaneResult

if TYPE_CHECKING:
    from napari_mmreg.registration.options import PairOptions
    from napari_mmreg.registration.plan import Plan
    from napari_mmreg.registration.result import RegistrationResult
    from napari_mmreg.run import Run

_RANK = {"ok": 0, "doubtful": 1, "failed": 2}


class PlaneEngine:
    """Registers pairs of planes that have sizes and options in common.

    Parameters
    ----------
    plan : Plan
        Which models are asked.
    options : PairOptions
        Of every pair; `initial` is where a plane starts that is not told otherwise.
    run : Run
    refine : bool

    Attributes
    ----------
    provenance : dict
        Of the first plane that was registered.
    """

    def __init__(self, plan: Plan, options: PairOptions, run: Run, *, refine: bool) -> None:
        self._plan, self._options, self._run, self._refine = plan, options, run, refine
        self.provenance: dict[str, Any] = {}

    def start(self, shapes: tuple[tuple[int, int], tuple[int, int]]) -> Transform:
        """Return where planes of these sizes start: fixed to moving pixels."""
        options = self._options
        moving = options.moving_spacing
        return initial_transform(
            *shapes,
            options.initial,
            check_spacing(options.fixed_spacing, "fixed"),
            None if moving is None else check_spacing(moving, "moving"),
        )

    def register(
        self,
        index: int,
        fixed: NDArray[Any],
        moving: NDArray[Any],
        initial: Transform | None = None,
    ) -> PlaneResult:
        """Register one pair; what cannot be registered is a failed plane and ends nothing.

        Parameters
        ----------
        index : int
            Which plane it is.
        fixed, moving : ndarray of shape (H, W) or (H, W, C)
        initial : Transform, optional
            Where to start.

        Raises
        ------
        ModelError, DeviceError, Cancelled
            As `napari_mmreg.register`.
        """
        try:
            images = check_image(fixed, "fixed"), check_image(moving, "moving")
            options = self._options
            if initial is not None:
                options = replace(options, initial=initial)
            result = register_pair(self._plan, images, options, self._run, refine=self._refine)
        except InputError as error:
            shapes = [(int(image.shape[0]), int(image.shape[1])) for image in (fixed, moving)]
            start = self.start((shapes[0], shapes[1]))
            return PlaneResult(index, "failed", "start", (str(error),), start)
        self.provenance = self.provenance or result.provenance
        return plane_of(index, result)


def plane_of(index: int, result: RegistrationResult) -> PlaneResult:
    """Return what a series keeps of a plane's result: no array of its size but the transform."""
    risk = float(np.nanmean(result.grid_misregistration))
    return PlaneResult(
        index=index,
        status=result.status,
        source="start" if result.status == "failed" else "registered",
        reasons=result.reasons,
        transform=result.transform,
        metrics={**result.metrics, "misregistration": risk},
        answer_of=result.answer_of,
    )


def better(a: PlaneResult, b: PlaneResult) -> PlaneResult:
    """Return the one with the better status, or else with the smaller risk; `a` if in doubt."""

    def badness(plane: PlaneResult) -> tuple[int, float]:
        return _RANK[plane.status], plane.metrics.get("misregistration", 1.0)

    return b if badness(b) < badness(a) else a
