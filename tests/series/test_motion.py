"""Control grid, consensus, outliers and smoothing, against motions that are known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.samples.misalignment import smooth_field
from napari_mmreg.series.motion import (
    affine_part,
    consensus,
    corrected,
    distance,
    drift_between,
    smooth_motion,
)

SHAPE = (256, 200)


def shift(row, col):
    return MatrixTransform.translation((row, col)).matrix


def steps(matrices):
    return np.array([matrix[:2, 2] for matrix in matrices])


def test_distance_and_drift_are_in_fixed_pixels():
    """The moving image has half the rows' spacing: its pixels count half as rows."""
    reference = MatrixTransform(np.diag([2.0, 1.0, 1.0]))
    moved = MatrixTransform.translation((6.0, 4.0)).compose(reference)
    np.testing.assert_allclose(drift_between(moved, reference, SHAPE), (3.0, 4.0))
    assert distance(moved, reference, SHAPE) == pytest.approx(5.0)


def test_the_affine_part_of_a_bend_is_the_affine_below_it():
    turn = MatrixTransform.from_params(rotation_degrees=3, translation=(4, -2), center=(128, 100))
    bent = DisplacementTransform(smooth_field(SHAPE, 0.5, 40, 1))
    part = affine_part(turn.compose(bent), SHAPE)
    assert distance(MatrixTransform(part), turn, SHAPE) < 0.3
    np.testing.assert_allclose(affine_part(turn, SHAPE), turn.matrix)


def test_correcting_keeps_the_bend():
    bent = DisplacementTransform(smooth_field(SHAPE, 3.0, 60, 1))
    own = affine_part(bent, SHAPE)
    moved = corrected(bent, own, shift(5, 0) @ own)
    np.testing.assert_allclose(moved.map((50.0, 60.0)), bent.map((50.0, 60.0)) + np.array((5, 0)))


def test_consensus_has_less_noise_than_one_and_no_ear_for_an_outlier():
    random = np.random.default_rng(0)
    truth = MatrixTransform.from_params(rotation_degrees=2, translation=(3, 4))
    noisy = [MatrixTransform.translation(random.normal(0, 0.5, 2)).compose(truth) for _ in range(5)]
    errors = [distance(each, truth, SHAPE) for each in noisy]
    found, spread = consensus([*noisy[:4], MatrixTransform.translation((60, 60))], SHAPE)
    assert distance(found, truth, SHAPE) < np.mean(errors)
    assert spread < 1.5


def test_smoothing_takes_noise_away_and_keeps_a_drift():
    random = np.random.default_rng(1)
    truth = np.stack([np.linspace(0, 30, 40), 5 * np.sin(np.arange(40) / 9)], axis=1)
    noisy = truth + random.normal(0, 0.25, truth.shape)
    motion = smooth_motion([shift(*step) for step in noisy], SHAPE, 7)
    before = np.linalg.norm(noisy - truth, axis=1).mean()
    after = np.linalg.norm(steps(motion.matrices) - truth, axis=1).mean()
    assert motion.kept.all()
    assert after < 0.7 * before


def test_a_jump_that_lasts_is_neither_an_outlier_nor_smoothed_away():
    truth = np.array([(0.0, 0.0)] * 6 + [(12.0, -9.0)] * 6)
    motion = smooth_motion([shift(*step) for step in truth], SHAPE, 5)
    assert motion.kept.all()
    np.testing.assert_allclose(steps(motion.matrices), truth, atol=1e-9)


@pytest.mark.parametrize("place", [0, 1, 5, 9])
def test_one_outlier_is_found_wherever_it_is(place):
    truth = np.stack([3.0 * np.arange(10), -2.0 * np.arange(10)], axis=1)
    wrong = truth.copy()
    wrong[place] += (20, 30)
    motion = smooth_motion([shift(*step) for step in wrong], SHAPE, 5)
    assert np.flatnonzero(~motion.kept).tolist() == [place]
    inside = 0 < place < 9
    expected = truth[place] if inside else truth[1 if place == 0 else 8]
    np.testing.assert_allclose(steps(motion.matrices)[place], expected, atol=1e-6)


def test_gaps_are_filled_along_the_drift():
    known = [shift(2.0 * n, 0) if n not in (0, 3, 4) else None for n in range(7)]
    motion = smooth_motion(known, SHAPE, 5)
    np.testing.assert_allclose(steps(motion.matrices)[:, 0], [2, 2, 4, 6, 8, 10, 12], atol=1e-9)
    assert np.isnan(motion.moved[3])


def test_without_smoothing_nothing_moves():
    noisy = [shift(*step) for step in np.random.default_rng(2).normal(0, 0.5, (6, 2))]
    motion = smooth_motion(noisy, SHAPE, 0)
    np.testing.assert_array_equal(motion.matrices, noisy)
    assert smooth_motion(noisy[:1], SHAPE).kept.all()
