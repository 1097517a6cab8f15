"""The start of a run: by hand, flipped, turned; masks and regions drawn in one click."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data, transform

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.motions import FLIP, TURN, in_words
from napari_mmreg.gui.register.placing import Placing
from napari_mmreg.gui.register.session import Session
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.job import choose_start, start_of
from napari_mmreg.gui.shared.motion import ARROWS
from napari_mmreg.gui.shared.snapshot import RunSettings

WAIT = 20_000
gui = pytest.mark.gui


@pytest.fixture
def placing(viewer, session):
    return Placing(viewer, session.runs)


def _run(qtbot, dock):
    dock.run_bar.button.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)


# Without a window


def test_a_turn_and_a_flip_keep_the_centre(viewer, placing, pair):
    moving = pair[1]
    moving.scale, moving.translate = (2, 2), (5, 9)
    middle = (np.array(moving.data.shape) - 1) / 2
    centre = np.array(moving.data_to_world(middle))
    placing.about_centre(moving, TURN)
    np.testing.assert_allclose(moving.data_to_world(middle), centre)
    # Clockwise: what lay above the centre lies to its right.
    np.testing.assert_allclose(moving.data_to_world(middle - (10, 0)), centre + np.array([0, 20]))
    placing.about_centre(moving, FLIP)
    np.testing.assert_allclose(moving.data_to_world(middle - (10, 0)), centre - np.array([0, 20]))
    assert placing.describe(moving) == "flipped, turned by -90°"  # in this order
    placing.reset(moving)
    np.testing.assert_allclose(np.asarray(moving.affine), np.eye(3))
    assert placing.describe(moving) == ""


def test_a_plane_of_a_stack_is_turned_in_its_plane(viewer, placing, pictures):
    viewer.add_image(pictures[0])
    stack = viewer.add_image(np.stack([pictures[1]] * 4), scale=(5, 1, 1))
    placing.about_centre(stack, TURN)
    rows, cols = pictures[1].shape
    middle = (2, (rows - 1) / 2, (cols - 1) / 2)
    np.testing.assert_allclose(stack.data_to_world(middle), (10, *middle[1:]))
    assert placing.describe(stack) == "turned by 90°"


def test_every_step_can_be_undone_and_so_can_a_reset(placing, pair):
    moving = pair[1]
    first = np.array([[1.1, 0.2, 5], [-0.3, 0.9, 7], [0, 0, 1]])
    moving.scale, moving.translate, moving.rotate, moving.affine = (2, 3), (5, 9), 30, first
    states = [first]
    for matrix in (TURN, FLIP, TURN):
        placing.about_centre(moving, matrix)
        states.append(np.array(moving.affine))
    placing.reset(moving)
    np.testing.assert_array_equal(moving.affine, first)
    assert placing.describe(moving) == ""
    for state in reversed(states):
        assert placing.can_undo(moving)
        placing.undo(moving)
        np.testing.assert_array_equal(moving.affine, state)
    assert not placing.can_undo(moving)
    placing.undo(moving)
    np.testing.assert_array_equal(moving.affine, first)


def test_who_moves_a_layer_elsewhere_is_not_put_back(placing, pair):
    moving = pair[1]
    placing.about_centre(moving, TURN)
    placing.reset(moving)
    moving.affine = np.diag([3.0, 3, 1])
    assert placing.describe(moving) == ""
    assert not placing.can_undo(moving)
    placing.about_centre(moving, TURN)
    assert placing.describe(moving) == "turned by 90°"
    placing.reset(moving)
    np.testing.assert_array_equal(moving.affine, np.diag([3.0, 3, 1]))


def test_lengths_in_metres_are_no_smaller_than_others(viewer, session, placing, pictures):
    """A micrograph in metres: a shift of some pixels is a millionth of the unit."""
    place = {"scale": (1e-7, 1e-7), "units": ("m", "m")}
    fixed = viewer.add_image(pictures[0], **place)
    moving = viewer.add_image(pictures[1], translate=(4e-7, 0), **place)
    placing.show_start(moving, session.snapshot(fixed, moving, RunSettings(start="centre")))
    np.testing.assert_allclose(moving.data_to_world((10, 20)), (10e-7, 20e-7), atol=1e-12)
    assert placing.describe(moving) == "shifted by 4e-07 meter"


def test_a_moving_mask_goes_along_with_its_image(viewer, session, placing, pictures):
    moving = viewer.add_image(pictures[1], scale=(0.002, 0.003), units=("mm", "mm"))
    mask = viewer.add_labels(np.ones((30, 40), np.uint8), scale=(5, 5), units=("um", "um"))
    placing.watch(moving)
    moving.events.affine.connect(lambda: placing.follow(moving, mask))

    def image_from_mask(pixel):
        micrometres = np.array(mask.data_to_world(pixel))
        return moving.world_to_data(micrometres / 1000)

    before = [image_from_mask(pixel) for pixel in ((0, 0), (20, 5))]
    for matrix in (TURN, FLIP):
        placing.about_centre(moving, matrix)
        after = [image_from_mask(pixel) for pixel in ((0, 0), (20, 5))]
        np.testing.assert_allclose(after, before, atol=1e-9)
    assert not np.allclose(mask.affine, np.eye(3))
    placing.reset(moving)
    np.testing.assert_allclose(mask.affine, np.eye(3), atol=1e-9)
    moving.affine = TURN  # not moved here: the mask is not ours to move
    np.testing.assert_allclose(mask.affine, np.eye(3), atol=1e-9)


def test_a_mask_that_napari_has_linked_goes_along_once(viewer, placing, pair):
    moving = pair[1]
    mask = viewer.add_labels(np.ones(moving.data.shape, np.uint8))
    placing.watch(moving)
    moving.events.affine.connect(lambda: placing.follow(moving, mask))
    viewer.layers.link_layers([moving, mask], ("affine",))
    placing.about_centre(moving, TURN)
    np.testing.assert_array_equal(mask.affine, moving.affine)


def test_placed_layers_in_different_units_start_where_they_are_seen(viewer, session, pictures):
    fixed = viewer.add_image(
        pictures[0], scale=(2, 3), translate=(50, -70), rotate=10, units=("um", "um")
    )
    moving = viewer.add_image(
        pictures[1], scale=(0.004, 0.002), shear=[0.1], translate=(0.1, 0), units=("mm", "mm")
    )
    placing = Placing(viewer, session.runs)
    placing.about_centre(moving, TURN)
    placing.about_centre(moving, np.array([[1.2, 0, 0.01], [0, 1.2, 0.02], [0, 0, 1]]))
    matrix, _ = choose_start(session.snapshot(fixed, moving, RunSettings(start="layers")))
    for pixel in ((0, 0), (90, 20), (40, 120)):
        millimetres = np.array(fixed.data_to_world(pixel)) / 1000
        there = (matrix @ (*pixel, 1))[:2]
        np.testing.assert_allclose(there, moving.world_to_data(millimetres), atol=1e-8)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (np.diag([1.0, 1, 1]), "shifted by 3 px"),
        (np.diag([1.5, 1.5, 1]), "scaled by 1.50, shifted by 3 px"),
        (TURN @ TURN @ TURN, "turned by -90°, shifted by 3 px"),
        (FLIP, "flipped, shifted by 3 px"),
        (np.diag([1.25, 0.8, 1]), "scaled by 1.25 in height and 0.80 in width, shifted by 3 px"),
    ],
)
def test_what_was_done_is_put_into_words(matrix, said):
    assert in_words(matrix, 3.0, "px") == said


def test_images_of_different_sizes_are_moved_from_where_a_run_would_start(
    viewer, session, placing, pictures
):
    fixed = viewer.add_image(pictures[0], scale=(2, 2), name="visible")
    moving = viewer.add_image(pictures[1][::2, ::2], name="infrared")
    snapshot = session.snapshot(fixed, moving, RunSettings(start="centre"))
    placing.show_start(moving, snapshot)
    # Nobody measured the moving image: both frames fill each other.
    for layer in (fixed, moving):
        middle = (np.array(layer.data.shape) - 1) / 2
        np.testing.assert_allclose(layer.data_to_world(middle), (95, 127))
    np.testing.assert_allclose(np.diag(np.asarray(moving.affine))[:2], (4, 4))


def test_the_least_that_was_done_can_be_put_back(viewer, placing, pair):
    fixed, moving = pair
    placing.hold(fixed, moving)
    angle = np.radians(0.3)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = (np.array(moving.data.shape) - 1) / 2
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = turn, middle - turn @ middle
    moving.affine = matrix
    placing.follow(moving)
    assert placing.describe(moving) == strings.MOVED_SLIGHTLY
    placing.reset(moving)
    np.testing.assert_array_equal(moving.affine, np.eye(3))


@pytest.mark.parametrize("start", ["auto", "mirror", "centre"])
def test_what_is_shown_is_where_a_run_starts(viewer, session, placing, pictures, start):
    fixed = viewer.add_image(pictures[0], scale=(0.5, 0.5), units="um", name="visible")
    moving = viewer.add_image(
        pictures[1],
        scale=(7e-4, 5e-4),
        rotate=17,
        shear=[0.2],
        translate=(0.005, 0.007),
        affine=np.array([[0.9, 0.3, 0.0123], [-0.31, 1.1, -0.0077], [0, 0, 1]]),
        units="mm",
        name="infrared",
    )
    first, snapshot = np.array(moving.affine), session.snapshot(fixed, moving, RunSettings())
    chosen = session.snapshot(fixed, moving, RunSettings(start=start))
    wanted = start_of(chosen)
    placing.show_start(moving, chosen)
    initial, _ = choose_start(session.snapshot(fixed, moving, RunSettings(start="layers")))
    points = np.array([(0.0, 0.0), (40.0, 70.0), (90.0, 5.0)])
    there = (np.column_stack([points, np.ones(3)]) @ initial.T)[:, :2]
    np.testing.assert_allclose(there, wanted.map(points), atol=1e-6)
    placing.about_centre(moving, TURN)
    placing.reset(moving)
    np.testing.assert_array_equal(np.array(moving.affine), first)
    again = session.snapshot(fixed, moving, RunSettings())
    np.testing.assert_array_equal(choose_start(again)[0], choose_start(snapshot)[0])


def test_a_pixel_and_a_micrometre_cannot_lie_over_each_other(viewer, session, placing, pictures):
    fixed = viewer.add_image(pictures[0], scale=(0.5, 0.5), units="um")
    moving = viewer.add_image(pictures[1])
    with pytest.raises(InputError, match="measured in micrometer and the moving one in pixel"):
        placing.show_start(moving, session.snapshot(fixed, moving, RunSettings(start="centre")))
    np.testing.assert_array_equal(np.array(moving.affine), np.eye(3))


def test_an_image_flattened_with_a_handle_can_be_put_back(viewer, session, placing, pair):
    fixed, moving = pair
    mask = viewer.add_labels(np.zeros(moving.data.shape, np.uint8))
    placing.watch(moving)
    moving.events.affine.connect(lambda: placing.follow(moving, mask))
    placing.hold(fixed, moving)
    moving.affine = np.diag([0.5, 1, 1])
    with pytest.raises(ValueError, match="strictly positive"):  # napari's own; it stays flat
        moving.affine = np.diag([0.0, 1, 1])
    assert placing.describe(moving).startswith("scaled by 0.00 in height and 1.00 in width")
    with pytest.raises(InputError, match="flattens it to a line"):
        placing.show_start(moving, session.snapshot(fixed, moving, RunSettings(start="layers")))
    viewer.mouse_drag_callbacks[-1](viewer, None)  # the next drag: no step leads back to a line
    moving.affine = np.diag([2.0, 1, 1])
    np.testing.assert_allclose(mask.affine, moving.affine)
    placing.undo(moving)
    np.testing.assert_array_equal(np.array(moving.affine), np.eye(3))
    np.testing.assert_allclose(mask.affine, np.eye(3), atol=1e-12)


def test_what_was_not_moved_is_not_remembered(placing, pair):
    fixed, moving = pair
    placing.hold(fixed, moving)
    placing.let_go()
    moving.affine = np.diag([2.0, 2, 1])  # by another dock, say
    assert placing.describe(moving) == ""
    placing.reset(moving)
    np.testing.assert_array_equal(np.array(moving.affine), np.diag([2.0, 2, 1]))


@pytest.mark.slow
def test_the_engine_starts_from_a_mirrored_and_turned_image(viewer, placing):
    scene = transform.resize(data.camera(), (200, 240), anti_aliasing=True).astype(np.float32)
    fixed = viewer.add_image(
        scene[20:180, 20:212], scale=(0.5, 0.5), translate=(30, -12), units="um", name="visible"
    )
    twin = np.sqrt(1 - scene[13:173, 25:217])  # what lies at p in the fixed lies at p + (7, -5)
    turned = np.rot90(twin)[:, ::-1]
    moving = viewer.add_image(
        turned, scale=(5e-4, 5e-4), translate=(0.03, -0.012), units="mm", name="infrared"
    )
    session = Session(viewer)
    placing.show_start(moving, session.snapshot(fixed, moving, RunSettings()))
    placing.about_centre(moving, FLIP)
    placing.about_centre(moving, TURN)
    snapshot = session.snapshot(fixed, moving, RunSettings(device="cpu", start="layers"))
    outcome = session.job(snapshot).execute(lambda stage, fraction: None)
    result = outcome.value.result
    rows, cols = np.mgrid[:160, :192]
    rows_twin, cols_twin = rows + 7, cols - 5
    wanted = np.stack([191 - cols_twin, 159 - rows_twin], axis=-1)
    found = np.stack([rows, cols], axis=-1) + result.displacement
    error = np.linalg.norm(found - wanted, axis=-1)[40:120, 40:150]
    assert result.status == "ok"
    assert np.median(error) < 0.5
    session.close()


# In a window


@gui
def test_a_run_starts_where_the_image_was_put(make_dock, engine, pictures, qtbot):
    _viewer, dock = make_dock(engine, pictures)
    fixed, moving = dock.images.pair
    box = dock.start_box
    assert box.line.text() == strings.STARTS_CENTRED
    assert not box.reset.isEnabled()
    box.turn.click()
    qtbot.waitUntil(lambda: "turned by 90°" in box.line.text(), timeout=WAIT)
    assert box.side.text() == strings.SIDE_BY_HAND
    _run(qtbot, dock)
    start = engine.calls[0][2]["initial"]
    world = np.array(fixed.data_to_world((10, 20)))
    np.testing.assert_allclose((start @ (10, 20, 1))[:2], moving.world_to_data(world))
    assert strings.STARTED_FROM_LAYERS in dock.status.text

    box.reset.click()
    qtbot.waitUntil(lambda: box.line.text() == strings.STARTS_CENTRED, timeout=WAIT)
    np.testing.assert_allclose(np.asarray(moving.affine), np.eye(3))
    assert box.side.text() == ""
    _run(qtbot, dock)
    assert engine.calls[1][2]["initial"] is None


@gui
def test_handles_come_and_go(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    _fixed, moving = dock.images.pair
    _run(qtbot, dock)
    moving.visible = False
    box = dock.start_box
    box.by_hand.click()
    assert box.line.text() == strings.IN_HAND
    assert moving.mode == "transform"
    assert viewer.layers.selection.active is moving
    assert moving.visible
    assert moving.opacity < 1
    assert "[1] compare" not in viewer.layers
    assert not viewer.layers["[1] registered"].visible
    moving.affine = np.array([[1, 0, 4], [0, 1, 3], [0, 0, 1.0]])  # as a drag does
    qtbot.waitUntil(lambda: "shifted by 5 px" in box.line.text(), timeout=WAIT)

    box.by_hand.click()
    qtbot.waitUntil(lambda: "[1] compare" in viewer.layers, timeout=WAIT)
    assert moving.mode == "pan_zoom"
    assert not moving.visible
    assert moving.opacity == 1
    assert viewer.layers["[1] registered"].visible
    assert dock.session.runs.wanted == {"registered"}

    box.by_hand.click()
    moving.mode = "pan_zoom"  # with napari's own button
    assert not box.by_hand.isChecked()
    box.by_hand.click()
    _run(qtbot, dock)  # registering takes the handles away
    assert moving.mode == "pan_zoom"
    np.testing.assert_allclose(engine.calls[-1][2]["initial"][:2, 2], (-4, -3))


@gui
def test_a_drag_on_the_canvas_moves_the_image(make_dock, engine, pictures, qtbot, mouse):
    viewer, dock = make_dock(engine, pictures)
    hand = mouse(viewer)
    moving = dock.images.pair[1]
    dock.start_box.by_hand.click()
    qtbot.wait(200)
    pixel = 1 / viewer.scene.camera.zoom
    hand.drag((0, 0), (60, 0))
    np.testing.assert_allclose(np.asarray(moving.affine)[:2, 2], (0, 60 * pixel), atol=1e-3)
    hand.drag((0, 0), (0, 40))
    both = (40 * pixel, 60 * pixel)
    np.testing.assert_allclose(np.asarray(moving.affine)[:2, 2], both, atol=1e-3)
    qtbot.waitUntil(dock.start_box.undo.isEnabled, timeout=WAIT)
    dock.start_box.undo.click()  # one drag is one step
    np.testing.assert_allclose(np.asarray(moving.affine)[:2, 2], (0, 60 * pixel), atol=1e-3)
    dock.start_box.undo.click()
    np.testing.assert_array_equal(moving.affine, np.eye(3))
    assert not dock.start_box.undo.isEnabled()
    assert moving.mode == "transform"  # still in hand


@gui
def test_an_image_in_other_units_is_not_taken_in_hand(make_dock, engine, pictures):
    _viewer, dock = make_dock(engine, pictures)
    fixed, moving = dock.images.pair
    fixed.units, fixed.scale = ("um", "um"), (2, 2)
    moving.units, moving.scale = ("mm", "mm"), (0.002, 0.002)
    box = dock.start_box
    box.by_hand.click()
    assert "napari cannot drag it" in dock.status.text
    assert not box.by_hand.isChecked()
    assert box.start.value == "auto"
    box.turn.click()
    assert box.placing.describe(moving) == "turned by 90°"


@gui
@pytest.mark.parametrize("leave", ["remove", "swap", "3d", "register", "close"])
def test_leaving_in_the_middle_of_a_drag(make_dock, engine, pictures, qtbot, mouse, leave):
    viewer, dock = make_dock(engine, pictures)
    hand = mouse(viewer)
    moving, own = dock.images.pair[1], list(viewer.mouse_drag_callbacks)
    dock.start_box.by_hand.click()
    qtbot.wait(100)
    hand.press(0, 0)
    hand.move(20, 0)
    leaving = {
        "remove": lambda: viewer.layers.remove(moving),
        "swap": dock.images.swap.click,
        "3d": lambda: setattr(viewer.dims, "ndisplay", 3),
        "register": dock.run_bar.button.click,
        "close": lambda: viewer.window.remove_dock_widget(dock),
    }
    leaving[leave]()
    hand.move(40, 0)
    hand.release(40, 0)
    assert moving.mode == "pan_zoom"
    assert moving.opacity == 1
    assert set(viewer.mouse_drag_callbacks) <= set(own)
    if leave != "close":
        qtbot.waitUntil(lambda: not dock.busy, timeout=WAIT)
        assert not dock.start_box.by_hand.isChecked()


@gui
def test_taking_in_hand_and_letting_go_changes_nothing(make_dock, engine, pictures, qtbot):
    _viewer, dock = make_dock(engine, pictures)
    _run(qtbot, dock)
    fixed, moving = dock.images.pair
    box = dock.start_box
    box.by_hand.click()
    assert box.start.value == "layers"
    box.turn.click()
    box.undo.click()
    fixed.visible = False  # the user's own wish
    box.by_hand.click()
    assert box.start.value == "auto"
    assert not fixed.visible
    np.testing.assert_array_equal(moving.affine, np.eye(3))
    assert not box.undo.isEnabled()
    assert not box.reset.isEnabled()


@gui
def test_what_is_seen_of_a_run_comes_back_after_one_of_its_layers_went(
    make_dock, engine, pictures, qtbot
):
    viewer, dock = make_dock(engine, pictures)
    _run(qtbot, dock)
    dock.session.runs.toggle("arrows", on=True)
    dock.start_box.by_hand.click()
    viewer.layers.remove(dock.runs.run.layers[ARROWS])
    dock.start_box.by_hand.click()
    assert viewer.layers["[1] registered"].visible


@gui
def test_the_start_is_chosen_as_before_once_nothing_is_moved(make_dock, engine, pictures, qtbot):
    _viewer, dock = make_dock(engine, pictures)
    box, moving = dock.start_box, dock.images.pair[1]
    box.start.select("mirror")
    box.turn.click()
    assert box.start.value == "layers"
    # The mirrored start is what the image was turned from.
    assert box.placing.describe(moving) == "flipped, turned by 90°"
    box.undo.click()
    assert box.placing.describe(moving) == "flipped"
    assert box.start.value == "layers"
    box.undo.click()
    assert box.start.value == "mirror"
    box.undo.click()
    np.testing.assert_array_equal(moving.affine, np.eye(3))
    _run(qtbot, dock)
    np.testing.assert_allclose(engine.calls[0][2]["initial"][1], (0, -1, 127))


@gui
def test_masks_change_sides_with_the_images_and_the_moving_one_moves_along(
    make_dock, engine, pictures
):
    viewer, dock = make_dock(engine, pictures)
    areas = dock.start_box.areas
    areas.draw_moving.click()
    mask = viewer.layers["mask of infrared"]
    areas.draw_moving.click()  # goes on with the same
    assert len(viewer.layers) == 3
    dock.start_box.turn.click()
    np.testing.assert_allclose(mask.affine, dock.images.pair[1].affine)
    dock.start_box.reset.click()
    np.testing.assert_allclose(mask.affine, np.eye(3), atol=1e-12)
    dock.images.swap.click()
    assert areas.fixed_mask.value is mask
    assert areas.moving_mask.value is None
    areas.moving_mask.select(mask)  # of both: it cannot follow one of them
    dock.start_box.turn.click()
    np.testing.assert_allclose(mask.affine, np.eye(3), atol=1e-12)


@gui
def test_a_region_is_drawn_with_one_drag(make_dock, engine, pictures, qtbot, mouse):
    viewer, dock = make_dock(engine, pictures)
    hand = mouse(viewer)
    dock.start_box.by_hand.click()
    dock.start_box.areas.draw_region.click()
    assert not dock.start_box.by_hand.isChecked()  # one thing at a time
    region = dock.start_box.areas.region.value
    pixel = 1 / viewer.scene.camera.zoom
    hand.drag((-60, -90), (120, 45))
    assert region.nshapes == 1
    assert region.mode == "select"
    hand.drag((-200, -150), (-190, -140))  # draws no second one
    assert region.nshapes == 1
    dock.start_box.areas.draw_region.click()
    assert dock.start_box.areas.region.value is region
    _run(qtbot, dock)
    fixed, _, options = engine.calls[0]
    middle = np.array([47.5, 63.5])
    corners = middle + np.array([(-90, -60), (45, 120)]) * pixel
    np.testing.assert_allclose(options["initial"][:2, 2], corners[0], atol=1.0)
    np.testing.assert_allclose(fixed.shape, np.ptp(corners, axis=0), atol=1.5)


@gui
def test_the_layer_that_has_handles_can_be_removed(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    _run(qtbot, dock)
    moving = dock.images.pair[1]
    dock.start_box.by_hand.click()
    viewer.layers.remove(moving)
    qtbot.wait(100)
    assert not dock.start_box.by_hand.isChecked()
    assert viewer.layers["[1] registered"].visible
    assert "[1] compare" in viewer.layers


@gui
def test_one_image_is_not_taken_in_hand(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    viewer.layers.remove(dock.images.pair[1])
    dock.next_steps.hand_chosen.emit()  # offered after a failed run
    assert strings.NEED_TWO in dock.status.text
    assert not dock.start_box.by_hand.isChecked()


@gui
def test_closing_takes_the_handles_away(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    moving = dock.images.pair[1]
    dock.start_box.by_hand.click()
    viewer.window.remove_dock_widget(dock)
    assert moving.mode == "pan_zoom"
    assert moving.opacity == 1
    moving.affine = np.diag([2.0, 2, 1])  # nobody of ours listens any more


@gui
def test_nothing_is_moved_where_the_view_shows_something_else(make_dock, engine, pictures):
    viewer, dock = make_dock(engine, (pictures[0], pictures[1][::2, ::2]))
    box, moving = dock.start_box, dock.images.pair[1]
    viewer.dims.ndisplay = 3
    box.by_hand.click()
    assert strings.NOT_IN_3D in dock.status.text
    assert not box.by_hand.isChecked()
    viewer.dims.ndisplay = 2
    viewer.add_labels(np.zeros((3, 9, 9), np.uint8))
    viewer.dims.roll()
    box.by_hand.click()
    assert strings.NOT_THESE_AXES in dock.status.text
    assert moving.mode == "pan_zoom"
    np.testing.assert_array_equal(np.array(moving.affine), np.eye(3))
    assert box.start.value == "auto"


@gui
def test_another_view_or_fixed_image_takes_the_handles_away(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    box, (fixed, moving) = dock.start_box, dock.images.pair
    other = viewer.add_image(pictures[0], name="other")
    viewer.add_labels(np.zeros((3, 9, 9), np.uint8))
    dock.images.choose(fixed, moving)
    fixed.visible = False
    leaving = {
        "3d": lambda: setattr(viewer.dims, "ndisplay", 3),
        "axes": viewer.dims.roll,
        "fixed": lambda: dock.images.choose(other, moving),
    }
    for leave in leaving.values():
        dock.images.choose(fixed, moving)
        viewer.dims.ndisplay, viewer.dims.order = 2, (0, 1, 2)
        box.by_hand.click()
        assert (moving.mode, fixed.visible) == ("transform", True)
        leave()
        assert (moving.mode, moving.opacity, fixed.visible) == ("pan_zoom", 1, False)
        assert not box.by_hand.isChecked()
    viewer.dims.order = (0, 1, 2)
    box.by_hand.click()
    viewer.layers.remove(other)
    qtbot.wait(100)
    assert (moving.mode, moving.opacity) == ("pan_zoom", 1)


@gui
@pytest.mark.parametrize("former", ["auto", "mirror"])
def test_a_start_by_hand_is_of_these_images_only(make_dock, engine, pictures, qtbot, former):
    viewer, dock = make_dock(engine, pictures)
    box, (fixed, moving) = dock.start_box, dock.images.pair
    box.start.select(former)
    box.turn.click()
    assert box.start.value == "layers"
    other = viewer.add_image(pictures[1][::2, ::2], name="other")
    dock.images.choose(fixed, other)
    assert box.start.value == former
    assert strings.SIDE_BY_HAND not in box.side.text()
    box.start.select("auto")
    dock.images.choose(fixed, moving)
    qtbot.waitUntil(lambda: "turned" in box.line.text(), timeout=WAIT)
    # What the user chooses stays, after a drag as with other images.
    box.by_hand.click()
    box.start.select("auto")
    box.start.activated.emit(box.start.currentIndex())
    box.by_hand.click()
    assert box.start.value == "auto"
    box.start.select("layers")
    box.start.activated.emit(box.start.currentIndex())
    dock.images.choose(fixed, other)
    assert box.start.value == "layers"


@gui
def test_what_is_drawn_belongs_to_its_image(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    areas, (fixed, moving) = dock.start_box.areas, dock.images.pair
    areas.draw_fixed.click()
    mask = areas.fixed_mask.value
    viewer.layers.selection.active = fixed
    areas.draw_fixed.click()  # goes on with the same
    assert areas.fixed_mask.value is mask
    assert (viewer.layers.selection.active, mask.mode) == (mask, "paint")
    areas.draw_region.click()
    qtbot.waitUntil(lambda: dock.start_box.side.text() == "mask, region", timeout=WAIT)
    dock.images.swap.click()
    assert (areas.fixed_mask.value, areas.moving_mask.value) == (None, mask)
    assert areas.region.value is None
    other = viewer.add_image(pictures[0], name="other")
    dock.images.choose(moving, other)
    assert areas.moving_mask.value is None
    qtbot.waitUntil(lambda: dock.start_box.side.text() == "", timeout=WAIT)
    chosen = viewer.add_labels(np.ones_like(mask.data), name="chosen")
    areas.moving_mask.select(chosen)  # not drawn here: whoever chose it knows for which images
    dock.images.choose(moving, fixed)
    assert areas.moving_mask.value is chosen


@gui
def test_a_mask_and_a_region_are_one_click_away(make_dock, engine, pictures, qtbot):
    viewer, dock = make_dock(engine, pictures)
    areas = dock.start_box.areas
    areas.draw_moving.click()
    mask = viewer.layers["mask of infrared"]
    assert areas.moving_mask.value is mask
    assert mask.mode == "paint"
    mask.paint((30, 40), 1)
    areas.draw_fixed.click()
    fixed_mask = areas.fixed_mask.value
    fixed_mask.paint((40, 60), 1)
    areas.draw_region.click()
    region = viewer.layers["region of visible"]
    assert areas.region.value is region
    assert region.mode == "add_rectangle"
    assert strings.DRAW_REGION in dock.status.text
    dock.run_bar.button.click()
    assert "Nothing is drawn" in dock.status.text
    assert not engine.calls

    region.add_rectangles(np.array([(20, 30), (20, 79), (69, 79), (69, 30)]))
    _run(qtbot, dock)
    fixed, _, options = engine.calls[0]
    np.testing.assert_array_equal(fixed, pictures[0][20:70, 30:80])
    np.testing.assert_allclose(options["initial"][:2, 2], (20, 30))
    np.testing.assert_array_equal(options["moving_mask"], mask.data > 0)
    np.testing.assert_array_equal(options["fixed_mask"], fixed_mask.data[20:70, 30:80] > 0)
    registered = viewer.layers["[1] registered"]
    np.testing.assert_allclose(registered.data_to_world((0, 0)), (20, 30))
    assert strings.OF_REGION in dock.status.text
    assert "visible (region)" in dock.runs.run.title

    region.name = "nucleus"
    assert areas.region.currentText() == "nucleus"
    viewer.layers.remove(region)
    assert areas.region.value is None
