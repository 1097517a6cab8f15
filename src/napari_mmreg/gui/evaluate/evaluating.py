"""One evaluation from layers to numbers, away from the GUI: what the worker thread executes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError, RegistrationError
from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.fused import fused_image
from napari_mmreg.gui.shared.job import Register, RegistrationJob
from napari_mmreg.gui.shared.loading import load_torch
from napari_mmreg.gui.shared.modalities import engine_modality
from napari_mmreg.gui.shared.placement import moving_from_fixed
from napari_mmreg.gui.shared.snapshot import Picture, RunSettings, Snapshot, read
from napari_mmreg.gui.shared.task import Job, Outcome, T, limited_threads
from napari_mmreg.run import Progress, Run

if TYPE_CHECKING:
    from napari_mmreg.evaluation import Evaluation
    from napari_mmreg.evaluation.segmentation import Segmenter
    from napari_mmreg.evaluation.segmentation.sam_download import Fetched, SamSource

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Truths:
    """What the user, or a sample, knows about a pair.

    Attributes
    ----------
    fixed_labels, moving_labels : Picture or None
        Labels layers.
    landmarks : (ndarray, ndarray) or None
        Corresponding points (n, 2) in fixed and moving pixels.
    displacement : ndarray of float32, shape (H, W, 2), or None
        The true one, on the fixed grid.
    """

    fixed_labels: Picture | None = None
    moving_labels: Picture | None = None
    landmarks: tuple[Points, Points] | None = None
    displacement: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class EvaluationRequest:
    """Everything an evaluation needs: a finished run, or two pictures as they lie.

    `fused` is the run's fused image on the fixed grid, (H, W) or (H, W, 3), if it has one.
    """

    fixed: Picture
    moving: Picture
    truths: Truths
    segmenter: Callable[[], Segmenter | None]
    bundle: Bundle | None = None
    name: str = ""
    fused: NDArray[Any] | None = None


class EvaluateJob(Job["Evaluation"]):
    """Evaluates one registration."""

    def __init__(self, request: EvaluationRequest, threads: int = 0) -> None:
        super().__init__()
        self.request = request
        self._threads = threads

    def __repr__(self) -> str:
        return texts.ACTIVITY_NAME

    def _run(self, run: Run) -> Evaluation:
        run.report(strings.STAGE_LOADING, 0.0)
        load_torch()
        with limited_threads(self._threads):
            return run_evaluation(self.request, run.report, run.cancel)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One of the models that are compared."""

    title: str
    model: str
    refine: bool = True


@dataclass(frozen=True, eq=False)
class ModelOutcome:
    """How one candidate did: its layers to be and its numbers, or why there are none."""

    candidate: Candidate
    bundle: Bundle | None
    evaluation: Evaluation | None
    error: RegistrationError | None = None


class CompareJob(Job["tuple[ModelOutcome, ...]"]):
    """Registers a pair with several models and evaluates each."""

    exclusive = False  # the runs that it starts are

    def __init__(
        self,
        snapshot: Snapshot,
        candidates: Sequence[Candidate],
        truths: Truths,
        segmenter: Callable[[], Segmenter | None],
        register: Register | None = None,
    ) -> None:
        super().__init__()
        self._snapshot = snapshot
        self._candidates = tuple(candidates)
        self._truths = truths
        self._segmenter = segmenter
        self._register = register
        self._inner: Job[Any] | None = None

    def __repr__(self) -> str:
        return texts.COMPARE_NAME

    def cancel(self) -> None:
        """Ask the comparison, and the run that is under way, to stop."""
        super().cancel()
        if self._inner is not None:
            self._inner.cancel()

    def _run(self, run: Run) -> tuple[ModelOutcome, ...]:
        """Run one candidate after the other; one that fails does not stop the others."""
        done: list[ModelOutcome] = []
        count = len(self._candidates)
        for index, candidate in enumerate(self._candidates):
            self._check()
            with run.part(index / count, (index + 1) / count, subject=candidate.title):
                done.append(self._one(candidate, run))
        self._check()
        return tuple(done)

    def _one(self, candidate: Candidate, run: Run) -> ModelOutcome:
        settings: RunSettings = replace(
            self._snapshot.settings, model=candidate.model, refine=candidate.refine
        )
        registration = RegistrationJob(replace(self._snapshot, settings=settings), self._register)
        with run.part(0.0, 0.6):
            registered = self._execute(registration, run.report)
        bundle = registered.value
        if bundle is None:
            return ModelOutcome(candidate, None, None, registered.error)
        request = EvaluationRequest(
            self._snapshot.fixed,
            self._snapshot.moving,
            self._truths,
            self._segmenter,
            bundle,
            candidate.title,
            fused_image(bundle.result.status, {spec.role: spec for spec in bundle.layers}),
        )
        with run.part(0.6, 1.0):
            evaluated = self._execute(EvaluateJob(request, settings.threads), run.report)
        return ModelOutcome(candidate, bundle, evaluated.value, evaluated.error)

    def _execute(self, job: Job[T], progress: Progress) -> Outcome[T]:
        """Execute a part, which is cancelled with the whole."""
        self._inner = job
        if self._stop.is_set():
            job.cancel()
        return job.execute(progress)


