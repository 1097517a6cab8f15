"""The big button, the progress bar and the line that says how it went."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.time_left import TimeLeft
from napari_mmreg.gui.shared.widgets import style

if TYPE_CHECKING:
    from napari_mmreg.gui.shared.bundle import Bundle

_STEPS = 1000


class RunBar(QWidget):
    """*Register*, or another word, which becomes *Cancel*, with progress.

    Parameters
    ----------
    word, tip : str
        What the button says and explains.
    need : str
        What is missing while it cannot be pressed.
    time_left : bool
        Whether it says how long a job will still take; False where its stages do.
    add, add_tip : str
        What a second button says and explains that is there while something runs; none if empty.

    Signals
    -------
    started(), cancelled(), added()
    """

    started = Signal()
    cancelled = Signal()
    added = Signal()

    def __init__(
        self,
        word: str = strings.REGISTER,
        tip: str = strings.REGISTER_TIP,
        need: str = strings.NEED_TWO,
        *,
        time_left: bool = True,
        add: str = "",
        add_tip: str = "",
    ) -> None:
        super().__init__()
        self._running = False
        self._left = TimeLeft() if time_left else None
        self._word, self._tip, self._need = word, tip, need
        self.button = QPushButton()
        self.button.setCursor(Qt.CursorShape.PointingHandCursor)
        self.add = QPushButton(add)
        self.add.setToolTip(add_tip)
        self.add.setCursor(Qt.CursorShape.PointingHandCursor)
        self.add.setStyleSheet(style.PRIMARY)
        self.bar = QProgressBar()
        self.bar.setRange(0, _STEPS)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.stage = style.quiet_label()
        self.stage.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = style.column(self)
        buttons = style.row(self.button, self.add)
        for index in range(2):
            buttons.setStretch(index, 1)
        layout.addLayout(buttons)
        layout.addWidget(self.bar)
        layout.addWidget(self.stage)
        self.add.clicked.connect(self.added)
        self.button.clicked.connect(self._on_clicked)
        self.set_running(running=False)

    @property
    def running(self) -> bool:
        """Whether the button is *Cancel*."""
        return self._running

    def set_running(self, *, running: bool) -> None:
        """Turn the button, and show or hide the progress."""
        self._running = running
        self.button.setText(strings.CANCEL if running else self._word)
        self.button.setToolTip("" if running else self._tip)
        self.button.setStyleSheet(style.STOP if running else style.PRIMARY)
        self.add.setVisible(running and bool(self.add.text()))
        self.bar.setVisible(running)
        self.stage.setVisible(running)
        self.bar.setValue(0)
        if self._left is not None:
            self._left.restart()
        # Said before a job's first report: the engine may still have to be imported for that.
        self.stage.setText(strings.STAGE_LOADING if running else "")

    def set_ready(self, *, ready: bool) -> None:
        """Let the buttons be pressed only with two images; *Cancel* always."""
        self.add.setEnabled(ready)
        self.button.setEnabled(ready or self._running)
        if not self._running:
            self.button.setToolTip(self._tip if ready else self._need)

    def show_progress(self, stage: str, fraction: float) -> None:
        """Show where the run is, and how long it will still take if it takes long."""
        self.bar.setValue(round(fraction * _STEPS))
        left = "" if self._left is None else self._left.say(fraction)
        parts = (stage, f"{fraction:.0%}", left)
        self.stage.setText(" · ".join(part for part in parts if part))

    def _on_clicked(self) -> None:
        (self.cancelled if self._running else self.started).emit()


class StatusLine(QWidget):
    """A coloured word, the numbers, and the reasons below.

    Attributes
    ----------
    problem : str
        Why there is no result to be used, if that is what it says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.word = QLabel()
        self.word.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.numbers = QLabel()
        style.wrapping(self.numbers)
        self.reasons = style.quiet_label()
        layout = style.column(self)
        layout.addLayout(style.row(self.word, self.numbers))
        layout.addWidget(self.reasons)
        self.problem = ""
        self.clear()

    def clear(self) -> None:
        """Say nothing."""
        self.problem = ""
        self.setVisible(False)

    def show_result(self, bundle: Bundle) -> None:
        """Show how a run went: status, similarity, matches, time, reasons."""
        result = bundle.result
        parts = []
        before = result.metrics.get("similarity_before")
        after = result.metrics.get("similarity_after")
        if before is not None and after is not None:
            parts.append(strings.SIMILARITY.format(before=before, after=after))
        within = result.probable_error
        if math.isfinite(within):
            parts.append(strings.MEAN_ERROR.format(error=within))
        if "matches" in result.metrics:
            parts.append(strings.MATCHES.format(count=result.metrics["matches"]))
        if result.timings:
            parts.append(strings.SECONDS.format(seconds=sum(result.timings.values())))
        reasons = "\n".join((*result.reasons, bundle.note))
        self.show_outcome(result.status, " · ".join(parts), reasons)

    def show_outcome(self, status: str, numbers: str, reasons: str) -> None:
        """Show a status in its colour, what is known in numbers, and why."""
        self._say(status, strings.STATUS_WORDS[status], numbers, reasons)

    def show_error(self, sentence: str) -> None:
        """Show why nothing was done."""
        self._say("error", strings.ERROR_WORD, "", sentence)

    def show_note(self, sentence: str, word: str = strings.INFO_WORD) -> None:
        """Show something that is no error."""
        self._say("info", word, sentence, "")

    def add(self, sentence: str) -> None:
        """Say one thing more."""
        self.reasons.setText(f"{self.reasons.text()}\n{sentence}".strip())
        self.reasons.setVisible(True)

    @property
    def text(self) -> str:
        """All that is shown, as text."""
        shown = (self.word.text(), self.numbers.text(), self.reasons.text())
        return "\n".join(part for part in shown if part)

    def _say(self, kind: str, word: str, numbers: str, reasons: str) -> None:
        self.word.setText(word)
        self.word.setStyleSheet(
            f"QLabel {{ background: {strings.STATUS_COLOURS[kind]}; color: white;"
            " border-radius: 4px; padding: 2px 8px; font-weight: 600; }"
        )
        self.numbers.setText(numbers)
        self.problem = reasons.partition("\n")[0] if kind in ("failed", "error") else ""
        self.reasons.setText(reasons)
        self.reasons.setVisible(bool(reasons))
        self.setVisible(True)
