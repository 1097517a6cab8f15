"""What the Evaluate dock does, without Qt: requests from layers, segmenters, the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.evaluate import strings as texts
from napari_mmreg.gui.evaluate.evaluating import (
    Candidate,
    CompareJob,
    EvaluateJob,
    EvaluationRequest,
    ModelOutcome,
    Points,
    Truths,
)
from napari_mmreg.gui.evaluate.object_layers import ObjectLayers
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import renumbered
from napari_mmreg.gui.shared.compat import point_in
from napari_mmreg.gui.shared.fused import fused_image
from napari_mmreg.gui.shared.job import Register
from napari_mmreg.gui.shared.modalities import METADATA_KEY, engine_modality
from napari_mmreg.gui.shared.placement import Placement
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.snapshot import Picture, RunSettings, Snapshot, take_picture

if TYPE_CHECKING:
    from napari_mmreg.evaluation import Evaluation
    from napari_mmreg.evaluation.segmentation import Segmenter

BUILT_IN, SAM, NONE = "regions", "sam", "none"


class EvaluationSession:
    """Evaluations in one viewer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    register : callable, optional
        Stands for `napari_mmreg.register`.
    """

    def __init__(self, viewer: Any, register: Register | None = None) -> None:
        self._viewer = viewer
        self._register = register
        self.kept = RunBook.of(viewer)
        self.segmenter_name = BUILT_IN
        self._segmenters: dict[str, Segmenter] = {}
        self.objects = ObjectLayers(viewer)

    def close(self) -> None:
        """Let go of the viewer and of the segmenters; layers stay."""
        self.free_memory()
        self.kept.close()
        self.objects.forget()

    @property
    def runs(self) -> list[RunRecord]:
        """Finished runs of all docks that still have layers, newest first."""
        return self.kept.runs[::-1]

    def free_number(self) -> int:
        """Return the number of the objects shown, if no run has it, or else a new one."""
        number = self.objects.number
        if number is not None and number not in {run.number for run in self.runs}:
            return number
        return self.kept.next_number()

    # Requests

    def job(self, run: RunRecord | None, fixed: Any, moving: Any, truths: Truths) -> EvaluateJob:
        """Return what a worker thread executes: the evaluation of a run, or of two layers.

        Raises
        ------
        InputError
            If there is neither a run nor two different images.
        """
        if run is not None:
            bundle = run.bundle
            shot = bundle.snapshot
            fused = fused_image(bundle.result.status, run.layers)
            request = EvaluationRequest(
                shot.fixed, shot.moving, truths, self.segmenter, bundle, run.title, fused
            )
            return EvaluateJob(request, shot.settings.threads)
        if fixed is None or moving is None or fixed is moving:
            raise InputError(texts.NOTHING)
        pictures = self.picture(fixed), self.picture(moving)
        return EvaluateJob(EvaluationRequest(*pictures, truths, self.segmenter))

    def compare_job(
        self, fixed: Any, moving: Any, candidates: Sequence[Candidate], truths: Truths
    ) -> CompareJob:
        """Return what a worker thread executes to compare models on two layers.

        Raises
        ------
        InputError
            If there are not two different images, or no model.
        """
        if fixed is None or moving is None or fixed is moving:
            raise InputError(strings.NEED_TWO)
        if not candidates:
            raise InputError(texts.NONE_TICKED)
        snapshot = Snapshot(
            run=self.free_number(),
            fixed=self.picture(fixed),
            moving=self.picture(moving),
            fixed_mask=None,
            moving_mask=None,
            settings=RunSettings(),
        )
        return CompareJob(snapshot, candidates, truths, self.segmenter, self._register)

    def picture(self, layer: Any) -> Picture:
        """Return the 2-D picture that a layer shows."""
        return take_picture(layer, point_in(self._viewer, layer))

    def truths(
        self,
        fixed: Picture | None,
        moving: Picture | None,
        labels: tuple[Any, Any],
        points: tuple[Any, Any],
    ) -> Truths:
        """Collect what is known: masks, landmarks, and a sample's own truth.

        Parameters
        ----------
        fixed, moving : Picture or None
            The pair.
        labels, points : (layer or None, layer or None)
            Labels and Points layers of the fixed and the moving image.
        """
        pictures = [None if layer is None else self.picture(layer) for layer in labels]
        landmarks = None
        if fixed is not None and moving is not None and None not in points:
            landmarks = (
                points_in(points[0], fixed.placement),
                points_in(points[1], moving.placement),
            )
        return Truths(pictures[0], pictures[1], landmarks, self._known(fixed, moving))

    def _known(self, fixed: Picture | None, moving: Picture | None) -> Any:
        """Return a sample's true displacement where both layers are of one sample."""
        if fixed is None or moving is None:
            return None
        own = []
        for picture, role in ((fixed, "fixed"), (moving, "moving")):
            layer = next((la for la in self._viewer.layers if la.name == picture.name), None)
            about = {} if layer is None else layer.metadata.get(METADATA_KEY, {})
            if about.get("role") != role:
                return None
            own.append(about)
        same = own[0].get("sample") is not None and own[0]["sample"] == own[1].get("sample")
        return own[0].get("truth_displacement") if same else None

    # Segmenters

    def segmenter(self) -> Segmenter | None:
        """Return the chosen segmenter, loaded once; call it in the worker."""
        name = self.segmenter_name
        if name == NONE:
            return None
        if name not in self._segmenters:
            from napari_mmreg.evaluation.segmentation import load_segmenter
            from napari_mmreg.nn.device import choose_device

            device = "cpu" if name == BUILT_IN else choose_device("auto")
            self._segmenters[name] = load_segmenter(name, device)
        return self._segmenters[name]

    def about_segmenter(self, fixed: Picture | None, moving: Picture | None) -> str:
        """Say what was measured of the built-in segmenter on such pairs, or which SAM it is."""
        if self.segmenter_name == SAM:
            return texts.NO_SAM
        if self.segmenter_name == NONE:
            return ""
        if self.segmenter_name != BUILT_IN:
            return texts.SAM_CHOSEN.format(name=Path(self.segmenter_name).name)
        from napari_mmreg.evaluation.segmentation import agreement

        measured = None
        if fixed is not None and moving is not None:
            measured = agreement(*(engine_modality(p.modality) for p in (fixed, moving)))
        if measured is None:
            return texts.NOT_MEASURED
        text = texts.MEASURED.format(
            pairs=measured.pairs, aligned=measured.aligned, shifted=measured.shifted
        )
        return text if measured.meaningful else text + texts.NOT_MEANINGFUL

    def free_memory(self) -> None:
        """Forget networks and embeddings."""
        for segmenter in self._segmenters.values():
            segmenter.release()
        self._segmenters.clear()

    # Results

    def keep(self, outcome: ModelOutcome) -> list[Any]:
        """Add the layers of a compared model, as a run."""
        if outcome.bundle is None:
            return []
        return list(self.kept.add(renumbered(outcome.bundle, self.free_number())))

    def write_report(
        self, shown: Evaluation, outcomes: Sequence[ModelOutcome], folder: str
    ) -> Path:
        """Write the report of what is shown; where it was compared, of the others too.

        Raises
        ------
        OSError
            If the folder cannot be written to.
        """
        from napari_mmreg.evaluation.report import write_report

        others = [c.evaluation for c in outcomes if c.evaluation is not None]
        if not any(other is shown for other in others):
            others = []
        every = [shown, *(other for other in others if other is not shown)]
        return write_report(every, folder, texts.REPORT_NAME.format(**shown.provenance["images"]))


def points_in(layer: Any, placement: Placement) -> Points:
    """Return a Points layer's last two world axes in a picture's pixels, (n, 2)."""
    world = np.array([layer.data_to_world(point)[-2:] for point in layer.data])
    if not len(world):
        return np.empty((0, 2))
    pixels_from_world = np.linalg.inv(placement.world_from_pixels)
    return np.asarray(np.column_stack([world, np.ones(len(world))]) @ pixels_from_world.T)[:, :2]


def guess_points(layers: Sequence[Any]) -> tuple[Any, Any]:
    """Return the Points layers that say they are a pair's landmarks; None where none does."""
    found: dict[str, Any] = {}
    for layer in layers:
        found[str(layer.metadata.get(METADATA_KEY, {}).get("role", ""))] = layer
    pair = found.get("fixed landmarks"), found.get("moving landmarks")
    return pair if None not in pair else (None, None)
