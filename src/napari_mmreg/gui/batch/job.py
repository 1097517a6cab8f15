"""What the worker thread does: a whole batch, or opening one of its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.batch import BatchParameters, BatchSummary, ImagePair, Outcome, run_batch
from napari_mmreg.errors import InputError
from napari_mmreg.gui.batch import strings as texts
from napari_mmreg.gui.shared.layer_spec import LayerSpec
from napari_mmreg.gui.shared.loading import load_torch
from napari_mmreg.gui.shared.task import Job, limited_threads
from napari_mmreg.io import read_image, read_picture
from napari_mmreg.run import Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROLE = "batch"


class BatchJob(Job[BatchSummary]):
    """Registers many pairs.

    Parameters
    ----------
    pairs : sequence of ImagePair
    folder : Path
    parameters : BatchParameters
    workers : int
        With one, it computes in napari's own process, where it can be looked at; other runs wait.

    Attributes
    ----------
    outcomes : list of Outcome
        Of the pairs that are done; grows while the job runs.
    """

    def __init__(
        self, pairs: Sequence[ImagePair], folder: Path, parameters: BatchParameters, workers: int
    ) -> None:
        super().__init__()
        self.exclusive = self.has_looks = workers == 1
        self.outcomes: list[Outcome] = []
        self._pairs, self._folder = pairs, folder
        self._parameters, self._workers = parameters, workers

    def __repr__(self) -> str:
        return f"the registration of {len(self._pairs)} pairs"

    def _run(self, run: Run) -> BatchSummary:
        if self._workers == 1:
            load_torch()
        with limited_threads(0):
            return run_batch(
                self._pairs,
                self._folder,
                self._parameters,
                workers=self._workers,
                progress=run.report,
                cancel=run.cancel,
                preview=run.preview,
                on_outcome=self.outcomes.append,
            )


class OpenJob(Job[list[LayerSpec]]):
    """Reads one pair's images and result.

    Parameters
    ----------
    pair : ImagePair
    folder : Path
        Of the batch.
    reasons : sequence of str
        What is known of the result, to be said if there is no registered image.
    """

    exclusive = False

    def __init__(self, pair: ImagePair, folder: Path, reasons: Sequence[str] = ()) -> None:
        super().__init__()
        self._pair, self._folder, self._reasons = pair, folder / pair.id, reasons

    def __repr__(self) -> str:
        return f"opening the pair “{self._pair.id}”"

    def _run(self, run: Run) -> list[LayerSpec]:
        run.report(texts.STAGE_OPENING, 0.0)
        pair = self._pair
        if not (self._folder / "registered.tif").is_file():
            reasons = " ".join(self._reasons) or texts.NOT_RUN
            raise InputError(texts.NO_RESULT.format(name=pair.id, reasons=reasons))
        fixed = read_picture(pair.fixed, pair.fixed_page, pair.fixed_channel).image
        self._check()
        registered = read_image(self._folder / "registered.tif")
        risk = read_image(self._folder / "misregistration.tif")
        return [
            _image(fixed, texts.LAYER_FIXED, pair.id),
            _image(registered, texts.LAYER_REGISTERED, pair.id, opacity=0.6),
            _image(
                risk, texts.LAYER_RISK, pair.id,
                colormap="inferno", contrast_limits=(0.0, 1.0), visible=False,
            ),
        ]  # fmt: skip


def _image(data: NDArray[Any], title: str, name: str, **options: Any) -> LayerSpec:
    return LayerSpec(ROLE, "image", data, {"name": title.format(name=name), **options})
