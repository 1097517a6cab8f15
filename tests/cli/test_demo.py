"""mmreg demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_mmreg.cli import demo, main
from napari_mmreg.cli.outputs import OUTPUTS
from napari_mmreg.io import read_image, read_landmarks
from napari_mmreg.samples import load_sample

THERMAL = "visible_thermal_simulated"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def samples():
    return [load_sample(name) for name in (*demo.SAMPLES, THERMAL)]


@pytest.fixture
def truthful(engine, samples):
    """The engine answers with the truth of the sample that it recognises."""

    def recognise(options):
        fixed = engine.calls[-1]["fixed"]
        (sample,) = [s for s in samples if np.array_equal(s.fixed, fixed)]
        engine.transform = sample.truth

    engine.during = recognise
    return engine


@pytest.fixture
def started(monkeypatch):
    """Stand in for starting napari: remembers the command and writes the screenshot."""

    class Start:
        writes = True

        def __init__(self):
            self.commands = []

        def __call__(self, command, **options):
            self.commands.append(command)
            if self.writes:
                path = next(part for part in command if part.endswith(".png"))
                Path(path).write_bytes(b"picture")
            return subprocess.CompletedProcess(command, 0 if self.writes else 1)

    start = Start()
    monkeypatch.setattr(demo.subprocess, "run", start)
    return start


@pytest.fixture
def screen(monkeypatch):
    """Say whether there is a screen, and whether xvfb-run is installed."""

    def choose(*, there, xvfb=True):
        monkeypatch.setattr(demo, "has_screen", lambda: there)
        monkeypatch.setattr(demo.shutil, "which", lambda name: f"/bin/{name}" if xvfb else None)
        monkeypatch.setattr(sys, "platform", "linux")

    return choose


def cells(out, name):
    lines = out.splitlines()
    index = next(n for n, line in enumerate(lines) if line.startswith(name))
    return lines[index].split(), lines[index + 1].split()


def test_measures_both_samples_and_keeps_everything(here, truthful, capsys):
    assert main(["demo", "-o", "out", "--no-screenshot"]) == 0
    out = capsys.readouterr().out
    assert "in pixels of the moving image" in out
    for name in demo.SAMPLES:
        before, after = cells(out, name)
        sample = load_sample(name)
        distance = np.linalg.norm(sample.moving_points - sample.fixed_points, axis=1)
        expected = [distance.mean(), np.median(distance), distance.max()]
        assert before[:2] == [name, "before"]
        assert [float(c) for c in before[2:]] == pytest.approx(expected, abs=0.006)
        assert after == ["after", "0.00", "0.00", "0.00", "ok"]
        folder = here / "out" / name
        files = {*OUTPUTS, "fixed.tif", "moving.tif", "landmarks.csv"}
        assert {path.name for path in folder.iterdir()} == files
        np.testing.assert_array_equal(read_image(folder / "moving.tif"), sample.moving)
        assert len(read_landmarks(folder / "landmarks.csv").fixed) == len(sample.fixed_points)


def test_a_second_demo_replaces_the_first(here, truthful):
    assert main(["demo", THERMAL, "--no-screenshot"]) == 0
    (here / "mmreg-demo" / THERMAL / "report.json").write_text("old")
    assert main(["demo", THERMAL, "--no-screenshot"]) == 0
    assert (here / "mmreg-demo" / THERMAL / "report.json").read_text() != "old"


def test_a_failure_is_said_and_leaves_no_old_result(here, engine, capsys):
    assert main(["demo", THERMAL, "--no-screenshot"]) == 0
    engine.status, engine.reasons = "failed", ("Nothing matched.",)
    assert main(["demo", THERMAL, "--no-screenshot"]) == 3
    out, err = capsys.readouterr()
    assert "failed" in out
    assert "Nothing matched." in err
    folder = here / "mmreg-demo" / THERMAL
    assert not (folder / "registered.tif").exists()
    assert (folder / "report.json").exists()


def test_with_a_screen_napari_opens_and_stays(here, truthful, started, screen, capsys):
    screen(there=True)
    assert main(["demo", THERMAL, "--seed", "5", "--no-refine"]) == 0
    (command,) = started.commands
    assert command[:4] == [sys.executable, "-m", "napari_mmreg.gui.demo_window", THERMAL]
    assert {"--stay", "--seed=5", "--no-refine", "--model=auto"} <= set(command)
    assert "Screenshot: mmreg-demo" in capsys.readouterr().out


def test_without_a_screen_a_virtual_one_is_started(here, truthful, started, screen):
    screen(there=False)
    assert main(["demo", THERMAL]) == 0
    (command,) = started.commands
    assert command[0] == "xvfb-run"
    assert sys.executable in command
    assert "--stay" not in command


def test_no_window_takes_the_picture_away_from_the_users_screen(here, truthful, started, screen):
    screen(there=True)
    assert main(["demo", THERMAL, "--no-window"]) == 0
    (command,) = started.commands
    assert command[0] == "xvfb-run"
    assert "--stay" not in command


def test_without_screen_and_xvfb_one_line_says_what_to_install(
    here, truthful, started, screen, capsys
):
    screen(there=False, xvfb=False)
    assert main(["demo", THERMAL]) == 0  # the registration itself is done
    assert "apt-get install xvfb xauth" in capsys.readouterr().err
    assert not started.commands


def test_a_window_without_a_screen_is_refused(here, truthful, started, screen, capsys):
    screen(there=False)
    assert main(["demo", THERMAL, "--window"]) == 0
    assert "no screen to open napari on" in capsys.readouterr().err
    assert not started.commands


def test_without_napari_one_line_says_what_to_install(here, truthful, started, monkeypatch, capsys):
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    assert main(["demo", THERMAL]) == 0
    assert "napari-mmreg[all]" in capsys.readouterr().err
    assert not started.commands


def test_a_broken_window_is_said(here, truthful, started, screen, capsys):
    screen(there=True)
    started.writes = False
    assert main(["demo", THERMAL]) == 0
    assert "ended with code 1 and left no screenshot" in capsys.readouterr().err


def test_a_hanging_window_is_given_up(here, truthful, screen, monkeypatch, capsys):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    screen(there=False)
    monkeypatch.setattr(demo.subprocess, "run", hang)
    assert main(["demo", THERMAL]) == 0
    assert "did not finish within" in capsys.readouterr().err


def test_unknown_sample(here, capsys):
    assert main(["demo", "lena"]) == 2
    assert "There is no sample 'lena'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
        ("darwin", {}, True),
        ("win32", {}, True),
    ],
)
def test_has_screen(monkeypatch, platform, variables, expected):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert demo.has_screen() is expected


@pytest.mark.slow
@pytest.mark.parametrize("name", [*demo.SAMPLES, THERMAL])
def test_the_real_engine_registers_every_sample(here, capsys, name):
    """Better by far than before; the numbers themselves are benchmarked elsewhere."""
    assert main(["demo", name, "--no-screenshot", "--device", "cpu"]) == 0
    before, after = cells(capsys.readouterr().out, name)
    assert float(after[2]) < 0.25 * float(before[3])  # the medians
    assert after[-1] == "ok"


@pytest.mark.slow
@pytest.mark.gui
@pytest.mark.skipif(
    sys.platform.startswith("linux") and not shutil.which("xvfb-run"), reason="needs xvfb-run"
)
def test_the_screenshot_shows_napari_with_a_result(here):
    environment = {k: v for k, v in os.environ.items() if not k.endswith("DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-m", "napari_mmreg.cli", "demo", THERMAL, "--model", "classical"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    picture = read_image(here / "mmreg-demo" / demo.SCREENSHOT)
    assert min(picture.shape[:2]) > 600
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 1000
