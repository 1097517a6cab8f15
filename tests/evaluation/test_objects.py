"""Object scores against SimpleITK, SciPy and scikit-learn-free counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import cdist

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.objects import (
    compare_labels,
    compare_masks,
    decode,
    encode,
    found_share,
    mean_iou,
    paint,
    split,
)


@pytest.fixture
def labels():
    """Two label images with ids that have gaps."""
    random = np.random.default_rng(4)
    noise = ndimage.gaussian_filter(random.standard_normal((70, 90)), 5)
    first = np.digitize(noise, np.quantile(noise, [0.3, 0.6, 0.8])) * 7
    return first, np.roll(first, (2, -3), axis=(0, 1))


def test_iou_and_f1_are_those_of_simpleitk(labels):
    sitk = pytest.importorskip("SimpleITK")
    measure = sitk.LabelOverlapMeasuresImageFilter()
    measure.Execute(*(sitk.GetImageFromArray(x.astype(np.int32)) for x in labels))
    scores = compare_labels(*labels)
    assert [s.id for s in scores] == [7, 14, 21]
    for score in scores:
        assert score.iou == pytest.approx(measure.GetJaccardCoefficient(score.id))
        assert score.f1 == pytest.approx(measure.GetDiceCoefficient(score.id))
        assert score.f1 == pytest.approx(2 * score.iou / (1 + score.iou))


def test_boundary_f_is_that_of_all_distances(labels):
    for score in compare_labels(*labels):
        edges = [
            np.argwhere(m & ~ndimage.binary_erosion(m, border_value=1))
            for m in (labels[0] == score.id, labels[1] == score.id)
        ]
        distance = cdist(*edges)
        precision = (distance.min(axis=0) <= 2).mean()
        recall = (distance.min(axis=1) <= 2).mean()
        assert score.boundary_f == pytest.approx(2 * precision * recall / (precision + recall))


def test_only_valid_pixels_count():
    first = np.zeros((20, 20), int)
    first[5:15, 5:15] = 1
    second = np.zeros_like(first)
    second[5:15, 5:10] = 1
    assert compare_labels(first, second)[0].iou == pytest.approx(0.5)
    valid = np.ones(first.shape, bool)
    valid[:, 10:] = False
    assert compare_labels(first, second, valid)[0].iou == 1.0
    assert compare_labels(first, second, valid)[0].boundary_f == 1.0


def test_masks_may_overlap_and_be_missing(labels):
    masks = split(labels[0])
    assert [s.iou for s in compare_masks(masks, masks)] == [1.0, 1.0, 1.0]
    assert [s.iou for s in compare_masks(masks, {})] == [0.0, 0.0, 0.0]
    assert found_share(compare_masks(masks, {7: masks[7]})) == pytest.approx(1 / 3)
    nothing = compare_masks(masks, masks, np.zeros(labels[0].shape, bool))
    assert np.isnan(mean_iou(nothing))


def test_paint_shows_the_smaller_one():
    large, small = np.ones((8, 8), bool), np.zeros((8, 8), bool)
    small[2:4, 2:4] = True
    painted = paint({1: small, 2: large}, (8, 8))
    assert (painted == 1).sum() == 4
    assert (painted == 2).sum() == 60


@given(hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_run_lengths_come_back(mask):
    np.testing.assert_array_equal(decode(encode(mask)), mask)


@given(st.lists(st.integers(0, 9), max_size=4))
def test_run_lengths_that_do_not_fit_are_refused(counts):
    if sum(counts) != 100:
        with pytest.raises(InputError, match="do not fill"):
            decode({"size": [10, 10], "counts": counts})


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.zeros((4, 4)), np.zeros((4, 4), int), "whole numbers"),
        (np.zeros((4, 4), int), np.zeros((4, 4), int), "no object"),
        (np.ones((4, 4), int), np.ones((4, 5), int), "different shapes"),
        (np.full((4, 4), -1), np.ones((4, 4), int), "negative"),
    ],
)
def test_bad_labels(first, second, message):
    with pytest.raises(InputError, match=message):
        compare_labels(first, second)
