"""What is looked at after a run: the runs, their layers, the comparison, and under the cursor."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QPushButton, QWidget

from napari_mmreg.gui.register import shortcuts
from napari_mmreg.gui.register.compare_box import CompareBox
from napari_mmreg.gui.register.comparison import comparable
from napari_mmreg.gui.register.layers_box import LayersBox
from napari_mmreg.gui.register.runs_box import RunsBox
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.compat import camera_emitters
from napari_mmreg.gui.shared.kinds import FUSED
from napari_mmreg.gui.shared.later import Later
from napari_mmreg.gui.shared.links import Links
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.settings import Defaults
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.section import Section

_CAMERA_INTERVAL_MS = 150


class ResultsBox(QWidget):
    """The list of runs, what is shown of them, how it is compared, and what lies at the cursor.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    session : Session
    defaults : Defaults
        How many arrows are drawn at first, and how images are compared.
    """

    def __init__(self, viewer: Any, session: Session, defaults: Defaults) -> None:
        super().__init__()
        self._session = session
        self.runs = RunsBox(session.runs)
        self.layers = LayersBox(session.runs, defaults.arrows)
        self.compare = CompareBox(session.comparison, defaults.comparison)
        self.worst = QPushButton(strings.WORST)
        self.worst.setToolTip(strings.WORST_TIP.format(key=shortcuts.WORST))
        self.cursor_line = style.quiet_label(strings.CURSOR_IDLE)
        # Two lines; napari's theme enlarges the font later.
        self.cursor_line.setFixedHeight(3 * self.cursor_line.fontMetrics().lineSpacing())
        self.cursor_line.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout = style.column(self)
        for part in (
            self.runs,
            Section("register.layers", strings.LAYERS, self.layers),
            Section("register.compare", strings.COMPARE, self.compare),
            Section("register.cursor", strings.CURSOR, self.cursor_line, side=self.worst),
        ):
            layout.addWidget(part)
        self._camera_timer = QTimer(self)
        self._camera_timer.setSingleShot(True)
        self._camera_timer.setInterval(_CAMERA_INTERVAL_MS)
        self._camera_timer.timeout.connect(session.comparison.refresh)
        self.worst.clicked.connect(self.look_at_worst)
        compare = self.compare
        for moved in (compare.mode.activated, compare.source.activated, compare.amount.sliderMoved):
            moved.connect(self._uncover)
        self._follow = Later(self)
        self._follow.timeout.connect(self.compare.follow_layer)
        self._links = Links()
        self._links.replace(
            [
                (session.hover.events.text, self._on_hover),
                (session.swipe.events.moved, self._on_swipe),
                (viewer.layers.events.removed, self._follow.call),
                *((emitter, self._on_camera) for emitter in camera_emitters(viewer)),
            ]
        )

    def close_links(self) -> None:
        """Stop following the viewer and the runs."""
        self._links.replace()
        self._camera_timer.stop()
        self._follow.stop()
        self.compare.stop()
        self.runs.close_links()
        self.layers.close_links()

    def show_run(self, run: RunRecord | None) -> None:
        """Look at a run; there is nothing to be seen without one."""
        self.setVisible(run is not None)
        self._session.look_at(run)

    def compare_run(self) -> None:
        """Compare the shown run, and offer the others as they are called now."""
        run = self.runs.run
        others = [] if run is None else comparable(run, self._session.runs.runs)
        self.compare.set_run(run, others)

    def look_at_worst(self) -> None:
        """Centre the canvas on the place with the highest risk, the next one when called again."""
        said = self._session.look_at_next()
        if said:
            self.cursor_line.setText(said)

    def _uncover(self) -> None:
        """Hide the fused images, which cover the comparison that the user turns to."""
        if FUSED in self._session.runs.seen and self.compare.mode.value != "off":
            self._session.runs.toggle(FUSED, on=False)

    def _on_swipe(self, event: Any) -> None:
        self._uncover()
        self.compare.move_curtain(event.value)

    def _on_camera(self, _event: Any = None) -> None:
        if self._session.comparison.active:
            self._camera_timer.start()

    def _on_hover(self, event: Any) -> None:
        self.cursor_line.setText(event.value or strings.CURSOR_IDLE)
