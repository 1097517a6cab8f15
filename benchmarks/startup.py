"""How long it takes until something happens: import, command, Register dock, first run.

    xvfb-run -a -s "-screen 0 1400x1000x24" python -m benchmarks.startup --label "what changed"
        [--runs 7] [--only commands register dock press]

Everything is measured in fresh processes, one after the other; the figures are medians.
``commands`` times ``import napari_mmreg``, ``mmreg --version`` and ``mmreg --help`` beside a Python
that does nothing, ``register`` a whole ``mmreg register`` of a sample pair. ``dock`` opens the
Register dock from its menu entry in a napari window that shows two images, until it is drawn; an
empty widget in the same place, and napari reading the plugin's Preferences, tell how much of that
is napari's own. ``press`` presses *Register* for the first time, when torch is not yet imported:
how long until the bar and the words below it are drawn, until torch is there, and how long the
window stands still meanwhile (see `benchmarks.gui_gaps`).

A run is added to results/startup.json under its label; results/startup.md is made from that file,
and ``python -m benchmarks.accuracy --tables-only`` puts it into RESULTS.md. Processor time tells
more than wall time where other jobs share the machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "startup.json"
MODELS = ("classical", "rfnet")
SAMPLE = "ihc_two_stain"
DOCK = "napari_mmreg.gui.register.dock"
SIDE = 256
SETTLED_MS = 1500
LONG_MS = 50.0
"""A longer gap is one that the design does not allow during a run."""

HEAVIEST = 8
MMREG = ("-m", "napari_mmreg.cli")
COMMANDS = {
    "bare Python": ("-c", "pass"),
    "`import napari_mmreg`": ("-c", "import napari_mmreg"),
    "`mmreg --version`": (*MMREG, "--version"),
    "`mmreg --help`": (*MMREG, "--help"),
}

Figures = dict[str, float]


# What the fresh processes are told


def timed(arguments: Sequence[str]) -> Figures:
    """Run Python to its end; return wall and processor ms."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"{shlex.join(arguments)}: {process.stderr.read().decode()}")
    return {"wall_ms": 1000 * wall, "cpu_ms": 1000 * (used.ru_utime + used.ru_stime)}


def told(part: str, folder: Path) -> Figures:
    """Run one of `PARTS` in a process of its own, with the Preferences of `folder`."""
    own = {"NAPARI_CONFIG": str(folder / "settings.yaml"), "MMREG_DATA_DIR": str(folder / "mmreg")}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.startup", "--part", part],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{part}: {done.stderr}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def medians(runs: int, measure: Callable[[], Figures]) -> Figures:
    """Measure some times; return each figure's median."""
    found = [measure() for _ in range(runs)]
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def heaviest() -> list[tuple[str, float]]:
    """Return what takes longest to import of what `import napari_mmreg` does, own ms of each."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import napari_mmreg"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.partition(":")[2].split("|") for line in done.stderr.splitlines()[1:]]
    times = [(name.strip(), int(own) / 1000) for own, _, name in rows]
    return sorted(times, key=lambda row: -row[1])[:HEAVIEST]


# What the fresh processes do


def open_window() -> Any:
    """Return a napari viewer with two images whose window is drawn."""
    import napari
    import numpy as np
    from qtpy.QtTest import QTest

    viewer = napari.Viewer()
    viewer.window.resize(1390, 960)
    random = np.random.default_rng(0)
    smooth = np.add.outer(np.sin(np.arange(SIDE) / 9), np.cos(np.arange(SIDE) / 7))
    for name, sign in (("visible", 1), ("infrared", -1)):
        noise = random.normal(0, 0.1, smooth.shape)
        viewer.add_image((sign * smooth + noise).astype(np.float32), name=name)
    QTest.qWait(SETTLED_MS)
    return viewer


def drawn() -> None:
    """Let Qt do all that waits."""
    from qtpy.QtWidgets import QApplication

    QApplication.processEvents()


def split(steps: dict[str, Callable[[], Any]]) -> Figures:
    """Take steps in turn; return the ms of each, of all, and the thread's own processor ms."""
    cpu, began = time.thread_time(), time.perf_counter()
    figures, before = {}, began
    for name, step in steps.items():
        step()
        now = time.perf_counter()
        figures[f"{name}_ms"], before = 1000 * (now - before), now
    return {
        **figures,
        "wall_ms": 1000 * (before - began),
        "cpu_ms": 1000 * (time.thread_time() - cpu),
    }


