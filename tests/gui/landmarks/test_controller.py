"""The controller without a window: layers in step, other sizes and scales, sessions, files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers.base import ActionType
from numpy.testing import assert_allclose

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.gui.landmarks.controller import LandmarkController
from napari_mmreg.gui.landmarks.layers import DISABLED, HALF, pair_colour
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared.bundle import REGISTERED
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.snapshot import RunSettings
from napari_mmreg.io import read_landmarks
from napari_mmreg.landmarks import FitSettings, LandmarkPair

SCALE = 0.5
"""World units per fixed pixel; a moving pixel is twice as large."""


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def images(viewer):
    """Two views of one scene: the moving one has half the pixels, and lies elsewhere."""
    rng = np.random.default_rng(4)
    coarse = rng.random((20, 26))
    fixed = np.kron(coarse, np.ones((8, 8))).astype(np.float32)
    place = {"units": "um", "translate": (30, -10)}
    return (
        viewer.add_image(fixed, name="visible", scale=(SCALE, SCALE), **place),
        viewer.add_image(1 - fixed[::2, ::2], name="infrared", scale=(1.0, 1.0), **place),
    )


@pytest.fixture
def controller(viewer, images):
    controller = LandmarkController(viewer)
    controller.set_images(*images)
    yield controller
    controller.close()


TRUTH = MatrixTransform(np.diag([0.5, 0.5, 1.0]))
FIXED = np.array([[20, 30], [24, 170], [130, 40], [120, 180], [70, 100], [50, 60.0]])


def fill(controller, offset=(0, 0)):
    moving = TRUTH.map(FIXED) + np.asarray(offset)
    controller.book.extend(
        LandmarkPair(0, "", tuple(f), tuple(m)) for f, m in zip(FIXED, moving, strict=True)
    )
    controller.measure()


def world(layer):
    return np.array([layer.data_to_world(point) for point in layer.data])


def test_landmarks_of_one_place_lie_on_each_other_in_the_world(controller):
    fill(controller)
    fixed, moving = controller.layers.get("fixed"), controller.layers.get("moving")
    assert_allclose(world(fixed), world(moving))
    assert fixed.units == moving.units
    assert list(fixed.features["pair"]) == list(moving.features["pair"]) == [1, 2, 3, 4, 5, 6]
    assert_allclose(fixed.features["before"], 0, atol=1e-9)


def test_edits_with_naparis_own_tools_reach_the_book(controller):
    fill(controller)
    fixed, moving = controller.layers.get("fixed"), controller.layers.get("moving")
    moving.selected_data = {1, 3}
    moving.remove_selected()
    assert [pair.id for pair in controller.book.pairs] == [1, 3, 5, 6]
    assert len(fixed.data) == 4
    controller.book.undo()
    assert [pair.id for pair in controller.book.pairs] == [1, 2, 3, 4, 5, 6]
    fixed.add((5, 6))
    assert controller.book.pairs[-1].fixed == (5.0, 6.0)
    assert controller.book.pairs[-1].moving is None
    moving.add((2, 3))
    assert controller.book.pairs[-1].moving == (2.0, 3.0)
    fixed.data[0] = (21.5, 33.0)  # what dragging with the selection tool does
    fixed.events.data(
        value=fixed.data, action=ActionType.CHANGED, data_indices=(0,), vertex_indices=((),)
    )
    assert controller.book.pairs[0].fixed == (21.5, 33.0)
    controller.book.undo()
    assert_allclose(fixed.data[0], FIXED[0])


def test_physical_errors_use_the_moving_calibration(controller):
    fill(controller, offset=(3, 4))
    assert controller.fit_state.measurement.before.mean == pytest.approx(5)
    controller.fit_state.set_physical(physical=True)
    controller.measure()
    assert controller.fit_state.unit == "micrometer"
    assert controller.fit_state.measurement.before.mean == pytest.approx(5)  # 1 um per moving pixel
    assert controller.fit_state.threshold == pytest.approx(3)


def test_landmarks_alone_correct_images_of_other_sizes_and_scales(controller, viewer, images):
    fill(controller, offset=(2, -1))
    controller.fit_state.configure(FitSettings("similarity"), None)
    outcome = controller.correction().execute(lambda stage, fraction: None)
    assert outcome.error is None
    list(controller.runs.add(outcome.value))
    run = controller.runs.runs[-1]
    layer = run.layers[REGISTERED]
    assert layer.data.shape == images[0].data.shape
    assert_allclose(layer.scale, images[0].scale)
    assert_allclose(layer.translate, images[0].translate)
    assert layer.units == images[0].units
    assert_allclose(
        run.bundle.result.transform.map(FIXED), np.add(TRUTH.map(FIXED), (2, -1)), atol=1e-6
    )
    # The step back to how the images lay: 2 moving pixels are 4 fixed ones.
    assert_allclose(run.bundle.motions["whole"].field[70, 100], (4, -2), atol=1e-3)


def test_a_run_is_offered_for_its_own_images_only(controller, viewer, images, engine):
    session = Session(viewer, engine)
    job = session.job(session.snapshot(*images, RunSettings()))
    list(session.deliver(job.execute(lambda stage, fraction: None).value))
    assert [run.number for run in controller.fitting_runs()] == [1]
    other = viewer.add_image(np.zeros((64, 64)), name="other")
    controller.set_images(images[0], other)
    assert controller.fitting_runs() == []
    session.close()
    assert RunBook.of(viewer) is controller.runs
    controller.runs.close()


def test_the_matches_of_the_chosen_result_become_pairs(controller, viewer, images, fake_engine):
    rng = np.random.default_rng(5)
    fixed = rng.uniform(0, (150, 200), (100, 2))
    matches = np.column_stack([fixed, TRUTH.map(fixed), rng.random(100)]).astype(np.float32)

    class Matching(fake_engine):
        def __call__(self, *args, **options):
            return replace(super().__call__(*args, **options), matches=matches)

    session = Session(viewer, Matching())
    job = session.job(session.snapshot(*images, RunSettings()))
    list(session.deliver(job.execute(lambda stage, fraction: None).value))
    fill(controller)
    assert controller.fit_state.matches is None  # no result is chosen yet
    controller.fit_state.base = controller.fitting_runs()[0]
    assert controller.propose() == 12
    new = controller.book.pairs[len(FIXED) :]
    assert {pair.source for pair in new} == {"model"}
    assert {pair.fixed for pair in new} < {tuple(row) for row in matches[:, :2].tolist()}
    assert_allclose([pair.moving for pair in new], TRUTH.map([pair.fixed for pair in new]), 1e-4)
    assert controller.propose() == 12  # others
    assert len({pair.fixed for pair in controller.book.pairs}) == len(FIXED) + 24
    controller.book.undo()
    controller.book.undo()
    assert len(controller.book) == len(FIXED)
    session.close()


def test_a_session_comes_back_for_its_images(viewer, images):
    controller = LandmarkController(viewer)
    controller.set_images(*images)
    fill(controller, offset=(1, 0))
    controller.book.enable([2], enabled=False)
    controller.book.add(fixed=(7, 8), name="half")
    controller.fit_state.configure(FitSettings("rigid", strength=0.4), 0.25)
    controller.fit_state.threshold = 1.25
    controller.measure()
    state, settings_ = controller.book.state, controller.fit_state.settings
    controller.set_images(images[1], images[0])  # swapped: another session
    assert len(controller.book) == 0
    controller.close()

    again, said = LandmarkController(viewer), []
    again.events.said.connect(lambda event: said.append(event.value))
    again.set_images(*images)
    assert again.book.state == state
    assert again.fit_state.settings == settings_
    assert (again.fit_state.reach_share, again.fit_state.threshold) == (0.25, 1.25)
    assert "7 pairs from the last session" in said[0]
    again.book.undo()
    assert len(again.book) == 0
    again.close()


def test_a_damaged_session_is_said_and_not_fatal(viewer, images, tmp_path):
    controller = LandmarkController(viewer)
    controller.set_images(*images)
    fill(controller)
    path = controller._path
    controller.close()
    path.write_text("{")
    again, said = LandmarkController(viewer), []
    again.events.said.connect(lambda event: said.append(event.value))
    again.set_images(*images)
    assert "damaged" in said[0]
    assert len(again.book) == 0
    again.close()


@pytest.mark.parametrize(
    ("name", "kind"), [("a.csv", "csv"), ("b.csv", "bigwarp"), ("c.json", "bigwarp")]
)
def test_files_keep_half_finished_and_disabled_pairs(controller, tmp_path, name, kind):
    fill(controller)
    controller.book.enable([3], enabled=False)
    controller.book.add(fixed=(9, 9), name="half")
    former = controller.book.pairs
    controller.save(tmp_path / name, kind)
    assert controller.open(tmp_path / name) == 7
    for old, new in zip(former, controller.book.pairs, strict=True):
        assert (new.name, new.enabled, new.complete) == (old.name, old.enabled, old.complete)
        assert_allclose(new.fixed, old.fixed)
    assert controller.book.pairs[0].source == ("manual" if kind == "csv" else "file")
    if kind == "bigwarp":  # in the layers' units
        assert_allclose(read_landmarks(tmp_path / name).fixed[0], FIXED[0] * SCALE)
    controller.book.undo()
    assert controller.book.pairs == former


def test_what_needs_images_or_pairs_says_so(viewer, controller):
    with pytest.raises(InputError, match="do not define a transform"):
        controller.correction()
    with pytest.raises(InputError, match="do not define a transform"):
        controller.save("x.npz", "transform")
    controller.set_images(None, None)
    for action in (
        controller.correction,
        controller.propose,
        lambda: controller.open("x"),
        lambda: controller.save("x"),
    ):
        with pytest.raises(InputError, match="Open two images"):
            action()


def test_the_preview_is_the_corrected_image(controller, images):
    fill(controller, offset=(3, -2))
    controller.set_preview(on=True)
    transform = controller.fit_state.measurement.transform
    exact = transform.map(np.moveaxis(np.mgrid[:160, :208].astype(float), 0, -1))
    assert_allclose(controller.preview.positions(transform), exact, atol=1e-3)
    layer = controller.preview.layer
    assert_allclose(layer.scale, images[0].scale)
    assert not images[1].visible
    controller.set_preview(on=False)
    assert images[1].visible


def test_colours_say_state_and_error():
    from napari.utils.colormaps.standardize_color import transform_color

    good = LandmarkPair(1, "1", (0.0, 0.0), (0.0, 0.0))
    assert pair_colour(good, 0.0, 3)[1] > 0.8 > pair_colour(good, 0.0, 3)[0]
    assert pair_colour(good, 60.0, 3)[0] > 0.9 > 0.4 > pair_colour(good, 60.0, 3)[1]
    assert pair_colour(good, np.inf, 3) == pair_colour(good, 60.0, 3)
    half = LandmarkPair(1, "1", (0.0, 0.0))
    assert_allclose(pair_colour(half, np.nan, 3), transform_color(HALF)[0])
    off = LandmarkPair(1, "1", (0.0, 0.0), (0.0, 0.0), enabled=False)
    assert_allclose(pair_colour(off, 1.0, 3), transform_color(DISABLED)[0])


spots = st.tuples(st.floats(0, 100), st.floats(0, 100))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(st.tuples(st.sampled_from("cmdeuras"), st.integers(0, 9), spots), max_size=12)
)
def test_layers_show_the_book_after_any_edits(controller, edits):
    controller.book.clear()
    for what, number, spot in edits:
        pairs = controller.book.pairs
        chosen = pairs[number % len(pairs)].id if pairs else None
        if what == "c":
            controller.entry.click("fixed" if number % 2 else "moving", spot)
        elif what == "u":
            controller.book.undo()
        elif what == "r":
            controller.book.redo()
        elif what == "a":
            controller.layers.get("fixed" if number % 2 else "moving").add(spot)
        elif chosen is not None and what == "m":
            controller.book.place(chosen, "moving", spot)
        elif chosen is not None and what == "d":
            controller.select({chosen})
            controller.remove_selected()
        elif chosen is not None and what == "e":
            controller.book.enable([chosen], enabled=bool(number % 2))
        elif what == "s":
            controller.measure()
    for side in ("fixed", "moving"):
        layer = controller.layers.get(side)
        shown = [pair for pair in controller.book.pairs if pair.at(side) is not None]
        assert list(layer.features["pair"]) == [pair.id for pair in shown]
        assert_allclose(layer.data, np.array([p.at(side) for p in shown]).reshape(-1, 2))
    while controller.book.undo():
        pass
    assert (
        len(controller.layers.get("fixed").data) == len(controller.layers.get("moving").data) == 0
    )
