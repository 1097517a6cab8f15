"""Where the next run starts: chosen, or by moving the image on the canvas; and what is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from napari_mmreg.errors import RegistrationError
from napari_mmreg.gui.register.areas_box import AreasBox
from napari_mmreg.gui.register.motions import FLIP, TURN, next_start
from napari_mmreg.gui.register.placing import Placing
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.links import Link, Links
from napari_mmreg.gui.shared.placement import Matrix
from napari_mmreg.gui.shared.snapshot import RunSettings, Snapshot
from napari_mmreg.gui.shared.widgets import style
from napari_mmreg.gui.shared.widgets.combo import Combo
from napari_mmreg.gui.shared.widgets.images import ImagePair

_SAY_INTERVAL_MS = 60
_PLACED_BY = ("scale", "translate", "rotate", "shear", "units", "affine")


class StartBox(QWidget):
    """*Start from*, *Move by hand*, *Flip*, *Turn 90°*, *Undo*, *Reset*; masks and a region.

    Parameters
    ----------
    viewer : napari.components.ViewerModel
    session : Session
    images : ImagePair

    Attributes
    ----------
    placing : Placing
    side : QLabel
        Says shortly what is not as usual; to be seen when the box is folded away.

    Signals
    -------
    held(bool)
        The moving layer can be moved on the canvas now, or no longer.
    failed(str)
        Why something was not done.
    """

    held = Signal(bool)
    failed = Signal(str)

    def __init__(self, viewer: Any, session: Session, images: ImagePair) -> None:
        super().__init__()
        self._session, self._images = session, images
        self.placing = Placing(viewer, session.runs)
        self._views = [viewer.dims.events.ndisplay, viewer.dims.events.order]
        self._links = Links()
        # What was chosen before a start by hand; None where the user has chosen since.
        self._former_start: str | None = None
        self.start = Combo.of(strings.STARTS, strings.START_TIP)
        self.by_hand = _button(strings.BY_HAND, strings.BY_HAND_TIP)
        self.by_hand.setCheckable(True)
        self.by_hand.setStyleSheet(style.TOGGLE)
        self.flip = _button(strings.FLIP, strings.FLIP_TIP)
        self.turn = _button(strings.TURN, strings.TURN_TIP)
        self.undo = _button(strings.UNDO, strings.UNDO_TIP)
        self.reset = _button(strings.RESET, strings.RESET_TIP)
        self.line = style.quiet_label()
        self.side = QLabel()
        self.side.setProperty(style.QUIET, True)
        self.areas = AreasBox(viewer, session, images)
        buttons = QHBoxLayout()
        buttons.setSpacing(style.GAP - 2)
        for button in (self.by_hand, self.flip, self.turn, self.undo, self.reset):
            buttons.addWidget(button, 3 if button is self.by_hand else 2)
        layout = style.column(self)
        layout.addLayout(style.row(style.field_label(strings.START_FROM), self.start))
        layout.addLayout(buttons)
        layout.addWidget(self.line)
        layout.addWidget(self.areas)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_SAY_INTERVAL_MS)
        self._later.timeout.connect(self.say)
        self.by_hand.clicked.connect(self._on_by_hand)
        self.flip.clicked.connect(self._on_flip)
        self.turn.clicked.connect(self._on_turn)
        self.undo.clicked.connect(self._on_undo)
        self.reset.clicked.connect(self._on_reset)
        self.start.activated.connect(self._on_start)
        self.start.currentIndexChanged.connect(self.say)
        images.changed.connect(self._on_pair)
        for emitter in self._views:
            emitter.connect(self.let_go)
        self.areas.changed.connect(self._say_later)
        self.areas.failed.connect(self.failed)
        self.areas.drawing.connect(self.let_go)
        self._on_pair()

    def close_links(self) -> None:
        """Take the handles away and stop following layers."""
        self._later.stop()
        for emitter in self._views:
            emitter.disconnect(self.let_go)
        self.placing.let_go()
        self._links.replace()
        self.areas.close_links()

    def let_go(self, _event: Any = None) -> None:
        """Take the handles away."""
        moving = self.placing.held
        if moving is not None:
            self.placing.let_go()
            if self.placing.motion(moving) is None:
                self._choose_as_before()
            self.say()
            self.held.emit(False)
        self.by_hand.setChecked(False)

    def say(self) -> None:
        """Say where the next run starts."""
        fixed, moving = self._images.pair
        two = fixed is not None and moving is not None
        for button in (self.by_hand, self.flip, self.turn):
            button.setEnabled(two)
        done = self.placing.describe(moving) if moving is not None else ""
        self.reset.setEnabled(bool(done))
        self.undo.setEnabled(moving is not None and self.placing.can_undo(moving))
        text = strings.IN_HAND if self.placing.held is not None and not done else ""
        if two and not text:
            try:
                text = next_start(self._snapshot(), done)
            except RegistrationError as error:
                text = str(error)
        self.line.setText(text)
        self.line.setVisible(bool(text))
        style.make_room(self.line)
        start = self.start.value
        unusual = [] if start == "auto" else [strings.STARTS[start].lower()]
        if done and start in ("auto", "layers"):
            unusual = [strings.SIDE_BY_HAND]
        self.side.setText(", ".join([*unusual, *self.areas.used]))

    # Moving by hand

    def take_in_hand(self) -> None:
        """Give the moving layer handles on the canvas, if it has none."""
        fixed, moving = self._images.pair
        checks = (self._snapshot, lambda: self.placing.check_view(moving))
        if self.placing.held is None and self._try(*checks) and self._prepare():
            self.placing.hold(fixed, moving)
            self.held.emit(True)
            self.say()
        self.by_hand.setChecked(self.placing.held is not None)

    def _on_by_hand(self, wanted: bool) -> None:
        if wanted:
            self.take_in_hand()
        else:
            self.let_go()

    def _on_flip(self) -> None:
        self._about_centre(FLIP)

    def _on_turn(self) -> None:
        self._about_centre(TURN)

    def _about_centre(self, matrix: Matrix) -> None:
        if self._prepare():
            self.placing.about_centre(self._images.pair[1], matrix)
            self.say()

    def _prepare(self) -> bool:
        """Show the moving layer where it would start now, and start from layers from now on."""
        _, moving = self._images.pair
        if not self._try(lambda: self.placing.show_start(moving, self._snapshot())):
            return False
        self._start_from_layers()
        return True

    def _start_from_layers(self) -> None:
        if self.start.value != "layers":
            self._former_start = self.start.value
            self.start.select("layers")

    def _try(self, *actions: Callable[[], object]) -> bool:
        """Do something; why it cannot be done is said."""
        try:
            for action in actions:
                action()
        except RegistrationError as error:
            self.failed.emit(str(error))
            return False
        return True

    def _on_undo(self) -> None:
        self._take_back(self.placing.undo)

    def _on_reset(self) -> None:
        self._take_back(self.placing.reset)

    def _take_back(self, step: Callable[[Any], None]) -> None:
        """Take back the choice of the layers' positions, too, once nothing is moved any more."""
        moving = self._images.pair[1]
        step(moving)
        if self.placing.motion(moving) is not None:
            self._start_from_layers()
        elif self.placing.held is None:
            self._choose_as_before()
        self.say()

    def _choose_as_before(self) -> None:
        former, self._former_start = self._former_start, None
        if former is not None:
            self.start.select(former)

    def _on_start(self) -> None:
        self._former_start = None

    # Following

    def _snapshot(self) -> Snapshot:
        fixed, moving = self._images.pair
        return self._session.snapshot(fixed, moving, RunSettings(start=self.start.value))

    def _on_pair(self) -> None:
        fixed, moving = self._images.pair
        if self.placing.pair != (fixed, moving):
            self.let_go()
        self._choose_as_before()  # a start by hand was meant for the former two
        links: list[Link] = []
        for layer in (fixed, moving):
            if layer is not None:
                links += [(layer.events[name], self._say_later) for name in _PLACED_BY]
        if moving is not None:
            links += [(moving.events.affine, self._on_affine), (moving.events.mode, self._on_mode)]
            self.placing.watch(moving)
        self._links.replace(links)
        self.say()

    def _on_affine(self, _event: Any = None) -> None:
        self.placing.follow(self._images.pair[1], self.areas.own_mask_of_moving)

    def _on_mode(self, _event: Any = None) -> None:
        """Napari's own buttons can take the handles away, too."""
        held = self.placing.held
        if held is not None and held.mode != "transform" and self.by_hand.isChecked():
            self.let_go()

    def _say_later(self, _event: Any = None) -> None:
        if not self._later.isActive():
            self._later.start()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
