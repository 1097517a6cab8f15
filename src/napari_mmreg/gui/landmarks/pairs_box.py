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

    from napari_mmreg.gui.landmarks.controller import LandmarkController


class PairsBox(QWidget):
    """Shows and edits a controller's pairs.

    Signals
    -------
    open_clicked(), save_clicked(), propose_clicked()
    """

    open_clicked = Signal()
    save_clicked = Signal()
    propose_clicked = Signal()

    def __init__(self, controller: LandmarkController) -> None:
        super().__init__()
        self._controller = controller
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
        self.table = PairTable(controller)
        layout = style.column(self)
        layout.addLayout(style.row(self.mark, self.show_mode, self.accept, self.skip, stretch=0))
        layout.addWidget(self.hint)
        layout.addWidget(self.table)
        layout.addWidget(self.count)
        # Two rows: six buttons beside each other would widen the dock.
        for three in (
            (self.undo, self.redo, self.remove),
            (self.propose, self.open, self.save),
        ):
            tools = style.row(*three)
            for place in range(len(three)):
                tools.setStretch(place, 1)
            layout.addLayout(tools)
        self._connect()

    def _connect(self) -> None:
        controller = self._controller
        self.mark.clicked.connect(self._on_mark)
        self.show_mode.activated.connect(self._on_show)
        pairs: list[tuple[QPushButton, Callable[[], object]]] = [
            (self.accept, controller.entry.accept),
            (self.skip, controller.entry.skip),
            (self.undo, controller.book.undo),
            (self.redo, controller.book.redo),
            (self.remove, controller.remove_selected),
        ]
        for button, action in pairs:
            button.clicked.connect(lambda _=False, action=action: action())
        self.propose.clicked.connect(self.propose_clicked)
        self.open.clicked.connect(self.open_clicked)
        self.save.clicked.connect(self.save_clicked)
        self.table.picked.connect(controller.select)
        self.table.gone_to.connect(controller.zoom_to)

    def refresh(self) -> None:
        """Show what the controller knows."""
        controller, book = self._controller, self._controller.book
        marking = controller.marking.on
        self.mark.setEnabled(controller.ready)
        self.mark.setChecked(marking)
        self.mark.setText(strings.MARK_STOP if marking else strings.MARK)
        self.show_mode.setVisible(not marking or controller.entry.ghost is None)
        self.accept.setVisible(marking and controller.entry.ghost is not None)
        self.skip.setVisible(marking and controller.entry.current is not None)
        self.undo.setEnabled(bool(book.undo_label))
        self.redo.setEnabled(bool(book.redo_label))
        self.undo.setToolTip(_step(strings.UNDO_TIP, strings.NOTHING_TO_UNDO, book.undo_label))
        self.redo.setToolTip(_step(strings.REDO_TIP, strings.NOTHING_TO_REDO, book.redo_label))
        self.remove.setEnabled(bool(controller.selected))
        matches = controller.fit_state.matches
        self.propose.setToolTip(
            strings.SEED_TIP
            if matches is None
            else strings.SEED_MATCHES_TIP.format(all=len(matches))
        )
        for button in (self.propose, self.open):
            button.setEnabled(controller.ready)
        self.save.setEnabled(controller.ready and len(book) > 0)
        self.hint.setText(self._hint())
        self.count.setText(self._count())
        self.table.refresh()

    def _hint(self) -> str:
        controller = self._controller
        if not controller.ready:
            return strings.HINT_NO_IMAGES
        if not controller.marking.on:
            return strings.HINT_IDLE
        pair = controller.entry.current
        name = str(controller.book.state.next_id) if pair is None else pair.name
        if controller.entry.expecting == "fixed":
            return strings.HINT_FIXED.format(name=name)
        if controller.entry.ghost is None:
            return strings.HINT_MOVING.format(name=name)
        text = strings.HINT_GHOST.format(name=name)
        return f"{text} {strings.GHOST_MATCHED}" if controller.entry.matched else text

    def _count(self) -> str:
        controller, pairs = self._controller, self._controller.book.pairs
        used = sum(pair.used for pair in pairs)
        half = sum(not pair.complete for pair in pairs)
        template = strings.COUNT_ONE if len(pairs) == 1 else strings.COUNT
        parts = [template.format(used=used, all=len(pairs))]
        if half:
            parts.append(strings.COUNT_HALF.format(half=half))
        if controller.fit_state.missing:
            kind = (
                strings.KINDS[controller.fit_state.settings.kind]
                if controller.fit_state.base is None
                else strings.CORRECT
            )
            parts.append(
                strings.COUNT_MORE.format(more=controller.fit_state.missing, kind=kind.lower())
            )
        elif controller.fit_state.measurement.problem:
            parts.append(controller.fit_state.measurement.problem)
        return " · ".join(parts)

    def _on_mark(self, checked: bool) -> None:
        if checked:
            self._controller.start_marking()
        else:
            self._controller.stop_marking()
        self.refresh()

    def _on_show(self) -> None:
        self._controller.marking.show = self.show_mode.value
        self._controller.marking.update()


def _button(text: str, tip: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button


def _step(template: str, nothing: str, label: str) -> str:
    return template.format(label=label) if label else nothing
