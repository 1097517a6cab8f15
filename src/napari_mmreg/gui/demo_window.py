"""napari with a sample, registered with the dock as a user would, and a picture of it.

``mmreg demo`` starts this in a process of its own:
``python -m napari_mmreg.gui.demo_window SAMPLE PICTURE.png [--stay]``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from napari_mmreg.gui.shared.bundle import REGISTERED

if TYPE_CHECKING:
    import napari

    from napari_mmreg.gui.register.dock import RegisterDock
    from napari_mmreg.gui.shared.run_record import RunRecord

PLUGIN = "napari-mmreg"
DOCK = "Register images"

RUN_TIMEOUT = 480.0
"""Seconds that the run may take."""

SIZE = (1500, 950)
"""Width and height of the window, in pixels."""


def main(argv: Sequence[str] | None = None) -> int:
    """Show the sample, register it, take the picture; return 0, or 1 without a result."""
    import napari

    arguments = parse(argv)
    viewer = napari.Viewer(title="napari-mmreg")
    done = present(viewer, arguments)
    if arguments.stay:
        napari.run()
    else:
        viewer.close()
    return 0 if done else 1


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m napari_mmreg.gui.demo_window")
    parser.add_argument("sample")
    parser.add_argument("picture")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-refine", action="store_true")
    parser.add_argument("--stay", action="store_true", help="leave the window open")
    return parser.parse_args(argv)


def present(viewer: napari.Viewer, arguments: argparse.Namespace) -> bool:
    """Open the sample and the dock, register, take the picture; False without a result."""
    viewer.window.resize(*SIZE)
    viewer.open_sample(PLUGIN, arguments.sample)
    _, dock = viewer.window.add_plugin_dock_widget(PLUGIN, DOCK)
    choose(dock, arguments)
    run = register(dock)
    if run is not None:
        viewer.layers.selection.active = run.layers[REGISTERED]
    viewer.reset_view()
    pause(0.5)  # the canvas and the dock draw what has just changed
    viewer.screenshot(arguments.picture, canvas_only=False, flash=False)
    return run is not None


def choose(dock: RegisterDock, arguments: argparse.Namespace) -> None:
    """Set the dock to the options of the command line."""
    dock.method.model.select(arguments.model)
    dock.method.device.select(arguments.device)
    dock.method.refine.setChecked(not arguments.no_refine)
    dock.advanced.seed.setValue(arguments.seed)


def register(dock: RegisterDock) -> RunRecord | None:
    """Press *Register* and wait; return the run with all its layers, None if it has none."""
    dock.start()
    wait_until(lambda: not dock.runner.busy, RUN_TIMEOUT)
    if not dock.session.runs.runs:
        return None
    run = dock.session.runs.runs[-1]
    wait_until(lambda: not dock.busy, 30.0)
    return run


def pause(seconds: float) -> None:
    """Let Qt work for a while."""
    wait_until(lambda: False, seconds)


def wait_until(done: Callable[[], bool], timeout: float) -> None:
    """Let Qt work until `done` says so, `timeout` seconds at most; the window stays alive."""
    from qtpy.QtCore import QEventLoop, QTimer

    if done():
        return
    loop = QEventLoop()
    poll = QTimer()
    poll.timeout.connect(lambda: loop.quit() if done() else None)
    poll.start(20)
    QTimer.singleShot(round(timeout * 1000), loop.quit)
    loop.exec()
    poll.stop()


if __name__ == "__main__":
    sys.exit(main())
