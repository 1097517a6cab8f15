"""Watches on a napari viewer for what ends it sooner or later, long before it does."""

from __future__ import annotations

from traceback import format_stack
from typing import Any

from qtpy.QtGui import QOpenGLContext


class ContextWatch:
    """Notes what vispy sends to OpenGL in a context that is not the canvas's.

    Parameters
    ----------
    viewer : napari.Viewer
        With a window that is shown.

    Attributes
    ----------
    faults : list of str
        What was wrong, each with the stack that led there.
    freed : int
        How often something was freed.
    """

    def __init__(self, viewer: Any) -> None:
        self.faults: list[str] = []
        self.freed = 0
        canvas = viewer.window._qt_viewer.canvas._scene_canvas
        self._native = canvas.native
        self._parser = canvas.context.shared.parser
        self._parse = self._parser.parse
        self._parser.parse = self._on_commands

    def stop(self) -> None:
        """Let go of the canvas."""
        self._parser.parse = self._parse

    def _on_commands(self, commands: Any) -> None:
        commands = list(commands)
        self.freed += any(command[0] == "DELETE" for command in commands)
        if commands and QOpenGLContext.currentContext() is not self._native.context():
            _note(self.faults, f"{len(commands)} OpenGL commands in a wrong context")
        self._parse(commands)


class ListWatch:
    """Notes when the layer list is changed while napari still tells of another change.

    Parameters
    ----------
    layers : napari.components.LayerList

    Attributes
    ----------
    faults : list of str
        What was wrong, each with the stack that led there.
    """

    def __init__(self, layers: Any) -> None:
        self.faults: list[str] = []
        self._changing = False
        events = layers.events
        self._starts = [events.inserting, events.removing, events.moving]
        self._ends = [events.inserted, events.removed, events.reordered]
        self._calls = [emitter._invoke_callback for emitter in self._ends]
        for emitter in self._starts:
            emitter.connect(self._on_change)
        for emitter, call in zip(self._ends, self._calls, strict=True):
            emitter._invoke_callback = self._watched(call)

    def stop(self) -> None:
        """Let go of the list."""
        for emitter in self._starts:
            emitter.disconnect(self._on_change)
        for emitter, call in zip(self._ends, self._calls, strict=True):
            emitter._invoke_callback = call

    def _watched(self, call: Any) -> Any:
        def invoke(callback: Any, event: Any) -> None:
            former, self._changing = self._changing, True
            try:
                call(callback, event)
            finally:
                self._changing = former

        return invoke

    def _on_change(self) -> None:
        if self._changing:
            _note(self.faults, "The layer list was changed while napari told of a change")


def _note(faults: list[str], fault: str) -> None:
    faults.append("".join([fault, "\n", *format_stack(limit=40)]))
