"""Layers' places in the world, and pixels through them."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared.placement import (
    frames_overlap,
    moving_from_fixed,
    part_of,
    place,
    unit_factors,
)

ANISOTROPIC = {
    "scale": (0.5, 2.0),
    "translate": (10, -3),
    "rotate": 20,
    "shear": [0.1],
    "affine": np.array([[1.0, 0.2, 5], [-0.1, 0.9, -7], [0, 0, 1]]),
    "units": "micrometer",
}


def _world(layer, points):
    return np.array([layer.data_to_world(point) for point in points])


def test_a_layer_made_with_a_placement_lies_where_the_original_lies():
    layer = Image(np.zeros((20, 30)), **ANISOTROPIC)
    copy = Image(np.zeros((20, 30)), **place(layer).layer_kwargs)
    points = [(0, 0), (19, 0), (3, 28)]
    np.testing.assert_allclose(_world(copy, points), _world(layer, points))
    np.testing.assert_allclose(copy.scale, layer.scale)
    np.testing.assert_allclose(copy.affine, layer.affine)
    assert copy.units == layer.units


def test_a_part_of_a_picture_lies_where_it_was_cut_out():
    layer = Image(np.zeros((20, 30)), **ANISOTROPIC)
    part = Image(np.zeros((5, 8)), **part_of(place(layer), (4, 6), 3))
    np.testing.assert_allclose(
        _world(part, [(0, 0), (2, 5)]), _world(layer, [(4, 6), (4 + 6, 6 + 15)])
    )


def test_a_slice_of_a_stack_keeps_its_last_two_axes():
    stack = Image(np.zeros((4, 20, 30)), scale=(3, 0.5, 2), translate=(1, 10, -3))
    flat = Image(np.zeros((20, 30)), **place(stack, (2,)).layer_kwargs)
    np.testing.assert_allclose(
        flat.data_to_world((3, 5)), np.asarray(stack.data_to_world((2, 3, 5)))[1:]
    )
    np.testing.assert_allclose(flat.scale, (0.5, 2))


def test_a_coarser_level_covers_the_same_frame():
    layer = Image(np.zeros((40, 60)), **ANISOTROPIC)
    level = Image(np.zeros((10, 20)), **place(layer, level=(4, 3)).layer_kwargs)
    corners, full_corners = [(-0.5, -0.5), (9.5, 19.5)], [(-0.5, -0.5), (39.5, 59.5)]
    np.testing.assert_allclose(_world(level, corners), _world(layer, full_corners))


def test_custom_means_placed_or_calibrated_by_someone():
    data = np.zeros((20, 30))
    assert not place(Image(data)).custom
    for kwargs in ({"scale": (2, 2)}, {"translate": (0, 1)}, {"units": "um"}, {"rotate": 5}):
        assert place(Image(data, **kwargs)).custom


def test_pixels_meet_through_the_world():
    fixed = Image(np.zeros((20, 30)), **ANISOTROPIC)
    moving = Image(np.zeros((40, 20)), scale=(3, 0.7), translate=(-2, 8), units="micrometer")
    matrix = moving_from_fixed(place(fixed), place(moving))
    point = np.array([7.0, 11.0])
    expected = moving.world_to_data(fixed.data_to_world(point))
    np.testing.assert_allclose((matrix @ (*point, 1))[:2], expected)


def test_units_are_converted():
    fixed = Image(np.zeros((20, 30)), scale=(0.5, 0.5), units="micrometer")
    moving = Image(np.zeros((20, 30)), scale=(250, 250), units="nanometer")
    matrix = moving_from_fixed(place(fixed), place(moving))
    np.testing.assert_allclose(matrix, np.diag([2, 2, 1]), atol=1e-12)


def test_units_that_cannot_be_compared_are_an_error_that_says_what_to_do():
    fixed = Image(np.zeros((20, 30)), units="micrometer")
    with pytest.raises(InputError, match="Centre the frames"):
        moving_from_fixed(place(fixed), place(Image(np.zeros((20, 30)))))
    with pytest.raises(InputError, match="second"):
        unit_factors(("second", "second"), ("micrometer", "micrometer"))


def test_frames_side_by_side_do_not_overlap():
    shift = np.eye(3)
    assert frames_overlap(shift, (20, 30), (20, 30))
    shift[0, 2] = 25
    assert not frames_overlap(shift, (20, 30), (20, 30))
    assert frames_overlap(shift, (20, 30), (40, 30))
