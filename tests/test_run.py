"""Progress, parts of it, and cancel."""

import numpy as np
import pytest

from napari_mmreg.errors import Cancelled
from napari_mmreg.run import Run


@pytest.fixture
def heard():
    return []


@pytest.fixture
def run(heard):
    return Run.begin("cpu", 0, lambda stage, done: heard.append((stage, round(done, 6))), None)


def test_stages_in_parts_divide_their_part(run, heard):
    with run.part(0.5, 1.0), run.stage("Second half", 0.0, 0.5):
        run.step(0.5)
    assert heard == [("Second half", 0.5), ("Second half", 0.625), ("Second half", 0.75)]
    assert list(run.timings) == ["Second half"]
    run.report("Done", 1.0)
    assert heard[-1] == ("Done", 1.0)


def test_what_is_reported_never_falls(run, heard):
    run.report("Model", 0.8)
    run.report("Model", 0.2)  # it starts over
    run.report("Model", 0.9)
    assert [done for _, done in heard] == [0.8, 0.8, 0.9]


def test_a_run_inside_reports_into_its_part(run, heard):
    inner = Run.begin("cpu", 0, run.report, run.cancel)
    with run.part(0.2, 0.6), inner.stage("Inner", 0.0, 1.0):
        inner.step(0.5)
    assert heard == [("Inner", 0.2), ("Inner", 0.4), ("Inner", 0.6)]


def test_labels_of_parts_are_put_on_each_other(run, heard):
    titled = "A: {}".format
    with run.part(0.0, 1.0, titled), run.part(0.0, 0.5, str.upper):
        run.report("fusing", 1.0)
    run.report("fusing", 1.0)
    assert heard == [("A: FUSING", 0.5), ("fusing", 1.0)]


def test_a_subject_is_put_before_its_stages_and_known_to_looks(heard):
    looks = []
    run = Run.begin("cpu", 0, lambda *said: heard.append(said), None, looks.append)
    picture = np.zeros((2, 3, 3), np.uint8)
    with run.part(0.0, 0.5, subject="Plane 1"), run.stage("Matching", 0.0, 1.0):
        run.look(picture, 0.25)
    with run.stage("Writing", 0.5, 1.0):
        run.look(picture, 0.5)
    assert [said for said, _ in heard] == ["Plane 1 · Matching"] * 2 + ["Writing"] * 2
    assert [(look.subject, look.similarity) for look in looks] == [("Plane 1", 0.25), ("", 0.5)]


def test_a_part_ends_with_an_error_too(run, heard):
    with pytest.raises(ZeroDivisionError), run.part(0.0, 0.1, str.upper):
        raise ZeroDivisionError
    run.report("after", 1.0)
    assert heard == [("after", 1.0)]


def test_cancel(heard):
    run = Run.begin("cpu", 0, None, lambda: True)
    with pytest.raises(Cancelled):
        run.step(0.5)
    Run.begin("cpu", 0, None, None).step(0.5)


def test_looks_are_shown_to_who_asked_under_the_name_of_the_stage():
    seen = []
    picture = np.zeros((2, 3, 3), np.uint8)
    run = Run.begin("cpu", 0, None, None, seen.append)
    with run.part(0.0, 1.0, "A: {}".format), run.stage("Inner", 0.0, 1.0):
        run.look(picture, 0.25)
    (look,) = seen
    assert (look.stage, look.similarity) == ("A: Inner", 0.25)
    assert look.picture is picture
    Run.begin("cpu", 0, None, None).look(picture, 0.5)  # to nobody
    assert len(seen) == 1
