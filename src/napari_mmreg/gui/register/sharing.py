"""Taking something of a run elsewhere: a figure, an animation, the code that repeats it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.compare_box import CompareBox
from napari_mmreg.gui.register.script import script_of
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.run_record import RunRecord

if TYPE_CHECKING:
    from napari_mmreg.gui.register.figure import Figure
    from napari_mmreg.imaging.compose import Mode

_ENDING = re.compile(r"\*(\.\w+)")
"""In the kinds of files that a dialog offers."""


class Sharing:
    """What the menu *Share* does with the shown run; every action returns what to say.

    Parameters
    ----------
    session : Session
    compare : CompareBox
        Says what a figure shows.

    Notes
    -----
    Every action raises `InputError` with a sentence if it cannot be done; '' means that the user
    chose no file.
    """

    def __init__(self, session: Session, compare: CompareBox) -> None:
        self._session = session
        self._compare = compare

    def do(self, what: str, parent: QWidget) -> str:
        """Do what a key of `strings.SHARING` names; dialogs belong to `parent`."""
        actions = {
            "copy_figure": self.copy_figure,
            "export_figure": self.export_figure,
            "export_animation": self.export_animation,
            "copy_script": self.copy_script,
        }
        return actions[what](parent)

    def copy_figure(self, _parent: QWidget) -> str:
        """Put the figure of the comparison on the clipboard."""
        from napari_mmreg.gui.register.figure import render

        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setImage(render(self._figure()))
        return strings.COPIED_FIGURE

    def export_figure(self, parent: QWidget) -> str:
        """Write the figure of the comparison as PNG or SVG, as the file's name ends."""
        from napari_mmreg.gui.register.figure import write_png, write_svg

        figure = self._figure()
        path = self._ask(parent, strings.SHARING["export_figure"], strings.FIGURE_FILES)
        if not path:
            return ""
        write = write_svg if Path(path).suffix.lower() == ".svg" else write_png
        write(path, figure)
        return strings.SAVED_FILE.format(path=path)

    def export_animation(self, parent: QWidget) -> str:
        """Write the comparison before and after registration as an animated GIF."""
        from napari_mmreg.gui.register.figure import write_gif
        from napari_mmreg.gui.register.picturing import before_and_after

        run, (mode, amount, _) = self._run(), self._comparison()
        path = self._ask(parent, strings.SHARING["export_animation"], strings.ANIMATION_FILES)
        if not path:
            return ""
        write_gif(path, before_and_after(run, cast("Mode", mode), amount))
        return strings.SAVED_FILE.format(path=path)

    def copy_script(self, _parent: QWidget) -> str:
        """Put the code that repeats the run on the clipboard."""
        clipboard = QGuiApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(script_of(self._run()))
        return strings.COPIED_SCRIPT

    def _figure(self) -> Figure:
        from napari_mmreg.gui.register.picturing import figure_of

        mode, amount, source = self._comparison()
        return figure_of(self._run(), cast("Mode", mode), amount, source)

    def _comparison(self) -> tuple[str, float, str | RunRecord]:
        combined = self._compare.combined
        if combined[0] == "off":
            raise InputError(strings.NO_COMPARISON)
        return combined

    def _run(self) -> RunRecord:
        run = self._session.runs.shown
        if run is None:
            raise InputError(strings.NEED_TWO)
        return run

    @staticmethod
    def _ask(parent: QWidget, title: str, kinds: str) -> str:
        """Ask for a file; a name without one of the endings gets that of the chosen kind."""
        path, chosen = QFileDialog.getSaveFileName(parent, title.rstrip("…"), "", kinds)
        endings = _ENDING.findall(kinds)
        if path and Path(path).suffix.lower() not in endings:
            path += (_ENDING.findall(chosen) or endings)[0]
        return path
