"""A run over one slice of a stack is seen in that slice only."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import bundle as roles
from napari_mmreg.gui.shared import motion
from napari_mmreg.gui.shared.fused import flat
from napari_mmreg.gui.shared.layer_spec import LayerSpec
from napari_mmreg.gui.shared.run_layers import make_layer
from napari_mmreg.gui.shared.slices import Slice
from napari_mmreg.gui.shared.snapshot import RunSettings, take_picture

PLACE = {
    "scale": (5.0, 0.5, 2.0),
    "translate": (-20.0, 3.0, 4.0),
    "rotate": 0.0,
    "units": ("um", "um", "um"),
}


def run(session, fixed, moving, **settings):
    job = session.job(session.snapshot(fixed, moving, RunSettings(**settings)))
    outcome = job.execute(lambda stage, fraction: None)
    assert outcome.error is None
    list(session.deliver(outcome.value))
    for kind in ("risk", "arrows", "colour", "grid"):
        session.runs.toggle(kind, on=True)
    return session.runs.runs[-1]


def stacked(picture, number=6):
    """The picture in the planes of a stack, each of another brightness."""
    return np.stack([picture * (n + 1) / number for n in range(number)])


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def session(viewer, engine):
    made = Session(viewer, engine)
    yield made
    made.close()


def test_layers_lie_in_their_slice_and_the_sliders_range_stays(session, viewer, pictures):
    fixed, moving = (viewer.add_image(stacked(picture), **PLACE) for picture in pictures)
    viewer.dims.set_current_step(0, 2)
    before = viewer.dims.range[0]
    made = run(session, fixed, moving)
    assert viewer.dims.range[0] == before
    assert viewer.dims.current_step[0] == 2
    for layer in made.layers.values():
        assert layer.ndim == 3
        np.testing.assert_allclose(layer.data_to_world((0, 7, 9))[0], -10)
    registered = made.layers[roles.REGISTERED]
    np.testing.assert_allclose(registered.data_to_world((0, 7, 9)), fixed.data_to_world((2, 7, 9)))
    assert [str(unit) for unit in registered.units] == [str(unit) for unit in fixed.units]
    assert flat(registered).shape == fixed.data.shape[1:]
    np.testing.assert_array_equal(flat(registered), made.bundle.result.registered)
    assert made.title.endswith("slice 2")
    assert "Of slice 2 only" in made.bundle.note


def test_other_slices_show_nothing_of_it(session, viewer, pictures):
    fixed, moving = (viewer.add_image(stacked(picture), **PLACE) for picture in pictures)
    viewer.dims.set_current_step(0, 4)
    made = run(session, fixed, moving)
    arrows, registered = made.layers[motion.ARROWS], made.layers[roles.REGISTERED]
    arrows.visible = True
    assert len(arrows._view_data) > 0
    assert np.ptp(np.nan_to_num(registered._slice.image.raw)) > 0
    for other in (3, 5):
        viewer.dims.set_current_step(0, other)
        assert len(arrows._view_data) == 0
        assert registered._slice.empty
    viewer.dims.set_current_step(0, 4)
    assert not registered._slice.empty
    assert len(arrows._view_data) > 0


def test_the_cursor_says_that_another_slice_is_shown(session, viewer, pictures):
    fixed, moving = (viewer.add_image(stacked(picture)) for picture in pictures)
    viewer.dims.set_current_step(0, 1)
    made = run(session, fixed, moving)
    session.hover.follow(made)
    viewer.cursor.position = (1, 40, 40)
    session.hover._on_move(viewer, None)
    assert session.hover.text.startswith("Moved")
    viewer.dims.set_current_step(0, 3)
    session.hover._on_move(viewer, None)
    assert session.hover.text.startswith("This run is of slice 1")


def test_comparison_arrows_and_saved_files_know_of_it(session, viewer, pictures, tmp_path):
    from napari_mmreg.gui.shared.fused import FUSED, save_fused
    from napari_mmreg.io import read_image

    fixed, moving = (viewer.add_image(stacked(picture)) for picture in pictures)
    viewer.dims.set_current_step(0, 3)
    made = run(session, fixed, moving, fusion="laplacian")
    session.comparison.show(made, "overlay", 0.5)
    compared = session.comparison.layer
    assert compared.data.shape == (1, *pictures[0].shape, 3)
    session.comparison.set_amount(0.2)
    assert compared.data_to_world((0, 0, 0)) == (3.0, 0.0, 0.0)
    session.runs.set_arrows(made.number, 5)
    arrows = made.layers[motion.ARROWS]
    assert arrows.data.shape[1:] == (2, 3)
    session.runs.set_part("beyond")
    assert made.layers[motion.FLOW].data.shape[:3] == (1, *pictures[0].shape)
    viewer.dims.set_current_step(0, 2)
    assert compared._slice.empty
    save_fused(made.layers, tmp_path)
    assert read_image(tmp_path / "fused.tif").shape == made.layers[FUSED].data.shape[1:]
    again = take_picture(made.layers[roles.REGISTERED], (3.0, 0.0, 0.0))
    assert again.shape == pictures[0].shape


def test_colour_and_two_stack_axes(session, viewer, pictures):
    colour = np.repeat(np.stack([stacked(pictures[0], 2)] * 3)[..., None], 3, axis=-1)
    fixed = viewer.add_image(colour, rgb=True, scale=(4, 2, 1, 1), rotate=np.eye(4))
    moving = viewer.add_image(pictures[1])
    viewer.dims.set_current_step((0, 1), (2, 1))
    made = run(session, fixed, moving)
    registered = made.layers[roles.REGISTERED]
    assert registered.data.shape == (1, 1, *pictures[0].shape)
    np.testing.assert_allclose(registered.data_to_world((0, 0, 0, 0)), (8, 2, 0, 0))
    assert made.title.endswith("slice 2, 1")
    viewer.dims.set_current_step((0, 1), (2, 0))
    assert registered._slice.empty


def test_a_moving_slice_on_an_image_belongs_to_the_moving_slice(session, viewer, pictures):
    fixed = viewer.add_image(pictures[0], shear=[0.1], rotate=5)
    moving = viewer.add_image(stacked(pictures[1]), translate=(10, 0, 0))
    viewer.dims.set_current_step(0, 5)
    made = run(session, fixed, moving)
    registered = made.layers[roles.REGISTERED]
    assert registered.data_to_world((0, 0, 0))[0] == 15
    np.testing.assert_allclose(
        registered.data_to_world((0, 30, 50))[1:], fixed.data_to_world((30, 50))
    )


def test_flat_pairs_stay_flat(session, viewer, pictures):
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    made = run(session, fixed, moving)
    assert {layer.ndim for layer in made.layers.values()} == {2}
    assert made.bundle.snapshot.slice is None
    assert "slice" not in made.title + made.bundle.note
    viewer.add_image(np.zeros((5, 8, 8)))
    session.hover.follow(made)
    viewer.cursor.position = (0, 40, 40)
    session.hover._on_move(viewer, None)
    assert session.hover.text.startswith("Moved")


def test_the_levels_of_a_multiscale_result_lie_in_the_slice():
    levels = [np.zeros((8, 12)), np.zeros((4, 6))]
    place = {"scale": (1, 2), "translate": (3, 4), "rotate": np.eye(2), "shear": [0.0]}
    kwargs = {**place, "affine": np.eye(3), "units": ("um", "um"), "multiscale": True}
    spec = LayerSpec("registered", "image", levels, kwargs)
    at = Slice((2,), (10.0,), (5.0,), ("um",))
    layer = make_layer(spec, at)
    assert [level.shape for level in layer.data] == [(1, 8, 12), (1, 4, 6)]
    assert layer.data_to_world((0, 1, 1)) == (10.0, 4.0, 6.0)
    assert [level.shape for level in make_layer(spec).data] == [(8, 12), (4, 6)]


def test_a_spec_of_colours_is_flat_as_it_is():
    spec = SimpleNamespace(data=np.zeros((4, 5, 3)), kwargs={"rgb": True})
    assert flat(spec).shape == (4, 5, 3)


@pytest.mark.gui
def test_the_canvas_of_another_slice_is_as_before(make_napari_viewer, pictures, fake_engine):
    viewer = make_napari_viewer(show=True)
    session = Session(viewer, fake_engine(shift=(2.0, -1.5)))
    fixed, moving = (viewer.add_image(stacked(picture)) for picture in pictures)
    moving.visible = False
    viewer.dims.set_current_step(0, 1)
    other, own = (shot(viewer, n) for n in (4, 1))
    run(session, fixed, moving)
    np.testing.assert_array_equal(shot(viewer, 4), other)
    assert (shot(viewer, 1) != own).mean() > 0.1
    session.close()


def shot(viewer, plane):
    viewer.dims.set_current_step(0, plane)
    return viewer.screenshot(flash=False)
