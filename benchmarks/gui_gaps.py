"""How long napari's window stands still during a run with the Register dock, and what runs hold.

    xvfb-run -a python benchmarks/gui_gaps.py gaps [--size 512] [--runs 3]
    xvfb-run -a python benchmarks/gui_gaps.py memory [--runs 200]

``gaps`` presses *Register* in a real window and makes every layer that the run offers, each at a
click on its button. A timer of 5 ms in the GUI thread notes how late it comes; the worst gaps are
printed with what went on and, sampled by a signal, where the GUI thread was. On a machine
shared with other jobs gaps are longer: beside each stands the processor time that the GUI thread
itself took, which hardly is, and the load. ``memory`` runs again and again in one window, removes
every run, and prints the resident memory every 20 runs.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import napari
import numpy as np
import psutil
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication

from napari_mmreg.gui.demo_window import pause, wait_until
from napari_mmreg.gui.register.dock import RegisterDock

if TYPE_CHECKING:
    from types import FrameType

TICK_MS = 5
SAMPLE_S = 0.015
EVERY = 20


@dataclass(frozen=True)
class Gap:
    """A time in which the GUI thread took no event, in ms, its own processor time, and where."""

    ms: float
    busy_ms: float
    phase: str
    where: str


class Ticks:
    """Notes the gaps between ticks of the GUI thread, and where it was meanwhile.

    A signal samples where it is, in the thread itself: another thread that held its frames would
    keep painters alive in them, which ends napari.
    """

    def __init__(self, longer_than: float) -> None:
        self.phase = ""
        self.gaps: list[Gap] = []
        self._longer_than = longer_than
        self._last, self._busy = time.perf_counter(), time.thread_time()
        self._seen: Counter[str] = Counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)

    def __enter__(self):
        signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, SAMPLE_S, SAMPLE_S)
        self._last, self._busy = time.perf_counter(), time.thread_time()
        self._timer.start(TICK_MS)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._timer.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _tick(self) -> None:
        gap = 1000 * (time.perf_counter() - self._last)
        busy = 1000 * (time.thread_time() - self._busy)
        seen, self._seen = self._seen, Counter()
        if gap > self._longer_than:
            where = "; ".join(f"{place} {count}x" for place, count in seen.most_common(3))
            self.gaps.append(Gap(gap, busy, self.phase, where))
        self._last, self._busy = time.perf_counter(), time.thread_time()

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        self._seen[_place(frame)] += 1


def _place(frame: FrameType | None) -> str:
    """Return the innermost lines of ours and of napari's and vispy's on a stack."""
    found: dict[str, str] = {}
    while frame is not None:
        code = frame.f_code
        for package in ("napari_mmreg", "napari", "vispy"):
            if f"/{package}/" in code.co_filename and package not in found:
                name = code.co_filename.rpartition(f"/{package}/")[2]
                found[package] = f"{package}/{name}:{frame.f_lineno} {code.co_name}"
        frame = frame.f_back
    return " < ".join(found.values()) or "outside"


class Use:
    """One window with two images and the dock."""

    def __init__(self, size: int) -> None:
        from skimage import data, transform

        scene = transform.resize(data.camera(), (size + 16, size + 16), anti_aliasing=True)
        fixed = scene[8:-8, 8:-8].astype(np.float32)
        moving = (1 - scene[3 : size + 3, 12 : size + 12]).astype(np.float32)
        self.viewer = napari.Viewer()
        self.viewer.window.resize(1390, 960)
        self.viewer.add_image(fixed, name="visible")
        self.viewer.add_image(moving, name="infrared", blending="additive")
        self.dock = RegisterDock(self.viewer)
        self.viewer.window.add_dock_widget(self.dock, name="Register images")
        self.dock.method.model.select("classical")
        self.dock.method.device.select("cpu")
        pause(1.0)

    def run(self, timeout: float = 600.0) -> None:
        """Press *Register* and wait for the result and its layers."""
        self.dock.start()
        wait_until(lambda: not self.dock.busy, timeout)

    def offer(self, ticks: Ticks) -> None:
        """Press the button of every kind of layers, then hide them again."""
        buttons = self.dock.layers.toggles
        for name, button in buttons.items():
            if button.isVisibleTo(self.dock.layers) and not button.isChecked():
                ticks.phase = f"show {name}"
                button.click()
                pause(0.3)

    def remove(self) -> None:
        """Remove the run."""
        self.dock.runs.remove.click()
        wait_until(lambda: not self.dock.busy, 30.0)


def measure_gaps(size: int, runs: int, longer_than: float) -> None:
    """Print the worst gaps of some runs; the first one also imports and compiles."""
    use = Use(size)
    for number in range(1, runs + 1):
        with Ticks(longer_than) as ticks:
            ticks.phase = "register and deliver"
            use.run()
            pause(0.3)
            use.offer(ticks)
            ticks.phase = "remove"
            use.remove()
            pause(0.3)
        worst = sorted(ticks.gaps, key=lambda gap: -gap.busy_ms)
        print(f"run {number}, load {os.getloadavg()[0]:.1f}: {len(worst)} gaps", flush=True)
        for gap in worst[:12]:
            times = f"{gap.ms:6.0f} ms, {gap.busy_ms:5.0f} busy"
            print(f"  {times}  {gap.phase}: {gap.where}", flush=True)
    use.viewer.close()


def measure_memory(size: int, runs: int) -> None:
    """Print the resident memory every few runs that are made and removed in one window."""
    use = Use(size)
    process = psutil.Process()
    for number in range(1, runs + 1):
        use.run()
        for button in use.dock.layers.toggles.values():
            if button.isVisibleTo(use.dock.layers) and not button.isChecked():
                button.click()
        pause(0.05)
        use.remove()
        if number % EVERY == 0 or number == 1:
            gc.collect()
            QApplication.processEvents()
            print(f"{number:5d} runs: {process.memory_info().rss / 2**20:.0f} MB", flush=True)
    use.viewer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("gaps", "memory"))
    parser.add_argument("--size", type=int, default=0, help="pixels of a side; 512, memory 96")
    parser.add_argument("--runs", type=int, default=0, help="3, memory 200")
    parser.add_argument("--longer-than", type=float, default=20.0, help="ms")
    args = parser.parse_args()
    if args.what == "gaps":
        measure_gaps(args.size or 512, args.runs or 3, args.longer_than)
    else:
        measure_memory(args.size or 96, args.runs or 200)


if __name__ == "__main__":
    main()
