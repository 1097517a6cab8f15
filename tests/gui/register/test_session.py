"""Runs, result layers, comparison and hover in a viewer model without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image, Vectors

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.hover import read_at
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import bundle as roles
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.motion import ARROWS, FLOW
from napari_mmreg.gui.shared.pairing import guess_pair, images
from napari_mmreg.gui.shared.snapshot import RunSettings, take_picture


def _run(session, fixed, moving, *kinds, **settings):
    outcome = session.job(session.snapshot(fixed, moving, RunSettings(**settings))).execute(
        lambda stage, fraction: None
    )
    assert outcome.error is None
    list(session.deliver(outcome.value))
    for kind in kinds:
        session.runs.toggle(kind, on=True)
    return session.runs.runs[-1]


def _state(layer):
    data, kwargs, kind = layer.as_layer_data_tuple()
    return kind, {key: str(value) for key, value in kwargs.items() if key != "metadata"}, data


def test_a_run_adds_a_prefixed_group_and_leaves_the_users_layers_alone(session, viewer, pair):
    viewer.layers.selection = {pair[0]}
    before = [_state(layer) for layer in pair]
    run = _run(session, *pair)
    assert list(viewer.layers[:2]) == list(pair)
    for layer, (kind, kwargs, data) in zip(pair, before, strict=True):
        after = _state(layer)
        assert after[:2] == (kind, kwargs)
        assert after[2] is data
    assert viewer.layers.selection == {pair[0]}
    added = list(viewer.layers[2:])
    assert [layer.name for layer in added] == ["[1] registered"]
    assert added[0].metadata[METADATA_KEY]["role"] == roles.REGISTERED
    assert run.layers[roles.REGISTERED].metadata[METADATA_KEY]["provenance"] == {"seed": 0}


def test_result_layers_look_right(session, pair):
    run = _run(session, *pair, "risk", "arrows", "colour")
    registered = run.layers[roles.REGISTERED]
    assert registered.blending == "additive"
    assert registered.colormap.name == "magenta"
    assert registered.contrast_limits == pair[1].contrast_limits
    risk = run.layers[roles.RISK]
    assert risk.contrast_limits == [0, 1]
    assert risk.name == "[1] misregistration"
    arrows = run.layers[ARROWS]
    assert isinstance(arrows, Vectors)
    assert arrows.vector_style == "arrow"
    np.testing.assert_allclose(arrows.features["length"], 2.5, rtol=1e-5)
    assert run.layers[FLOW].rgb


def test_a_models_rendering_is_a_layer_of_its_own(viewer, pair, fake_engine):
    picture = np.linspace(0, 1, 96 * 128, dtype=np.float32).reshape(96, 128)

    class Rendering(fake_engine):
        def __call__(self, *args, **options):
            return replace(super().__call__(*args, **options), rerendered=picture)

    session = Session(viewer, Rendering())
    layer = _run(session, *pair, "rendered").layers[roles.RERENDERED]
    session.close()
    assert layer.name == "[1] moving as seen by the fixed sensor"
    np.testing.assert_array_equal(layer.data, picture)
    assert tuple(layer.contrast_limits) == (0, 1)
    about = layer.metadata[METADATA_KEY]
    assert about["rendered"]
    assert about["modality"] == "visible"


@pytest.mark.parametrize("colormap", ["magenta", "red", "green"])
def test_the_registered_colour_complements_the_fixed_one(session, pair, colormap):
    pair[0].colormap = colormap
    expected = {"magenta": "green", "red": "cyan", "green": "magenta"}[colormap]
    assert _run(session, *pair).layers[roles.REGISTERED].colormap.name == expected


def test_colour_pictures_are_seen_through_instead_of_added(session, viewer, pictures):
    colour = (np.stack([pictures[0]] * 3, axis=-1) * 255).astype(np.uint8)
    fixed = viewer.add_image(colour)
    moving = viewer.add_image(colour[..., :3].copy())
    registered = _run(session, fixed, moving).layers[roles.REGISTERED]
    assert fixed.rgb
    assert registered.rgb
    assert registered.blending == "translucent"
    assert registered.opacity < 1


def test_registered_pixels_lie_on_their_counterparts_in_the_world(
    session, viewer, pictures, fake_engine
):
    """A bright point of the scene is at one world place in the fixed and the registered layer."""
    scene = np.zeros((60, 90), np.float32)
    scene[20, 70] = 1
    fixed = viewer.add_image(
        scene, scale=(0.5, 2), translate=(4, -9), rotate=15, shear=[0.2], units="um"
    )
    shifted = np.zeros_like(scene)
    shifted[22, 69] = 1  # what the engine of this test finds: (2, -1)
    affine = np.array([[1, 0, 0.3], [0, 1, -0.8], [0, 0, 1]])
    moving = viewer.add_image(
        shifted,
        scale=(500, 2000),
        translate=(4000, -9000),
        rotate=15,
        shear=[0.2],
        affine=affine * [[1, 1, 0], [1, 1, 0], [1, 1, 1]],
        units="nm",
    )
    session._register = fake_engine(shift=(2, -1))
    registered = _run(session, fixed, moving).layers[roles.REGISTERED]
    peak = np.unravel_index(registered.data.argmax(), registered.data.shape)
    assert registered.data[peak] == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(
        registered.data_to_world(peak), fixed.data_to_world((20, 70)), atol=1e-9
    )
    assert registered.units == fixed.units


def test_the_current_slice_of_a_stack_is_registered(session, viewer, pictures, engine):
    stack = np.stack([pictures[0] * 0, pictures[0], pictures[0] * 0])
    fixed = viewer.add_image(stack, scale=(5, 1, 1))
    moving = viewer.add_image(pictures[1])
    viewer.dims.set_point(0, 5)
    run = _run(session, fixed, moving)
    np.testing.assert_array_equal(engine.calls[0][0], pictures[0])
    assert run.layers[roles.REGISTERED].data.shape == (1, *pictures[0].shape)


def test_the_slice_is_found_where_the_viewer_shows_other_units(session, viewer, pictures, engine):
    stack = np.stack([pictures[0] * 0, pictures[0], pictures[0] * 0, pictures[0] * 0])
    fixed = viewer.add_image(stack, scale=(2, 1, 1), units="um")
    moving = viewer.add_image(pictures[1], scale=(1000, 1000), units="nm")
    viewer.dims.set_point(0, 2000)  # the viewer shows nanometres
    _run(session, fixed, moving)
    np.testing.assert_array_equal(engine.calls[0][0], pictures[0])


def test_a_coarse_level_of_a_pyramid_is_registered_and_lies_on_it(session, viewer, monkeypatch):
    monkeypatch.setattr("napari_mmreg.gui.shared.snapshot.LEVEL_BUDGET", 3000)
    full = np.random.default_rng(0).random((96, 128))
    fixed = viewer.add_image([full, full[::2, ::2], full[::4, ::4]], scale=(0.5, 0.5), units="um")
    moving = viewer.add_image(1 - full)
    registered = _run(session, fixed, moving, start="centre").layers[roles.REGISTERED]
    assert registered.data.shape == (24, 32)
    np.testing.assert_allclose(registered.data_to_world((-0.5, -0.5)), (-0.25, -0.25))
    np.testing.assert_allclose(registered.data_to_world((23.5, 31.5)), (47.75, 63.75))


def test_two_different_images_are_needed(session, pair):
    for fixed, moving in ((None, pair[1]), (pair[0], None), (pair[0], pair[0])):
        with pytest.raises(InputError, match="two different images"):
            session.snapshot(fixed, moving, RunSettings())


def test_layers_deleted_during_the_run_do_not_hinder_the_result(session, viewer, pair):
    job = session.job(session.snapshot(*pair, RunSettings()))
    viewer.layers.clear()
    outcome = job.execute(lambda stage, fraction: None)
    list(session.deliver(outcome.value))
    assert "[1] registered" in viewer.layers


def test_runs_are_numbered_and_removed_one_by_one(session, viewer, pair):
    first, second = _run(session, *pair), _run(session, *pair)
    assert [run.number for run in session.runs.runs] == [1, 2]
    own = viewer.add_points([[1, 2]], name="mine")
    session.runs.remove(first.number)
    assert session.runs.runs == [second]
    assert not any(layer.name.startswith("[1]") for layer in viewer.layers)
    assert {*pair, own} < set(viewer.layers)
    session.runs.remove(second.number)
    assert set(viewer.layers) == {*pair, own}
    assert _run(session, *pair).number == 1


def test_a_run_is_forgotten_when_the_user_deletes_its_last_layer(session, viewer, pair):
    run = _run(session, *pair)
    copy = viewer.layers["[1] registered"].as_layer_data_tuple()
    viewer.add_layer(Image(copy[0], name="kept", metadata=copy[1]["metadata"]))
    for layer in list(run.layers.values()):
        assert session.runs.runs
        viewer.layers.remove(layer)
    assert not session.runs.runs
    assert "kept" in viewer.layers


def test_arrows_follow_the_density(session, pair):
    run = _run(session, *pair, "arrows", arrows=8)
    arrows = run.layers[ARROWS]
    few = len(arrows.data)
    assert arrows.name == "[1] flow arrows (×5)"
    assert arrows.length == 5
    session.runs.set_arrows(run.number, 30)
    assert 8 * few < len(arrows.data) < 30 * few
    assert len(arrows.features) == len(arrows.data)
    assert arrows.edge_color_mode == "colormap"
    assert arrows.name == "[1] flow arrows (×2)"
    assert arrows.length == 2
    session.runs.set_arrows(run.number, 100_000)
    assert len(arrows.data) <= 10_000


# Comparison


def test_the_compare_layer_comes_and_goes(session, viewer, pair):
    run = _run(session, *pair)
    comparison = session.comparison
    comparison.show(run, "checkerboard", 8)
    layer = comparison.layer
    assert layer.name == "[1] compare"
    assert viewer.layers.index(layer) == viewer.layers.index(run.layers[roles.REGISTERED]) + 1
    tiles = layer.data[:16, :16, 0]
    low, high = pair[0].contrast_limits
    np.testing.assert_allclose(
        tiles[:8, 8:], (pair[0].data[:8, 8:16] - low) / (high - low) * 255, atol=1.5
    )
    comparison.hide()
    assert layer not in viewer.layers
    assert not comparison.active


def test_every_mode_composes_both_images(session, pair):
    run = _run(session, *pair)
    seen = set()
    for mode, amount in (
        ("overlay", 0.5),
        ("blend", 0.4),
        ("curtain", 0.5),
        ("checkerboard", 16),
        ("flicker", 500),
    ):
        session.comparison.show(run, mode, amount)
        seen.add(session.comparison.layer.data.tobytes())
    assert len(seen) == 5
    session.comparison.flip()
    assert session.comparison.layer.data.tobytes() not in seen


def test_before_differs_from_registered(session, pair, pictures):
    run = _run(session, *pair)
    session.comparison.show(run, "blend", 1.0)
    after = session.comparison.layer.data
    session.comparison.show(run, "blend", 1.0, "before")
    before = session.comparison.layer.data
    assert not np.array_equal(before, after)
    low, high = pair[1].contrast_limits
    np.testing.assert_allclose(before[..., 0], (pictures[1] - low) / (high - low) * 255, atol=2)


def test_the_slider_changes_the_picture_and_not_the_layer(session, viewer, pair):
    run = _run(session, *pair)
    session.comparison.show(run, "curtain", 0.2)
    layer, narrow = session.comparison.layer, session.comparison.layer.data
    session.comparison.set_amount(0.8)
    assert session.comparison.layer is layer
    assert not np.array_equal(layer.data, narrow)


def test_large_images_are_composed_at_the_resolution_of_the_screen(session, viewer):
    random = np.random.default_rng(0)
    fixed = viewer.add_image(random.random((2600, 2400), np.float32), scale=(0.5, 0.5))
    moving = viewer.add_image(random.random((2600, 2400), np.float32), scale=(0.5, 0.5))
    run = _run(session, fixed, moving)
    viewer.canvas.size = (600, 600)
    viewer.scene.camera.center = (0, 650, 600)
    viewer.scene.camera.zoom = 0.4
    session.comparison.show(run, "overlay", 0.5)
    whole = session.comparison.layer
    assert whole.data.shape[0] * whole.data.shape[1] < 1_700_000
    np.testing.assert_allclose(whole.data_to_world((0, 0, 0))[:2], (0, 0))
    viewer.scene.camera.center = (0, 300, 800)
    viewer.scene.camera.zoom = 6
    session.comparison.refresh()
    near = session.comparison.layer
    np.testing.assert_allclose(near.scale, (0.5, 0.5))  # full resolution now
    corner = np.rint(fixed.world_to_data(near.translate)).astype(int)
    part = fixed.data[corner[0] : corner[0] + 5, corner[1] : corner[1] + 5]
    low, high = fixed.contrast_limits
    np.testing.assert_allclose(near.data[:5, :5, 1], (part - low) / (high - low) * 255, atol=2.5)


# Hover


def _point_at(viewer, layer, pixel):
    viewer.cursor.position = tuple(layer.data_to_world(pixel))
    for callback in list(viewer.mouse_move_callbacks):
        callback(viewer, None)


def test_the_cursor_reads_displacement_and_risk(session, viewer, pair):
    run = _run(session, *pair)
    session.hover.follow(run)
    _point_at(viewer, pair[0], (30, 40))
    assert (
        session.hover.text == "Moved 2.5 px (row +2.0, col -1.5)\nProbably within 1.0 px (risk 25%)"
    )
    _point_at(viewer, pair[0], (-30, 40))
    assert session.hover.text == strings.CURSOR_OUTSIDE
    session.hover.follow(None)
    assert session.hover.text == ""


def test_the_cursor_reads_physical_units_and_other_viewer_units(session, viewer, pictures):
    fixed = viewer.add_image(pictures[0], scale=(2, 2), translate=(7, 9), units="um")
    moving = viewer.add_image(pictures[1], scale=(2000, 2000), translate=(7000, 9000), units="nm")
    run = _run(session, fixed, moving)
    session.hover.follow(run)
    # The viewer shows the smaller unit: its cursor is in nanometres.
    viewer.cursor.position = tuple(1000 * np.asarray(fixed.data_to_world((30, 40))))
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, None)
    assert session.hover.text.startswith("Moved 2.5 px = 5 micrometer")


def test_a_reading_is_the_correction_at_that_pixel(session, viewer, pictures, bent, fake_engine):
    field = bent.displacement((96, 128))

    class Bent(fake_engine):
        def __call__(self, fixed, moving, **options):
            result = super().__call__(fixed, moving, **options)
            result.__dict__["displacement"] = field  # what the cached property holds
            return result

    session._register = Bent()
    fixed, moving = (viewer.add_image(picture) for picture in pictures)
    bundle = _run(session, fixed, moving).bundle
    reading = read_at(bundle, (12.3, 99.8))
    np.testing.assert_allclose((reading.row, reading.col), field[12, 100], atol=1e-5)
    assert read_at(bundle, (96, 5)) is None


def test_closing_lets_go_of_the_viewer(viewer, pair, engine):
    session = Session(viewer, engine)
    run = _run(session, *pair)
    session.hover.follow(run)
    session.comparison.show(run, "overlay", 0.5)
    session.close()
    assert not viewer.mouse_move_callbacks
    assert "[1] compare" not in viewer.layers
    assert "[1] registered" in viewer.layers


# Pairing


def test_the_newest_two_images_are_guessed(viewer, pictures):
    assert guess_pair(viewer.layers) == (None, None)
    first = viewer.add_image(pictures[0], name="a")
    assert guess_pair(viewer.layers) == (first, None)
    second = viewer.add_image(pictures[0], name="b")
    viewer.add_labels(np.zeros((5, 5), int))
    assert guess_pair(viewer.layers) == (first, second)
    third = viewer.add_image(pictures[0], name="visible")
    assert guess_pair(viewer.layers) == (third, second)


def test_a_sample_says_which_is_which(viewer, pictures):
    moving = viewer.add_image(
        pictures[0], name="visible", metadata={METADATA_KEY: {"role": "moving"}}
    )
    fixed = viewer.add_image(pictures[1], metadata={METADATA_KEY: {"role": "fixed"}})
    assert guess_pair(viewer.layers) == (fixed, moving)


def test_maps_of_a_run_are_not_offered_but_its_registered_image_is(session, viewer, pair):
    run = _run(session, *pair)
    assert images(viewer.layers) == [*pair, run.layers[roles.REGISTERED]]
    assert guess_pair(viewer.layers) == pair


def test_a_flat_layer_is_refused():
    with pytest.raises(InputError, match="one axis"):
        take_picture(type("Line", (), {"ndim": 1, "name": "x"})())
