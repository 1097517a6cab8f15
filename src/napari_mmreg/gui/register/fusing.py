"""Fusing the images of a run that is there already, away from the GUI."""

from __future__ import annotations

from dataclasses import replace

from napari_mmreg.fusion import get_fusion_info
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.fused import fused_layers, fusing
from napari_mmreg.gui.shared.task import Job, limited_threads
from napari_mmreg.run import Run


class FuseJob(Job[Bundle]):
    """Makes the fused images of a run; its bundle holds their layers and what to say.

    Parameters
    ----------
    bundle : Bundle
        The run.
    method : str
        A name that `napari_mmreg.fusion.list_fusions` knows.
    correct : bool
        Whether the fused image is corrected by FusionRegister.
    """

    def __init__(self, bundle: Bundle, method: str, *, correct: bool = False) -> None:
        super().__init__()
        self.snapshot = bundle.snapshot
        self._bundle = bundle
        self._method = method
        self._correct = correct

    def __repr__(self) -> str:
        return f"the fusion of “{self.snapshot.moving.name}”"

    def _run(self, run: Run) -> Bundle:
        run.report(strings.STAGE_LOADING, 0.0)
        with limited_threads(self.snapshot.settings.threads), run.part(0.0, 1.0, fusing):
            added = fused_layers(self._bundle, self._method, self._correct, run)
        failed = self._bundle.result.status == "failed"
        after = strings.FUSED_AS_BEFORE if failed else strings.FUSED_HIDDEN
        title = get_fusion_info(self._method).title
        note = f"{strings.FUSED_DONE.format(run=self.snapshot.run, method=title)} {after}"
        return replace(self._bundle, layers=tuple(added), note=note)
