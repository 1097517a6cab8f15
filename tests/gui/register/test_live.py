"""The picture and the curve that are shown while a run goes on."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from qtpy.QtGui import QColor

from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.settings import Defaults
from napari_mmreg.gui.shared.task import Job
from napari_mmreg.gui.shared.widgets import live
from napari_mmreg.gui.shared.widgets.live import Curve, LivePreview
from napari_mmreg.run import Look

pytestmark = pytest.mark.gui

WAIT = 20_000


def _look(similarity, colour=(0, 0, 0), stage="Global alignment", subject=""):
    picture = np.empty((40, 80, 3), np.uint8)
    picture[:] = colour
    return Look(stage, subject, picture, similarity)


class Showing:
    """Stands for `napari_mmreg.register`; shows what it is told to, then waits."""

    def __init__(self, fake, looks):
        self.fake, self.looks = fake, looks
        self.previews = []
        self.let_go = threading.Event()

    def __call__(self, fixed, moving, **options):
        preview = options.get("preview")
        self.previews.append(preview)
        if preview is not None:
            for look in self.looks:
                preview(look)
        self.let_go.wait(20)
        return self.fake(fixed, moving, **options)


@pytest.fixture
def engine_of(engine):
    made = []

    def make(*looks):
        made.append(Showing(engine, looks))
        return made[-1]

    yield make
    for each in made:
        each.let_go.set()


def _middle(label):
    image = label.pixmap().toImage()
    return QColor(image.pixel(image.width() // 2, image.height() // 2)).getRgb()[:3]


def test_what_was_found_last_is_shown_until_the_run_ends(make_dock, engine_of, pictures, qtbot):
    engine = engine_of(_look(0.31), _look(0.5), _look(0.82, (10, 200, 30)))
    _, dock = make_dock(engine, pictures)
    shown = dock.live
    assert shown.isHidden()
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: shown.words.text() == "Similarity 0.31 → 0.82", timeout=WAIT)
    assert shown.isVisibleTo(dock)
    assert _middle(shown.picture) == (10, 200, 30)
    size = shown.picture.pixmap().deviceIndependentSize()
    assert (size.width(), size.height()) == (150, 75)  # as wide as it may be
    assert shown.curve.values == [0.31, 0.5, 0.82]
    assert shown.picture.accessibleDescription() == "Similarity 0.31 → 0.82"
    engine.let_go.set()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert shown.isHidden()


def test_cancel_hides_it_and_a_late_look_finds_nobody(make_dock, engine_of, pictures, qtbot):
    engine = engine_of(_look(0.3))
    _, dock = make_dock(engine, pictures)
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: dock.live.isVisibleTo(dock), timeout=WAIT)
    dock.run_bar.button.click()
    assert dock.live.isHidden()
    engine.previews[0](_look(0.9))
    qtbot.wait(50)
    assert dock.live.isHidden()
    assert dock.live.curve.values == [0.3]


def test_between_two_runs_it_stays_and_the_curve_begins_anew(make_dock, engine_of, pictures, qtbot):
    engine = engine_of(_look(0.3), _look(0.6))
    _, dock = make_dock(engine, pictures)
    hidden = []
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: dock.live.isVisibleTo(dock), timeout=WAIT)
    dock.advanced.seed.setValue(1)
    dock.run_bar.add.click()
    ended = dock.live.end
    dock.live.end = lambda: (hidden.append(len(engine.previews)), ended())
    engine.let_go.set()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert hidden == [2]  # only after the second
    assert dock.live.curve.values == [0.3, 0.6]


def test_preferences_switch_it_off(make_dock, engine_of, pictures, qtbot, monkeypatch):
    monkeypatch.setattr(live, "read_defaults", lambda: replace(Defaults(), preview=False))
    engine = engine_of(_look(0.3))
    engine.let_go.set()
    _, dock = make_dock(engine, pictures)
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
    assert engine.previews == [None]  # nothing is computed for it
    assert not dock.live.curve.values


def _following(qtbot):
    preview, job = LivePreview(), Job()
    job.has_looks = True
    qtbot.addWidget(preview)
    preview.follow(job)
    return preview, job


def test_of_several_pairs_the_one_under_way_is_shown(qtbot):
    preview, job = _following(qtbot)
    for subject, similarity in (("a", 0.2), ("a", 0.7), ("b", 0.1), ("b", 0.6)):
        job.preview(_look(similarity, subject=subject))
    qtbot.waitUntil(lambda: preview.words.text() == "b\nSimilarity 0.10 → 0.60", timeout=WAIT)
    assert preview.curve.values == [0.1, 0.6]


def test_a_job_without_looks_is_not_listened_to(qtbot):
    preview, job = _following(qtbot)
    job.preview(_look(0.5))
    assert not preview.isHidden()
    other = Job()
    preview.follow(other)
    assert preview.isHidden()
    assert other.preview is None


def test_many_looks_at_once_are_few_pictures(qtbot, monkeypatch):
    preview, job = _following(qtbot)
    drawn = []
    monkeypatch.setattr(live, "to_qimage", lambda p: drawn.append(p) or to_qimage(p))
    for number in range(50):
        job.preview(_look(number / 50))
    assert len(drawn) == 1
    qtbot.waitUntil(lambda: len(drawn) == 2, timeout=WAIT)
    qtbot.wait(2 * live.INTERVAL_MS)
    assert len(drawn) == 2
    assert preview.words.text() == strings.LIVE_SIMILARITY.format(before=0, now=0.98)
    assert len(preview.curve.values) == 50


to_qimage = live.to_qimage


def test_a_curve_rises_with_the_similarity_and_marks_another_model(qtbot):
    curve = Curve()
    qtbot.addWidget(curve)
    curve.resize(130, 62)
    for stage, value in (
        ("Preparing", 0.1),
        ("Global alignment", 0.4),
        ("Local refinement", 0.9),
        ("Global alignment", 0.5),
        ("Global alignment", 0.6),
        ("Local refinement", 0.7),
    ):
        curve.add(stage, value)
    points = [(point.x(), point.y()) for point in curve.points()]
    assert points[0] == (5, 56)
    assert points[2][1] == 6
    assert np.allclose(np.diff([x for x, _ in points]), 20)
    assert curve.starts == [3]
    curve.clear()
    curve.add("Preparing", 0.5)  # a single one is in the middle
    assert curve.points()[0].y() == 31