class FetchJob(Job["Fetched"]):
    """Downloads a SAM that the user asked for."""

    exclusive = False  # nothing is computed

    def __init__(self, source: SamSource) -> None:
        super().__init__()
        self._source = source

    def __repr__(self) -> str:
        return texts.FETCH_NAME

    def _run(self, run: Run) -> Fetched:
        from napari_mmreg.evaluation.segmentation.sam_download import fetch_sam

        title = self._source.title
        return fetch_sam(self._source, lambda done: run.report(title, done), run.cancel)


def run_evaluation(
    request: EvaluationRequest, progress: Progress, cancel: Callable[[], bool]
) -> Evaluation:
    """Read the pixels and evaluate; raises what `napari_mmreg.evaluate` raises."""
    from napari_mmreg.evaluation import evaluate
    from napari_mmreg.geometry import DisplacementTransform, MatrixTransform

    fixed, moving = request.fixed, request.moving
    truths, bundle = request.truths, request.bundle
    options: dict[str, Any] = {}
    if bundle is None:
        transform: Any = MatrixTransform(moving_from_fixed(fixed.placement, moving.placement))
    else:
        result = bundle.result
        transform = result.transform
        options.update(initial=bundle.start, misregistration=np.asarray(result.misregistration))
    if truths.displacement is not None and truths.displacement.shape[:2] == fixed.shape:
        options["truth"] = DisplacementTransform(truths.displacement)
    for key, labels, image in (
        ("fixed_labels", truths.fixed_labels, fixed),
        ("moving_labels", truths.moving_labels, moving),
    ):
        if labels is not None:
            options[key] = labels_on(labels, image)
    segmenter = request.segmenter()
    if segmenter is None and truths.moving_labels is None and truths.fixed_labels is not None:
        raise InputError(
            "Masks of the fixed image alone need a segmenter: choose one under “Found by”, or give "
            "masks of the moving image too."
        )
    return evaluate(
        read(fixed),
        read(moving),
        transform,
        landmarks=truths.landmarks,
        segmenter=segmenter,
        modalities=(engine_modality(fixed.modality), engine_modality(moving.modality)),
        fused=request.fused,
        name=request.name or (bundle.result.model if bundle is not None else texts.AS_THEY_LIE),
        provenance=_provenance(request),
        progress=progress,
        cancel=cancel,
        **options,
    )


def labels_on(labels: Picture, image: Picture) -> NDArray[Any]:
    """Return a Labels layer's numbers on an image's pixels, wherever the two lie in the world."""
    from napari_mmreg.geometry import MatrixTransform

    data = read(labels)
    matrix = moving_from_fixed(image.placement, labels.placement)
    if data.shape == image.shape and np.allclose(matrix, np.eye(3), atol=1e-6):
        return data
    return MatrixTransform(matrix).resample(data.astype(np.int32), image.shape, order=0)


def _provenance(request: EvaluationRequest) -> dict[str, Any]:
    names = {"fixed": request.fixed.name, "moving": request.moving.name}
    if request.bundle is None:
        return {"images": names, "registration": texts.AS_THEY_LIE}
    result = request.bundle.result
    return {
        "images": names,
        "status": result.status,
        "reasons": list(result.reasons),
        "seconds": round(sum(result.timings.values()), 2),
        **result.provenance,
    }
