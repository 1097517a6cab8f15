import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    MatrixTransform,
    ResidualTransform,
    correct_transform,
    max_likelihood_smoothing,
    rbf_correction,
)

FIXED = np.array([[10, 20], [12, 90], [70, 15], [64, 85], [35, 50], [50, 33.0]])
OFFSETS = np.array([[0, 3], [1, 0], [-2, 2], [0, 0], [3, -2], [0, 1.0]])
PROBES = np.random.default_rng(0).uniform(0, 100, (20, 2))


def test_without_smoothing_every_offset_is_met():
    bend = ResidualTransform(FIXED, OFFSETS, reach=300)
    assert_allclose(bend.map(FIXED), FIXED + OFFSETS, atol=1e-5)


def test_strength_scales_the_field():
    whole = ResidualTransform(FIXED, OFFSETS, 200, 0.1).map(PROBES) - PROBES
    half = ResidualTransform(FIXED, OFFSETS, 200, 0.1, 0.5).map(PROBES) - PROBES
    assert_allclose(half, whole / 2)
    assert_allclose(ResidualTransform(FIXED, OFFSETS, 200, 0.1, 0.0).map(PROBES), PROBES)


def test_nothing_moves_beyond_the_reach():
    bend = ResidualTransform([[50, 50]], [[4, -3]], reach=20)
    moved = bend.map([[50, 50], [50, 69.9], [50, 70], [0, 0]]) - [
        [50, 50],
        [50, 69.9],
        [50, 70],
        [0, 0],
    ]
    assert_allclose(moved[0], [4, -3], atol=1e-6)
    assert 0 < np.linalg.norm(moved[1]) < 1e-3
    assert_allclose(moved[2:], 0)


def test_the_inverse_leads_back():
    bend = ResidualTransform(FIXED, OFFSETS, reach=150, smoothing=0.1)
    assert_allclose(bend.inverse().map(bend.map(PROBES)), PROBES, atol=1e-4)


def test_errors_left_out_are_those_of_refits():
    bend = ResidualTransform(FIXED, OFFSETS, reach=120, smoothing=0.2, strength=0.7)
    for row, missed in enumerate(bend.offsets_left_out()):
        others = np.arange(len(FIXED)) != row
        refit = ResidualTransform(FIXED[others], OFFSETS[others], 120, 0.2, 0.7)
        assert_allclose(FIXED[row] + OFFSETS[row] - refit.map(FIXED[row]), missed, atol=1e-6)


def test_offsets_that_contradict_each_other_are_averaged():
    bend = ResidualTransform([[5, 5], [5, 5]], [[2, 0], [0, 4]], reach=50)
    assert_allclose(bend.map([5, 5]), [6, 7], atol=1e-6)


def test_agreeing_residuals_are_believed_and_noise_is_not():
    rng = np.random.default_rng(1)
    points = rng.uniform(0, 200, (20, 2))
    smooth = points[:, ::-1] * 0.05 + 4
    noise = rng.normal(0, 1, (20, 2))
    assert max_likelihood_smoothing(points, smooth, 500) <= 0.03
    assert max_likelihood_smoothing(points, noise, 500) >= 3


def test_the_smoothing_does_not_depend_on_the_resolution():
    assert max_likelihood_smoothing(FIXED, OFFSETS, 200) == max_likelihood_smoothing(
        FIXED * 7, OFFSETS * 7, 1400
    )


def test_a_correction_keeps_the_transform_and_follows_the_pairs(wavy):
    field = DisplacementTransform(wavy((100, 100)))
    moving = field.map(FIXED) + OFFSETS
    corrected = correct_transform(field, FIXED, moving, smoothing=0)
    assert isinstance(corrected, CompositeTransform)
    parent, bend = corrected.transforms
    assert parent is field
    assert isinstance(bend, ResidualTransform)
    assert_allclose(corrected.map(FIXED), moving, atol=1e-5)


def test_one_pair_moves_the_whole_image():
    corrected = correct_transform(MatrixTransform.identity(), [[5, 5]], [[9, 2]])
    assert_allclose(corrected.map(PROBES), PROBES + np.array([4, -3]), atol=0.05)


def test_a_correction_where_the_transform_has_no_answer():
    homography = MatrixTransform([[1, 0, 0], [0, 1, 0], [-1 / 66, 0, 1]])
    with pytest.raises(InputError, match="pair 3"):
        correct_transform(homography, FIXED, FIXED)
    with pytest.raises(InputError, match="pair left eye"):
        correct_transform(homography, FIXED, FIXED, names=["a", "b", "left eye", "d", "e", "f"])
    with pytest.raises(InputError, match="add one"):
        correct_transform(homography, np.empty((0, 2)), np.empty((0, 2)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [], 5), "one at least"),
        (([[1, 2]], [[1, 2], [3, 4]], 5), "as many offsets"),
        (([[1, np.nan]], [[1, 2]], 5), "finite"),
        (([[1, 2]], [[1, 2]], 0), "reach"),
        (([[1, 2]], [[1, 2]], np.inf), "reach"),
        (([[1, 2]], [[1, 2]], 5, -1), "smoothing"),
        (([[1, 2]], [[1, 2]], 5, 0, 2), "strength"),
    ],
)
def test_impossible_corrections(arguments, message):
    with pytest.raises(TransformError, match=message):
        ResidualTransform(*arguments)


coordinates = st.integers(0, 6).map(float)  # few places, so that many points coincide


@given(st.lists(st.tuples(*[coordinates] * 4), min_size=1, max_size=8))
def test_degenerate_points_never_break_a_correction(rows):
    table = np.array(rows)
    bend = rbf_correction(table[:, :2], table[:, 2:])
    assert np.isfinite(bend.map(PROBES)).all()
    assert np.isfinite(bend.offsets_left_out()).all()
    assert np.abs(bend.map(PROBES) - PROBES).max() < 40
