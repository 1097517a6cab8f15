"""Two pictures over each other."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.imaging.compose import compose, to_grey, to_rgb, to_shown

BLACK = np.zeros((40, 60, 3), np.uint8)
WHITE = np.full((40, 60, 3), 255, np.uint8)


def test_grey_is_shown_within_its_contrast_limits():
    image = np.array([[-5.0, 10], [20, np.nan]])
    np.testing.assert_array_equal(to_shown(image, (0, 20)), [[0, 127], [255, 0]])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_colour_of_any_dtype_keeps_its_colours(dtype):
    top = 1 if dtype is np.float32 else np.iinfo(dtype).max
    image = np.zeros((2, 2, 4), dtype)
    image[..., 0] = top
    assert to_shown(image, None)[0, 0].tolist() == [255, 0, 0]


def test_no_data_is_black():
    valid = np.zeros((40, 60), bool)
    assert not to_shown(WHITE, None, valid).any()


def test_an_overlay_is_grey_where_both_agree_and_coloured_where_not():
    assert compose(WHITE, WHITE, "overlay", 0.5)[0, 0].tolist() == pytest.approx([255] * 3, abs=1)
    assert compose(WHITE, BLACK, "overlay", 0.5)[0, 0].tolist() == pytest.approx([0, 255, 0], abs=1)
    magenta = compose(BLACK, WHITE, "overlay", 0.5)[0, 0].tolist()
    assert magenta == pytest.approx([255, 0, 255], abs=1)
    assert compose(WHITE, WHITE, "overlay", 0)[0, 0].tolist() == pytest.approx([0, 255, 0], abs=1)


def test_a_blend_goes_from_fixed_to_other():
    values = [compose(BLACK, WHITE, "blend", share)[0, 0, 0] for share in (0, 0.5, 1)]
    assert values == [0, 127, 255]


def test_the_curtain_shows_fixed_left_of_it_and_other_right():
    out = compose(BLACK, WHITE, "curtain", 0.25)
    assert not out[:, :13].any()
    assert (out[:, 17:] == 255).all()
    for image in (BLACK, WHITE):  # the line is seen on any image
        line = compose(image, image, "curtain", 0.25)[0, :, 0].astype(int)
        assert np.abs(np.diff(line)).max() == 255
    np.testing.assert_array_equal(compose(BLACK, WHITE, "curtain", 0), WHITE)
    np.testing.assert_array_equal(compose(BLACK, WHITE, "curtain", 1), BLACK)


def test_a_checkerboard_alternates_tiles():
    out = compose(BLACK, WHITE, "checkerboard", 10)[..., 0]
    rows, cols = np.indices(out.shape) // 10
    np.testing.assert_array_equal(out == 255, (rows + cols) % 2 == 0)


def test_side_by_side_or_one_above_the_other():
    out = compose(BLACK, WHITE, "beside", 0)
    rows, cols = BLACK.shape[:2]
    assert out.shape == (rows, 2 * cols + 1, 3)
    assert not out[:, :cols].any()
    assert (out[:, cols:] == 255).all()
    wide = np.zeros((10, 100), np.uint8)
    assert compose(wide, wide, "beside", 0).shape == (21, 100, 3)


def test_flicker_shows_one_or_the_other():
    np.testing.assert_array_equal(compose(BLACK, WHITE, "flicker", 0), BLACK)
    np.testing.assert_array_equal(compose(BLACK, WHITE, "flicker", 0, second=True), WHITE)


def test_grey_and_colour_can_be_mixed():
    grey = np.full((40, 60), 255, np.uint8)
    red = np.zeros((40, 60, 3), np.uint8)
    red[..., 0] = 255
    out = compose(grey, red, "curtain", 0.5)
    assert out[0, 0].tolist() == [255, 255, 255]
    assert out[0, -1].tolist() == [255, 0, 0]
    np.testing.assert_array_equal(compose(grey, grey, "blend", 0.5), to_rgb(grey))
    assert to_grey(red)[0, 0] == pytest.approx(0.299 * 255, abs=1)
    assert to_grey(WHITE)[0, 0] == 255


@pytest.mark.parametrize("scale", [1e-320, 1e-300, 1.0, 1e300, 1.7e308])
def test_greys_of_any_size_are_shown_alike(scale):
    image = np.array([[-1.0, 0.0], [1.0, np.nan]]) * scale
    expected = to_shown(np.array([[-1.0, 0.0], [1.0, np.nan]]), (-1.0, 1.0))
    np.testing.assert_array_equal(to_shown(image, (-scale, scale)), expected)
    assert expected.tolist() == [[0, 127], [255, 0]]


def test_small_differences_of_large_greys_are_shown():
    image = np.array([[2**32 - 1, 2**32 - 6, 2**32 - 11]], dtype=np.uint32)
    assert to_shown(image, None).tolist() == [[255, 127, 0]]


def test_greys_far_beyond_the_limits_are_black_and_white():
    assert to_shown(np.array([[-1e300, 0.5, 1e300]]), (0.0, 1.0)).tolist() == [[0, 127, 255]]
