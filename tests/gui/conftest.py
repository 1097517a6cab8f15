"""What the GUI tests share: a screen, a stand-in for the engine, small layers."""

from __future__ import annotations

import gc
import os
import sys
import threading

import numpy as np
import pytest

from napari_mmreg.errors import Cancelled
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from results import make_result


def _no_screen() -> str:
    """Say why GUI tests cannot run here; '' if they can."""
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "no display; run under xvfb-run -a"
    if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
        return "Qt's offscreen platform has no OpenGL; run under xvfb-run -a"
    return ""


@pytest.fixture(scope="session", autouse=True)
def _cheap_viewers():
    """Spare every viewer what takes longest: reading all manifests, looking through all modules.

    napari collects garbage with every viewer and every layer that goes.
    """
    import torch  # noqa: F401
    from napari.viewer import Viewer  # noqa: F401
    from npe2 import PluginManifest

    found = list(PluginManifest.discover())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PluginManifest, "discover", lambda paths=(): iter(found))
        gc.collect()
        gc.freeze()
        yield
        gc.unfreeze()


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path_factory, monkeypatch):
    """What docks remember is neither found nor left behind; the tour is over."""
    from napari_mmreg.gui.register.tour import CLOSED
    from napari_mmreg.gui.shared.memory import remember

    monkeypatch.setenv("MMREG_DATA_DIR", str(tmp_path_factory.mktemp("docks")))
    remember(CLOSED, True)


def pytest_collection_modifyitems(items):
    reason = _no_screen()
    if not reason:
        return
    for item in items:
        if item.get_closest_marker("gui") is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def fake_result(fixed, moving, initial=None, shift=(0.0, 0.0), status="ok"):
    """A result as the engine makes it, for a given shift on top of the initial matrix."""
    start = MatrixTransform(np.eye(3) if initial is None else initial)
    return make_result(
        fixed,
        moving,
        start.compose(MatrixTransform.translation(shift)),
        initial=start,
        status=status,
        reasons=() if status == "ok" else ("Half of the image has no counterpart.",),
        model="fake",
    )


class FakeEngine:
    """Stands for `napari_mmreg.register`; keeps what it was called with."""

    def __init__(self, shift=(0.0, 0.0), status="ok", error=None):
        self.shift, self.status, self.error = shift, status, error
        self.calls = []
        self.threads = []

    def __call__(self, fixed, moving, **options):
        self.calls.append((fixed, moving, options))
        self.threads.append(threading.current_thread())
        options["progress"]("Global alignment", 0.4)
        if self.error is not None:
            raise self.error
        options["progress"]("Writing result", 1.0)
        return fake_result(fixed, moving, options["initial"], self.shift, self.status)


class BlockingEngine(FakeEngine):
    """Runs until it is cancelled or let go; checks for cancel as the engine does."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.entered = threading.Event()
        self.let_go = threading.Event()
        self.left = threading.Event()

    def __call__(self, fixed, moving, **options):
        self.entered.set()
        try:
            while not self.let_go.wait(0.01):
                if options["cancel"]():
                    raise Cancelled("cancelled")
            return super().__call__(fixed, moving, **options)
        finally:
            self.left.set()


@pytest.fixture
def show_all():
    """Return what makes and shows every layer that a book's shown run offers."""

    def show(book):
        for kind in book.shown.offers:
            book.toggle(kind.name, on=True)
        return book.shown

    return show


@pytest.fixture
def fake_engine():
    """The class; tests cannot import from a conftest."""
    return FakeEngine


@pytest.fixture
def blocking_engine():
    return BlockingEngine


@pytest.fixture
def engine():
    return FakeEngine(shift=(2.0, -1.5))


@pytest.fixture
def pictures():
    """Two grey pictures of one scene, the second one inverted."""
    random = np.random.default_rng(3)
    coarse = random.random((12, 16))
    fixed = np.kron(coarse, np.ones((8, 8))).astype(np.float32)
    return fixed, (1 - fixed).astype(np.float32)


@pytest.fixture
def bent():
    """A displacement that differs everywhere, on (96, 128)."""
    rows, cols = np.indices((96, 128), dtype=np.float32)
    field = np.stack([3 * np.sin(cols / 20), 2 * np.cos(rows / 15)], axis=-1)
    return DisplacementTransform(field.astype(np.float32))
