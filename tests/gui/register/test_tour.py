"""The tour: it begins once, speaks of what is there, and follows a run."""

from __future__ import annotations

import pytest

from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.register.tour import CLOSED
from napari_mmreg.gui.shared.memory import recall, remember

pytestmark = pytest.mark.gui


@pytest.fixture
def newcomer():
    remember(CLOSED, False)


@pytest.mark.usefixtures("newcomer")
def test_it_begins_by_itself_until_it_is_closed(make_dock, engine, pictures):
    _, dock = make_dock(engine, pictures=pictures)
    assert dock.tour.isVisibleTo(dock)
    assert dock.tour.title.text() == f"1 of {len(texts.TOUR)}: {texts.TOUR[0][0]}"
    dock.tour.end_button.click()
    assert not dock.tour.isVisibleTo(dock)
    assert recall(CLOSED, False)
    _, again = make_dock(engine, pictures=pictures)
    assert not again.tour.isVisibleTo(again)
    again.tour_button.click()
    assert again.tour.isVisibleTo(again)


def test_every_stop_is_reached_and_the_last_one_ends_it(make_dock, engine, pictures):
    _, dock = make_dock(engine, pictures=pictures)
    dock.tour.begin()
    seen = []
    while dock.tour.isVisibleTo(dock):
        seen.append(dock.tour.text.text())
        dock.tour.next.click()
    assert seen == [text for _, text in texts.TOUR]
    dock.tour.begin()
    assert not dock.tour.back.isEnabled()
    dock.tour.next.click()
    dock.tour.back.click()
    assert dock.tour.text.text() == texts.TOUR[0][1]


def test_a_run_takes_it_on_and_the_line_is_around_its_part(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures=pictures)
    viewer.window.show()
    dock.tour.begin()
    outline = dock.tour._outline
    qtbot.waitUntil(outline.isVisible)
    dock.tour.next.click()
    assert outline.geometry().contains(dock.run_bar.geometry())
    assert not outline.geometry().contains(dock.images.parentWidget().geometry())
    dock.start()
    qtbot.waitUntil(lambda: not dock.runner.busy)
    qtbot.waitUntil(lambda: dock.tour.title.text().startswith("3 "))
    dock.tour.go_on(1)  # never back by itself
    assert dock.tour.title.text().startswith("3 ")
    qtbot.waitUntil(outline.isVisible)
    dock.tour.end()
    assert not outline.isVisible()


def test_a_sample_is_opened_for_whoever_has_no_images(make_dock, engine, pictures):
    viewer, dock = make_dock(engine, pictures=pictures)
    viewer.layers.clear()
    dock.tour.begin()
    dock.tour.sample.click()
    assert [layer.name for layer in viewer.layers[:2]] == ["haematoxylin", "DAB"]
    assert None not in dock.images.pair
