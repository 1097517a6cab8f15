"""What the dock does, without Qt: snapshot, job, result layers, comparison, hover."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.comparison import Comparison
from napari_mmreg.gui.register.fusing import FuseJob
from napari_mmreg.gui.register.hover import Hover
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import Bundle
from napari_mmreg.gui.shared.compat import point_in
from napari_mmreg.gui.shared.fused import FILES
from napari_mmreg.gui.shared.job import Job, Register
from napari_mmreg.gui.shared.runs import RunBook, RunRecord
from napari_mmreg.gui.shared.snapshot import Picture, RunSettings, Snapshot, take_picture

if TYPE_CHECKING:
    from napari.layers import Layer


class Session:
    """Registration in one viewer.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    register : callable, optional
        Stands for `napari_mmreg.register`.
    """

    def __init__(self, viewer: Any, register: Register | None = None) -> None:
        self._viewer = viewer
        self._register = register
        self.runs = RunBook.of(viewer)
        self.comparison = Comparison(viewer)
        self.hover = Hover(viewer)
        self.runs.events.changed.connect(self._on_runs_changed)

    def close(self) -> None:
        """Let go of the viewer; result layers stay, the compare layer goes."""
        self.comparison.hide()
        self.hover.close()
        self.runs.events.changed.disconnect(self._on_runs_changed)
        self.runs.close()

    def snapshot(
        self,
        fixed: Any,
        moving: Any,
        settings: RunSettings,
        fixed_mask: Any = None,
        moving_mask: Any = None,
    ) -> Snapshot:
        """Freeze layers and settings for a run.

        Raises
        ------
        InputError
            If there are not two different images.
        """
        if fixed is None or moving is None or fixed is moving:
            raise InputError(strings.NEED_TWO)

        def picture(layer: Any) -> Picture:
            return take_picture(layer, point_in(self._viewer, layer))

        return Snapshot(
            run=self.runs.next_number(),
            fixed=picture(fixed),
            moving=picture(moving),
            fixed_mask=None if fixed_mask is None else picture(fixed_mask),
            moving_mask=None if moving_mask is None else picture(moving_mask),
            settings=settings,
        )

    def job(self, snapshot: Snapshot) -> Job:
        """Return what a worker thread executes."""
        return Job(snapshot, self._register)

    def fuse_job(self, run: RunRecord, method: str, *, correct: bool = False) -> FuseJob:
        """Return what a worker thread executes to fuse a finished run's images."""
        return FuseJob(run.bundle, method, correct=correct)

    def deliver(self, bundle: Bundle) -> Iterator[Layer]:
        """Add the layers of a finished run one by one."""
        yield from self._keeping_selection(self.runs.add(bundle))

    def deliver_fused(self, bundle: Bundle) -> Iterator[Layer]:
        """Add the layers that a `FuseJob` made to their run one by one, instead of former ones."""
        added = self.runs.add_layers(bundle.snapshot.run, bundle.layers, FILES)
        yield from self._keeping_selection(added)

    def _keeping_selection(self, arriving: Iterator[Layer]) -> Iterator[Layer]:
        selected = set(self._viewer.layers.selection)
        yield from arriving
        # The user's selection stays, minus layers deleted meanwhile.
        self._viewer.layers.selection = {s for s in selected if s in self._viewer.layers}

    def _on_runs_changed(self) -> None:
        known: list[RunRecord] = self.runs.runs
        if self.comparison.run is not None and self.comparison.run not in known:
            self.comparison.hide()
