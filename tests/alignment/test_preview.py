"""What is shown of an alignment that was found so far."""

import numpy as np
import pytest
import torch
from skimage import data

from napari_mmreg.alignment import preview
from napari_mmreg.alignment.levels import pair_tensors
from napari_mmreg.alignment.preview import MOST, show_alignment
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.run import Run

SHIFT = (9.0, -14.0)


def _tensors(fixed, moving):
    run = Run()
    pair = prepare_pair(fixed, moving, initial=MatrixTransform.identity(), run=run)
    assert pair.shape == fixed.shape
    return pair_tensors(pair, "cpu")


@pytest.fixture(scope="module")
def tensors():
    """A photograph and its negative, shifted: moving = fixed + SHIFT."""
    scene = data.camera()[100:340, 60:380].astype(np.float32)
    moving = MatrixTransform.translation(SHIFT).inverse().resample(255 - scene, scene.shape, 1)
    return _tensors(scene, np.nan_to_num(moving))


def _looks(tensors, *transforms):
    seen = []
    run = Run(preview=seen.append)
    for transform in transforms:
        show_alignment(tensors, transform, run)
    return seen


def test_nothing_is_computed_for_nobody(tensors, monkeypatch):
    monkeypatch.setattr(preview, "build_level", lambda *_: pytest.fail("computed"))
    show_alignment(tensors, MatrixTransform.identity(), Run())


def test_the_right_shift_is_more_similar_and_is_seen(tensors):
    before, after = _looks(tensors, MatrixTransform.identity(), MatrixTransform.translation(SHIFT))
    assert after.similarity > 0.9
    assert before.similarity < 0.5
    assert after.picture.shape == (96, 128, 3)
    assert after.picture.dtype == np.uint8
    np.testing.assert_array_equal(before.picture[..., 1], after.picture[..., 1])
    middle = np.s_[20:76, 20:108]
    fixed, moved = (after.picture[..., channel][middle].astype(float) for channel in (1, 0))
    assert np.corrcoef(fixed.ravel(), moved.ravel())[0, 1] < -0.98  # a negative
    unmoved = before.picture[..., 0][middle].astype(float)
    assert np.corrcoef(fixed.ravel(), unmoved.ravel())[0, 1] > -0.9
    np.testing.assert_array_equal(after.picture[..., 0], after.picture[..., 2])


def test_a_tensor_is_a_homography_on_x_and_y(tensors):
    matrix = torch.eye(3, dtype=torch.float64)
    matrix[0, 2], matrix[1, 2] = SHIFT[1], SHIFT[0]
    one, other = _looks(tensors, matrix, MatrixTransform.translation(SHIFT))
    assert one.similarity == pytest.approx(other.similarity)
    np.testing.assert_array_equal(one.picture, other.picture)


def test_pictures_of_narrow_images_are_small_too():
    strip = np.random.default_rng(0).random((24, 2400)).astype(np.float32)
    (look,) = _looks(_tensors(strip, strip), MatrixTransform.identity())
    assert max(look.picture.shape[:2]) <= MOST
    assert look.similarity == pytest.approx(1.0, abs=1e-4)