def open_nothing() -> Figures:
    """Open an empty widget as a dock: what napari takes for it."""
    from qtpy.QtWidgets import QWidget

    viewer = open_window()
    figures = split(
        {"show": lambda: viewer.window.add_dock_widget(QWidget(), name="Nothing"), "draw": drawn}
    )
    viewer.close()
    return figures


def read_preferences() -> Figures:
    """Have napari read the plugin's Preferences for the first time."""
    from napari.settings import get_plugin_settings

    viewer = open_window()
    figures = split({"read": lambda: get_plugin_settings("napari-mmreg")})
    viewer.close()
    return figures


def open_dock() -> Figures:
    """Open the Register dock as its menu entry does."""
    viewer = open_window()
    show = ("napari-mmreg", "Register images")
    figures = split(
        {
            "import": lambda: importlib.import_module(DOCK),
            "show": lambda: viewer.window.add_plugin_dock_widget(*show),
            "draw": drawn,
        }
    )
    figures["torch"] = float("torch" in sys.modules)
    viewer.close()
    return figures


def press() -> Figures:
    """Press *Register* for the first time."""
    from qtpy.QtCore import QEvent, QObject, QThreadPool

    viewer = open_window()
    _, dock = viewer.window.add_plugin_dock_widget("napari-mmreg", "Register images")
    from benchmarks.gui_gaps import Ticks
    from napari_mmreg.gui.demo_window import pause, wait_until
    from napari_mmreg.gui.shared.strings import STAGE_LOADING

    at: dict[str, float] = {}

    class Painted(QObject):
        """Notes when the bar, and words below it, are first drawn."""

        def eventFilter(self, widget: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
            if event is not None and event.type() == QEvent.Type.Paint:
                words = widget is run_bar.stage
                if not words or run_bar.stage.text():
                    at.setdefault("words" if words else "bar", time.perf_counter())
            return False

    def said_more(text: str) -> bool:
        return bool(text) and not text.startswith(STAGE_LOADING)

    run_bar, painted = dock.run_bar, Painted()
    dock.method.model.select("classical")
    dock.method.device.select("cpu")
    pause(SETTLED_MS / 1000)
    for widget in (run_bar.bar, run_bar.stage):
        widget.installEventFilter(painted)
    if "torch" in sys.modules:
        raise RuntimeError("torch is there before Register was pressed")
    with Ticks(0.0) as ticks:
        began = time.perf_counter()
        run_bar.button.click()
        returned = time.perf_counter()
        ticks.phase = "loading"
        wait_until(lambda: said_more(run_bar.stage.text()), 120.0)
        loaded = time.perf_counter()
    dock.cancel()
    pool = QThreadPool.globalInstance()
    wait_until(lambda: pool.activeThreadCount() == 0, 60.0)
    viewer.close()
    gaps = [gap for gap in ticks.gaps if gap.phase == "loading"]
    worst = max(gaps, key=lambda gap: gap.ms)
    return {
        "click_ms": 1000 * (returned - began),
        "bar_ms": 1000 * (at["bar"] - began),
        "words_ms": 1000 * (at["words"] - began),
        "loaded_ms": 1000 * (loaded - began),
        "gap_ms": worst.ms,
        "gap_busy_ms": worst.busy_ms,
        "long_gaps": float(sum(gap.ms > LONG_MS for gap in gaps)),
        "long_gaps_ms": sum(gap.ms for gap in gaps if gap.ms > LONG_MS),
    }


PARTS: dict[str, Callable[[], Figures]] = {
    "nothing": open_nothing,
    "preferences": read_preferences,
    "dock": open_dock,
    "press": press,
}


# All of it


def measure_register(model: str, folder: Path) -> Figures:
    """Time ``mmreg register`` of the sample pair."""
    files = [str(folder / f"{side}.tif") for side in ("fixed", "moving")]
    options = ("--model", model, "--device", "cpu", "--force", "--quiet")
    return timed([*MMREG, "register", *files, "-o", str(folder / "out"), *options])


def write_pair(folder: Path) -> None:
    """Write the sample pair to files."""
    from napari_mmreg.io import write_image
    from napari_mmreg.samples import load_sample

    sample = load_sample(SAMPLE)
    write_image(folder / "fixed.tif", sample.fixed)
    write_image(folder / "moving.tif", sample.moving)


def measure(runs: int, only: Sequence[str], folder: Path) -> dict[str, Any]:
    """Measure everything asked for; `folder` is for files."""
    found: dict[str, Any] = {}
    if "commands" in only:
        found["commands"] = {
            name: medians(3 * runs, partial(timed, line)) for name, line in COMMANDS.items()
        }
        found["heaviest"] = heaviest()
    if "register" in only:
        write_pair(folder)
        found["register"] = {
            model: medians(runs, partial(measure_register, model, folder)) for model in MODELS
        }
    for part in ("nothing", "preferences", "dock", "press"):
        if part in only or ("dock" in only and part != "press"):
            found[part] = medians(runs, partial(told, part, folder))
    return found


def section(record: dict[str, Any]) -> list[str]:
    """Write one run as lines of Markdown."""
    environment, found = record["environment"], record["found"]
    lines = [
        f"### {record['label']}",
        "",
        f"Commit {environment['commit']}, torch {environment['torch']}, {record['runs']} processes "
        f"each, load {record['load']:.1f}: `{record['command']}`",
        "",
        "| what | wall ms | processor ms |",
        "|---|---|---|",
    ]
    rows = list(found.get("commands", {}).items())
    rows += [
        (f"`mmreg register --model {model}`", row)
        for model, row in found.get("register", {}).items()
    ]
    if "dock" in found:
        rows += [
            ("opening the Register dock, until it is drawn", found["dock"]),
            ("of that: an empty widget as a dock, napari's own", found["nothing"]),
            ("of that: napari reads the plugin's Preferences, once", found["preferences"]),
        ]
    lines += [f"| {name} | {row['wall_ms']:.0f} | {row['cpu_ms']:.0f} |" for name, row in rows]
    if "dock" in found:
        dock = found["dock"]
        lines += [
            "",
            f"The dock: {dock['import_ms']:.0f} ms imports, {dock['show_ms']:.0f} ms making and "
            f"placing it, {dock['draw_ms']:.0f} ms drawing.",
        ]
    if "press" in found:
        pressed = found["press"]
        lines += [
            "",
            f"After the first press of *Register*, the bar is drawn within {pressed['bar_ms']:.0f} "
            f"ms, words below it within {pressed['words_ms']:.0f} ms, and torch and the rest are "
            f"there after {pressed['loaded_ms']:.0f} ms. Meanwhile the window stands still for "
            f"{pressed['gap_ms']:.0f} ms at most (its own work: {pressed['gap_busy_ms']:.0f} ms), "
            f"and {pressed['long_gaps']:.0f} times for more than {LONG_MS:.0f} ms, "
            f"{pressed['long_gaps_ms']:.0f} ms in all.",
        ]
    if "heaviest" in found:
        listed = ", ".join(f"`{name}` {ms:.1f}" for name, ms in found["heaviest"])
        lines += ["", f"What `import napari_mmreg` spends longest on, own ms: {listed}."]
    return [*lines, ""]


def table(records: Sequence[dict[str, Any]]) -> str:
    """Write all runs as Markdown, the oldest first."""
    return "\n".join([_INTRODUCTION, *(line for each in records for line in section(each))])


def main() -> None:
    """Measure, add the record, write the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--label", help="what the record is called; without it none is kept")
    parser.add_argument("--runs", type=int, default=7, help="processes each (default 7)")
    groups = ("commands", "register", "dock", "press")
    parser.add_argument("--only", nargs="*", choices=groups, default=groups)
    parser.add_argument("--part", choices=tuple(PARTS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part]()))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments.runs, arguments.only, Path(folder))
    from benchmarks.accuracy.runner import environment

    record = {
        "label": arguments.label,
        "command": "python -m benchmarks.startup " + shlex.join(sys.argv[1:]),
        "environment": environment(),
        "load": os.getloadavg()[0],
        "runs": arguments.runs,
        "found": found,
    }
    print("\n".join(section(record)))
    if arguments.label:
        kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
        kept = [old for old in kept if old["label"] != arguments.label] + [record]
        RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
        RESULTS.with_suffix(".md").write_text(table(kept), encoding="utf-8")


_INTRODUCTION = """\
## Start-up

Every figure is the median over fresh processes. *Processor ms* are those of the process, for the
dock those of the thread that draws the window. `mmreg register` registers the sample pair of two
stains, 384 px, on the processor. The bars: 50 ms for `import napari_mmreg`, 300 ms for the dock,
100 ms until progress is seen.
"""


if __name__ == "__main__":
    main()
