"""A part of a dock under a title that folds it away; what is folded stays so the next time."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.memory import recall, remember
from napari_mmreg.gui.shared.widgets import style

_MEMORY = "folded sections"


class Section(QWidget):
    """A title, a line, and the parts below it.

    Parameters
    ----------
    key : str
        Under which it is remembered whether it is folded; of the dock and the section.
    title : str
    *parts : QWidget
        From top to bottom.
    side : QWidget, optional
        Stays at the right end of the title, folded or not.
    folded : bool
        Whether it is folded as long as nobody unfolded it.
    """

    def __init__(
        self,
        key: str,
        title: str,
        *parts: QWidget,
        side: QWidget | None = None,
        folded: bool = False,
    ) -> None:
        super().__init__()
        self._key = key
        self.button = QPushButton(title)
        self.button.setCheckable(True)
        self.button.setStyleSheet(style.FOLD + "QPushButton { font-weight: 600; font-size: 13px; }")
        self.button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.body = QWidget()
        inner = style.column(self.body)
        for part in parts:
            inner.addWidget(part)
        line = QFrame()
        line.setFixedHeight(1)
        line.setStyleSheet(style.LINE)
        line.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        head = QHBoxLayout()
        head.setContentsMargins(0, 2, 0, 0)
        head.setSpacing(8)
        head.addWidget(self.button)
        head.addWidget(line, 1)
        if side is not None:
            head.addWidget(side)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.GAP)
        layout.addLayout(head)
        layout.addWidget(self.body)
        known = recall(_MEMORY, {})
        self.fold(folded=bool(known.get(key, folded)))
        self.button.clicked.connect(self._on_clicked)

    @property
    def folded(self) -> bool:
        """Whether its parts are hidden."""
        return self.body.isHidden()

    def fold(self, *, folded: bool) -> None:
        """Hide the parts, or show them."""
        self.body.setVisible(not folded)
        self.button.setChecked(not folded)
        self.button.setIcon(style.chevron(down=not folded))
        self.button.setToolTip(strings.UNFOLD if folded else strings.FOLD)

    def _on_clicked(self, unfolded: bool) -> None:
        self.fold(folded=not unfolded)
        remember(_MEMORY, {**recall(_MEMORY, {}), self._key: not unfolded})
