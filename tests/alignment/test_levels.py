import gc
import weakref

import numpy as np
import pytest
import torch
from skimage import data

from napari_mmreg.alignment.bspline_fit import warp_level
from napari_mmreg.alignment.levels import (
    build_level,
    homography_scores,
    masked_correlation,
    pair_tensors,
    shift_correlation,
)
from napari_mmreg.alignment.lucas_kanade import align
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.nn.homography import matrix_tensor
from napari_mmreg.run import Run

FIXED = data.camera()[100:340, 60:380]
SHIFT = MatrixTransform.translation((14, -22))
MOVING = 255 - SHIFT.inverse().resample(FIXED, FIXED.shape, fill=255)


def level(size=128):
    mask = SHIFT.inverse().valid(FIXED.shape, FIXED.shape)
    return build_level(pair_tensors(prepare_pair(FIXED, MOVING, moving_mask=mask), "cpu"), size)


def test_a_level_keeps_shape_and_places():
    small = level()
    assert small.shape == (96, 128)
    matrix = matrix_tensor(SHIFT.matrix_xy)[None]
    torch.testing.assert_close(small.to_full(small.from_full(matrix)), matrix)
    assert small.from_full(matrix)[0, 0, 2].item() == pytest.approx(-22 * 128 / 320)


def test_thin_images_keep_a_short_side():
    pair = prepare_pair(FIXED[:16], FIXED[:16])
    assert min(build_level(pair_tensors(pair, "cpu"), 64).shape) >= 12


def test_the_true_shift_scores_best():
    truth = matrix_tensor(SHIFT.matrix_xy)
    wrong = truth.clone()
    wrong[0, 2] += 9
    scores = homography_scores(level(), torch.stack([torch.eye(3).double(), wrong, truth]))
    assert scores.argmax() == 2
    assert scores[2] > 0.6
    assert scores[:2].max() < scores[2] - 0.2


def test_correlation_sees_only_the_mask():
    one = torch.rand(1, 3, 20, 20)
    two = one.clone()
    two[..., 10:] = torch.rand(1, 3, 20, 10)
    mask = torch.ones(1, 1, 20, 20)
    mask[..., 10:] = 0
    assert masked_correlation(one, two, mask).item() == pytest.approx(1, abs=1e-5)
    assert masked_correlation(one, two, torch.ones(1, 1, 20, 20)).item() < 0.9


def test_shift_correlation_finds_the_shift_and_agrees_at_zero():
    small = level()
    maps = small.features
    moved = maps.roll((5, -7), (2, 3))
    found = shift_correlation(maps, moved, torch.ones_like(small.fixed_mask))
    place = np.unravel_index(int(found.argmax()), found.shape)
    middle = (found.shape[0] // 2, found.shape[1] // 2)
    assert (place[0] - middle[0], place[1] - middle[1]) == (5, -7)
    mask = torch.ones_like(small.fixed_mask)
    expected = masked_correlation(maps, moved, mask).item()
    assert found[middle].item() == pytest.approx(expected, abs=1e-4)


def test_a_pair_is_cleaned_once_and_nothing_outlives_it():
    pair = prepare_pair(FIXED, MOVING)
    first = pair_tensors(pair, "cpu")
    assert pair_tensors(pair, "cpu") is first
    made = build_level(first, 64)
    assert build_level(first, 64) is made
    turned = MatrixTransform.from_params(rotation_degrees=3)
    warped = warp_level(made, turned)
    assert warp_level(made, turned) is warped
    assert warped.features.shape == made.features.shape
    align(made, torch.eye(3, dtype=torch.float64)[None], Run(), iterations=1)
    kept, level = weakref.ref(first[0]), weakref.ref(made)
    del pair, first, made, warped
    gc.collect()
    assert level() is None
    gc.collect()
    assert kept() is None
