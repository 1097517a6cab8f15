"""Marking pairs, the table, undo and redo, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton, QWidget

from napari_mmreg.gui.landmarks import strings
from napari_mmreg.gui.landmarks.table import PairTable
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_mmreg.gui.landmarks.desk import LandmarkDesk


class PairsBox(QWidget):
    """Shows and edits a desk's pairs.

    Signals
    -------
    open_clicked(), save_clicked(), propose_clicked()
    """

    open_clicked = Signal()
    save_clicked = Signal()
    propose_clicked = Signal()

    def __init__(self, desk: LandmarkDesk) -> None:
        super().__init__()
        self._desk = desk
        self.mark = QPushButton(strings.MARK)
        self.mark.setCheckable(True)
        self.mark.setToolTip(strings.MARK_TIP)
        self.show_mode = Combo.of(strings.SHOWS, strings.SHOW_TIP)
        self.accept = _button(strings.ACCEPT, strings.ACCEPT_TIP)
        self.skip = _button(strings.SKIP, strings.SKIP_TIP)
        self.undo = _button(strings.UNDO)
        self.redo = _button(strings.REDO)
        self.remove = _button(strings.DELETE, strings.DELETE_TIP)
        self.propose = _button(strings.SEED, strings.SEED_TIP)
        self.open = _button(strings.OPEN, strings.OPEN_TIP)
        self.save = _button(strings.SAVE, strings.SAVE_TIP)
        self.hint = style.wrapping(style.quiet_label())
        self.hint.setMinimumHeight(2 * self.hint.fontMetrics().lineSpacing() + 4)
        self.count = style.quiet_label()
        self.table = PairTable(desk)
        layout = style.column(self)
        layout.addLayout(style.row(self.mark, self.show_mode, self.accept, self.skip, stretch=0))
        layout.addWidget(self.hint)
        layout.addWidget(self.table)
        layout.addWidget(self.count)
        tools = style.row(self.undo, self.redo, self.remove, self.propose, self.open, self.save)
        for place in range(tools.count()):
            tools.setStretch(place, 1)
        layout.addLayout(tools)
        self._connect()

    def _connect(self) -> None:
        desk = self._desk
        self.mark.clicked.connect(self._on_mark)
        self.show_mode.activated.connect(self._on_show)
        pairs: list[tuple[QPushButton, Callable[[], object]]] = [
            (self.accept, desk.flow.accept),
            (self.skip, desk.flow.skip),
            (self.undo, desk.book.undo),
            (self.redo, desk.book.redo),
            (self.remove, desk.remove_selected),
        ]
        for button, action in pairs:
            button.clicked.connect(lambda _=False, action=action: action())
        self.propose.clicked.connect(self.propose_clicked)
        self.open.clicked.connect(self.open_clicked)
        self.save.clicked.connect(self.save_clicked)
        self.table.picked.connect(desk.select)
        self.table.gone_to.connect(desk.zoom_to)

    def refresh(self) -> None:
        """Show what the desk knows."""
        desk, book = self._desk, self._desk.book
        marking = desk.marking.on
        self.mark.setEnabled(desk.ready)
        self.mark.setChecked(marking)
        self.mark.setText(strings.MARK_STOP if marking else strings.MARK)
        self.show_mode.setVisible(not marking or desk.flow.ghost is None)
        self.accept.setVisible(marking and desk.flow.ghost is not None)
        self.skip.setVisible(marking and desk.flow.current is not None)
        self.undo.setEnabled(bool(book.undo_label))
        self.redo.setEnabled(bool(book.redo_label))
        self.undo.setToolTip(_step(strings.UNDO_TIP, strings.NOTHING_TO_UNDO, book.undo_label))
        self.redo.setToolTip(_step(strings.REDO_TIP, strings.NOTHING_TO_REDO, book.redo_label))
        self.remove.setEnabled(bool(desk.selected))
        matches = desk.judging.matches
        self.propose.setToolTip(
            strings.SEED_TIP
            if matches is None
            else strings.SEED_MATCHES_TIP.format(all=len(matches))
        )
        for button in (self.propose, self.open):
            button.setEnabled(desk.ready)
        self.save.setEnabled(desk.ready and len(book) > 0)
        self.hint.setText(self._hint())
        self.count.setText(self._count())
        self.table.refresh()

    def _hint(self) -> str:
        desk = self._desk
        if not desk.ready:
            return strings.HINT_NO_IMAGES
        if not desk.marking.on:
            return strings.HINT_IDLE
        pair = desk.flow.current
        name = str(desk.book.state.next_id) if pair is None else pair.name
        if desk.flow.expecting == "fixed":
            return strings.HINT_FIXED.format(name=name)
        if desk.flow.ghost is None:
            return strings.HINT_MOVING.format(name=name)
        text = strings.HINT_GHOST.format(name=name)
        return f"{text} {strings.GHOST_MATCHED}" if desk.flow.matched else text

    def _count(self) -> str:
        desk, pairs = self._desk, self._desk.book.pairs
        used = sum(pair.used for pair in pairs)
        half = sum(not pair.complete for pair in pairs)
        template = strings.COUNT_ONE if len(pairs) == 1 else strings.COUNT
        parts = [template.format(used=used, all=len(pairs))]
        if half:
            parts.append(strings.COUNT_HALF.format(half=half))
        if desk.judging.missing:
            kind = (
                strings.KINDS[desk.judging.settings.kind]
                if desk.judging.base is None
                else strings.CORRECT
            )
            parts.append(strings.COUNT_MORE.format(more=desk.judging.missing, kind=kind.lower()))
        elif desk.judging.measurement.problem:
            parts.append(desk.judging.measurement.problem)
        return " · ".join(parts)

    def _on_mark(self, checked: bool) -> None:
        if checked:
            self._desk.start_marking()
        else:
            self._desk.stop_marking()
        self.refresh()

    def _on_show(self) -> None:
        self._desk.marking.show = self.show_mode.value
        self._desk.marking.update()


def _button(text: str, tip: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _step(template: str, nothing: str, label: str) -> str:
    return template.format(label=label) if label else nothing
