"""`register_series`: two stacks, or a stack and an image, plane by plane."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import Transform
from napari_mmreg.models.budgets import BALANCED
from napari_mmreg.nn.device import choose_device, memory_advice
from napari_mmreg.registration.options import PairOptions
from napari_mmreg.registration.plan import Plan
from napari_mmreg.run import CancelCheck, Preview, Progress, Run
from napari_mmreg.series.engine import PlaneEngine
from napari_mmreg.series.follow import follow_plane, smooth_planes, start_after
from napari_mmreg.series.once import (
    NOTHING,
    EstimateOn,
    agree,
    check_estimate,
    chosen_planes,
    project,
)
from napari_mmreg.series.plane_result import PlaneResult, SeriesCancelled
from napari_mmreg.series.planes import Planes, count_planes, planes_of
from napari_mmreg.series.result import WAYS, SeriesResult, Way

if TYPE_CHECKING:
    from napari_mmreg.registration.result import Status

OnPlane = Callable[[PlaneResult], None]


def register_series(
    fixed: Any,
    moving: Any,
    way: Way = "each",
    *,
    estimate_on: EstimateOn = "best",
    smoothing: int = 5,
    axis: int | tuple[int, int] = 0,
    at: tuple[Sequence[int] | None, Sequence[int] | None] = (None, None),
    rgb: tuple[bool | None, bool | None] = (None, None),
    model: str = "auto",
    device: str = "auto",
    refine: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    preview: Preview | None = None,
    budget: str = BALANCED,
    on_plane: OnPlane | None = None,
    finished: Iterable[PlaneResult] = (),
    **pair_options: Any,
) -> SeriesResult:
    """Register the planes of a stack or time series: plane n of one with plane n of the other.

    Parameters
    ----------
    fixed, moving : array_like of shape (..., H, W) or (..., H, W, C)
        Stacks with as many planes along `axis`, perhaps lazy, or lists of images of one size. One
        of them may be a single image, which counts for every plane. What runs along other leading
        axes is carried with its plane; `at` says what of it is looked at.
    way : {"once", "each", "follow"}
        ``"once"``: one transform for all planes, as of a fixed rig. ``"each"``: each plane on its
        own. ``"follow"``: each starts from the affine part of the one before; the motion is then
        smoothed, planes that failed or lie far off are filled in between their neighbours and
        marked so.
    estimate_on : {"best", "first", "mean", "median", "max"} or int
        For ``"once"``: up to five evenly spaced planes, of which those that hold agree on one
        transform; a plane; or the mean, median (of 25 planes at most) or maximum over the planes.
    smoothing : int
        For ``"follow"``: how many planes the motion is smoothed over; below 3 it is not.
    axis : int or (int, int)
        Which leading axis the planes run along, of both or of the fixed and the moving stack.
    at : (sequence of int or None, sequence of int or None)
        Index along each leading axis of the fixed and the moving stack of what is looked at; that
        along `axis` does not count. By default zeros.
    rgb : (bool or None, bool or None)
        Whether the last axis holds channels; by default where it is short.
    model, device, refine, seed, progress, cancel, preview, budget
        As of `napari_mmreg.register`; stages and looks name their plane.
    on_plane : callable, optional
        Called with the `PlaneResult` of every plane that is registered, when it is there, before
        anything is smoothed.
    finished : iterable of PlaneResult
        Planes that an earlier run with the same arguments handed to `on_plane`, or that
        `SeriesCancelled.finished` holds: they are not registered again.
    **pair_options
        ``fixed_mask``, ``moving_mask``, ``initial``, ``fixed_spacing``, ``moving_spacing``,
        ``modalities``, ``detect_borders``, ``nodata``, ``unit`` and ``order`` of
        `napari_mmreg.register`, for every plane.

    Returns
    -------
    SeriesResult
        A plane that cannot be registered is a failed member and ends nothing.

    Raises
    ------
    InputError
        If something cannot be used as given; the message says what to do.
    ModelError, DeviceError
        As `napari_mmreg.register`.
    SeriesCancelled
        If `cancel` said so; it holds the planes that were finished.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).

    Memory does not grow with the number of planes but by their transforms: an affine takes next to
    nothing, one that bends a field on the grid it was computed on.
    """
    if way not in WAYS:
        raise InputError(f"A series is registered 'once', 'each' or 'follow', not {way!r}.")
    axes = (axis, axis) if isinstance(axis, int) else axis
    sides = (
        planes_of(fixed, "fixed", axes[0], at[0], rgb[0]),
        planes_of(moving, "moving", axes[1], at[1], rgb[1]),
    )
    number = count_planes(*sides)
    check_estimate(estimate_on, number)
    options = PairOptions(**pair_options)
    plan = Plan.of(model, budget, refine=refine)
    run = Run.begin(choose_device(device), seed, progress, cancel, preview)
    series = _Series(sides, number, run, on_plane, {plane.index: plane for plane in finished})
    try:
        with memory_advice(run.device):
            with run.stage("Preparing", 0.0, 0.02):
                plan.load()
                series.engine = PlaneEngine(plan, options, run, refine=refine)
                series.engine.start((sides[0].shape, sides[1].shape))
            with run.part(0.02, 1.0):
                planes, reasons = series.register(way, estimate_on, smoothing)
    except Cancelled as error:
        raise SeriesCancelled(tuple(series.done.values()), number) from error
    run.report("", 1.0)
    provenance = series.engine.provenance | {
        "series": {"way": way, "planes": number}
        | ({"estimate_on": estimate_on} if way == "once" else {})
        | ({"smoothing": smoothing} if way == "follow" else {})
    }
    return SeriesResult(
        planes=planes,
        way=way,
        status=_status(planes),
        reasons=reasons,
        fixed_shape=sides[0].shape,
        moving_shape=sides[1].shape,
        moving=sides[1],
        order=options.order,
        nodata=options.nodata[1],
        provenance=provenance,
    )


class _Series:
    """A series under way: what is done, and what is next."""

    engine: PlaneEngine

    def __init__(
        self,
        sides: tuple[Planes, Planes],
        number: int,
        run: Run,
        on_plane: OnPlane | None,
        done: dict[int, PlaneResult],
    ) -> None:
        self.sides, self.number, self.run, self.done = sides, number, run, done
        self._on_plane = on_plane

    def register(
        self, way: Way, estimate_on: EstimateOn, smoothing: int
    ) -> tuple[tuple[PlaneResult, ...], tuple[str, ...]]:
        """Return the members and what is to be said about the whole."""
        shape = self.sides[0].shape
        if way == "once":
            return self._once(estimate_on, shape)
        everything = range(self.number)
        planes = self._planes(everything, follow=way == "follow")
        if all(plane.status == "failed" for plane in planes):
            return tuple(planes), (NOTHING, *planes[0].reasons)
        if way == "follow":
            return _said(smooth_planes(planes, shape, smoothing))
        return _said(tuple(planes))

    def _once(
        self, estimate_on: EstimateOn, shape: tuple[int, int]
    ) -> tuple[tuple[PlaneResult, ...], tuple[str, ...]]:
        chosen = chosen_planes(estimate_on, self.number)
        if chosen:
            found = self._planes(chosen, follow=False)
            names = ", ".join(str(plane.index) for plane in found)
            what = f"plane {names}" if len(found) == 1 else f"planes {names}"
            return agree(found, self.number, shape, what)
        with self.run.stage("Projecting", 0.0, 0.1):
            images = [project(side, str(estimate_on), self.run.check) for side in self.sides]
        with self.run.part(0.1, 1.0):
            projected = self.engine.register(0, images[0], images[1])
        return agree([projected], self.number, shape, "a projection")

    def _planes(self, numbers: Sequence[int], *, follow: bool) -> list[PlaneResult]:
        planes: list[PlaneResult] = []
        for place, n in enumerate(numbers):
            share = place / len(numbers), (place + 1) / len(numbers)
            name = f"Plane {n} ({place + 1} of {len(numbers)})"
            with self.run.part(*share, subject=name):
                if n not in self.done:
                    start = start_after(planes, self.sides[0].shape) if follow else None
                    self._finish(follow_plane(self._attempt(n), start))
                planes.append(self.done[n])
        return planes

    def _attempt(self, n: int) -> Callable[[Transform | None], PlaneResult]:
        self.run.check()
        images = [side.plane(n) for side in self.sides]
        return lambda start: self.engine.register(n, images[0], images[1], start)

    def _finish(self, plane: PlaneResult) -> None:
        self.done[plane.index] = plane
        if self._on_plane is not None:
            self._on_plane(plane)


def _status(planes: Sequence[PlaneResult]) -> Status:
    statuses = {plane.status for plane in planes}
    if statuses == {"failed"}:
        return "failed"
    return "ok" if statuses == {"ok"} else "doubtful"


def _said(planes: tuple[PlaneResult, ...]) -> tuple[tuple[PlaneResult, ...], tuple[str, ...]]:
    """Return the planes, and a sentence that counts them."""
    filled = [plane.index for plane in planes if plane.source == "interpolated"]
    failed = [plane.index for plane in planes if plane.status == "failed"]
    doubtful = [
        plane.index
        for plane in planes
        if plane.status == "doubtful" and plane.source != "interpolated"
    ]
    good = sum(plane.status == "ok" for plane in planes)
    reasons = [f"{good} of {len(planes)} planes are registered and hold."]
    for found, what in (
        (doubtful, "Doubtful, to be looked at before use"),
        (filled, "Filled in between their neighbours"),
        (failed, "Failed and left as they were"),
    ):
        if found:
            reasons.append(f"{what}: {'plane' if len(found) == 1 else 'planes'} {_listed(found)}.")
    return planes, tuple(reasons)


def _listed(numbers: Sequence[int], most: int = 8) -> str:
    text = ", ".join(str(number) for number in numbers[:most])
    return text + (" …" if len(numbers) > most else "")
