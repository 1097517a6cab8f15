"""A model's matches as layers of a run, in a viewer model without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import matches as roles
from napari_mmreg.gui.shared.runs import RunBook
from napari_mmreg.gui.shared.snapshot import RunSettings

TRUTH = MatrixTransform.from_params(rotation_degrees=5, scale=0.5, translation=(4, 2))


def made_up(count, shape=(96, 128)):
    """Matches of the true transform."""
    rng = np.random.default_rng(1)
    fixed = rng.uniform((20, 10), np.array(shape) - 1, (count, 2))
    return np.column_stack([fixed, TRUTH.map(fixed), rng.random(count)]).astype(np.float32)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def run_with(viewer, fake_engine, show_all):
    """Return what runs with made-up matches between a picture and one of half its size."""
    sessions = []

    def run(matches, **kwargs):
        class Matching(fake_engine):
            def __call__(self, *args, **options):
                return replace(super().__call__(*args, **options), matches=matches)

        session = Session(viewer, Matching())
        sessions.append(session)
        image = np.random.default_rng(0).random((96, 128))
        fixed = viewer.add_image(image, **kwargs.get("fixed", {}))
        moving = viewer.add_image(image[:70, :90], **kwargs.get("moving", {}))
        job = session.job(session.snapshot(fixed, moving, RunSettings()))
        outcome = job.execute(lambda stage, fraction: None)
        list(session.deliver(outcome.value))
        assert not {roles.FIXED, roles.MOVING, roles.LINES} & session.runs.shown.layers.keys()
        return show_all(session.runs), fixed, moving

    yield run
    for session in sessions:
        session.close()


def world(layer, points):
    return np.array([layer.data_to_world(point) for point in points])


def test_points_lie_on_both_images_wherever_these_are(run_with):
    matches = made_up(40)
    run, fixed, moving = run_with(
        matches,
        fixed={"scale": (0.5, 2), "translate": (4, -9), "rotate": 15, "units": "um"},
        moving={"scale": (700, 900), "translate": (3000, -7000), "units": "nm"},
    )
    one, other = run.layers[roles.FIXED], run.layers[roles.MOVING]
    lines = run.layers[roles.LINES]
    assert [layer.name for layer in (one, other, lines)] == [
        "[1] fixed matches",
        "[1] moving matches",
        "[1] match lines",
    ]
    assert all(layer.visible for layer in (one, other, lines))
    np.testing.assert_allclose(world(one, one.data), world(fixed, matches[:, :2]), atol=1e-4)
    np.testing.assert_allclose(world(other, other.data), world(moving, matches[:, 2:4]), atol=0.1)
    assert (one.units, other.units) == (fixed.units, moving.units)
    ends = world(lines, lines.data[:, 0] + lines.data[:, 1])  # micrometres; the points: nanometres
    np.testing.assert_allclose(ends, world(other, other.data) / 1000, atol=1e-4)


def test_features_say_which_match_it_is_and_how_likely(run_with):
    matches = made_up(30)
    matches[:, 4] *= 0.5
    run, _, _ = run_with(matches)
    one, other = run.layers[roles.FIXED], run.layers[roles.MOVING]
    for layer in (one, other):
        np.testing.assert_array_equal(layer.features["id"], np.arange(30))
        np.testing.assert_allclose(layer.features["probability"], matches[:, 4])
        assert layer.face_color_mode == "colormap"
        assert tuple(layer.face_contrast_limits) == (0, 1)
    np.testing.assert_array_equal(one.face_color, other.face_color)
    assert len(np.unique(one.face_color, axis=0)) > 10
    one.visible = True
    told = one.get_status(one.data[7], world=True)["value"]
    assert "id: 7" in told
    assert "probability" in told


def test_too_many_are_thinned_evenly_and_it_is_said(run_with):
    matches = made_up(3000)
    run, _, _ = run_with(matches)
    layer = run.layers[roles.FIXED]
    assert len(layer.data) == roles.MAX_DRAWN
    assert layer.name == f"[1] fixed matches ({roles.MAX_DRAWN} of 3000)"
    np.testing.assert_allclose(layer.data, matches[layer.features["id"], :2])
    assert layer.features["probability"].mean() > matches[:, 4].mean() + 0.2
    quarter = (layer.data > np.median(matches[:, :2], axis=0)) @ (2, 1)
    assert np.bincount(quarter).min() > 0.2 * len(layer.data)


def test_both_points_of_a_match_are_shown_and_selected_together(viewer, run_with):
    run, _, _ = run_with(made_up(20))
    one, other = run.layers[roles.FIXED], run.layers[roles.MOVING]
    other.visible = False
    assert not one.visible
    assert run.layers[roles.LINES].visible
    other.visible = True
    assert one.visible
    one.selected_data = {3, 5}
    assert set(other.selected_data) == {3, 5}
    one.remove([0, 3])  # ids stay, rows do not
    one.selected_data = {0}
    assert other.features["id"].iloc[list(other.selected_data)].tolist() == [1]
    other.selected_data = set()
    assert not one.selected_data
    viewer.layers.remove(other)
    one.selected_data = {1}
    one.visible = False


def test_without_matches_there_are_no_such_layers(run_with):
    for matches in (made_up(0), None):
        run, _, _ = run_with(matches)
        assert not {roles.FIXED, roles.MOVING, roles.LINES} & run.layers.keys()


def test_layers_that_cannot_be_compared_get_points_without_lines(run_with):
    run, _, _ = run_with(made_up(5), fixed={"units": "um"}, moving={"units": "s"})
    assert {roles.FIXED, roles.MOVING} < run.layers.keys()
    assert roles.LINES not in run.layers


def test_one_match_is_drawn(run_with):
    run, _, _ = run_with(made_up(1))
    assert len(run.layers[roles.MOVING].data) == 1


def test_removing_the_run_removes_its_matches(viewer, run_with):
    run, fixed, moving = run_with(made_up(20))
    book = RunBook.of(viewer)
    book.remove(run.number)
    book.close()
    assert set(viewer.layers) == {fixed, moving}
