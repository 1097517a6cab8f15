import numpy as np
import pytest
import skimage.transform
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from napari_mmreg.errors import InputError, TransformError
from napari_mmreg.geometry import (
    MatrixTransform,
    ThinPlateTransform,
    fit_landmarks,
)

FIXED = np.array([[10, 20], [12, 90], [70, 15], [64, 85], [35, 50], [50, 33.0]])
OFFSETS = np.array([[0, 3], [1, 0], [-2, 2], [0, 0], [9, -6], [0, 1]])
PROBES = np.random.default_rng(0).uniform(0, 100, (20, 2))

TRUTH = {
    "translation": MatrixTransform.translation((4, -9)),
    "rigid": MatrixTransform.from_params(rotation_degrees=25, translation=(4, -9)),
    "similarity": MatrixTransform.from_params(rotation_degrees=-70, scale=1.7),
    "affine": MatrixTransform.from_params(rotation_degrees=10, scale=(0.5, 1.2), shear=0.2),
    "homography": MatrixTransform([[1.1, 0.1, 3], [-0.2, 0.9, 5], [8e-4, -5e-4, 1]]),
    "tps": MatrixTransform.from_params(rotation_degrees=10, scale=(0.5, 1.2), shear=0.2),
}


@pytest.mark.parametrize("kind", TRUTH)
def test_exact_pairs_give_the_exact_transform(kind):
    fitted = fit_landmarks(FIXED, TRUTH[kind].map(FIXED), kind)
    assert_allclose(fitted.map(PROBES), TRUTH[kind].map(PROBES), atol=1e-6)


@pytest.mark.parametrize(("kind", "count"), [("rigid", 2), ("similarity", 2), ("affine", 3)])
def test_the_fewest_pairs_do(kind, count):
    fitted = fit_landmarks(FIXED[:count], TRUTH[kind].map(FIXED[:count]), kind)
    assert_allclose(fitted.map(PROBES), TRUTH[kind].map(PROBES), atol=1e-6)


@given(st.integers(0, 1000))
def test_least_squares_beats_the_truth_on_noisy_pairs(seed):
    rng = np.random.default_rng(seed)
    fixed = rng.uniform(0, 500, (12, 2))
    moving = TRUTH["rigid"].map(fixed) + rng.normal(0, 2, fixed.shape)
    fitted = fit_landmarks(fixed, moving, "rigid")
    linear = fitted.matrix[:2, :2]
    assert_allclose(linear @ linear.T, np.eye(2), atol=1e-9)
    squares = [np.square(t.map(fixed) - moving).sum() for t in (fitted, TRUTH["rigid"])]
    assert squares[0] <= squares[1] + 1e-9


def test_the_direction_is_fixed_to_moving():
    assert_allclose(fit_landmarks([[1, 2]], [[11, 7]], "translation").map([[0, 0]]), [[10, 5]])


def test_a_spline_passes_through_the_pairs_and_smoothing_bends_it_less():
    moving = FIXED + OFFSETS
    exact = fit_landmarks(FIXED, moving, "tps")
    assert isinstance(exact, ThinPlateTransform)
    assert_allclose(exact.map(FIXED), moving, atol=1e-9)
    trend = fit_landmarks(FIXED, moving, "affine").map(FIXED)
    residuals = [
        np.abs(fit_landmarks(FIXED, moving, "tps", smoothing=s).map(FIXED) - moving).max()
        for s in (0.01, 0.3, 1e6)
    ]
    assert 0 < residuals[0] < residuals[1] < residuals[2]
    assert residuals[2] == pytest.approx(np.abs(trend - moving).max(), rel=0.02)


def test_smoothing_does_not_depend_on_the_resolution():
    moving = FIXED + OFFSETS
    small = fit_landmarks(FIXED, moving, "tps", smoothing=0.1).map(PROBES)
    large = fit_landmarks(FIXED * 16, moving * 16, "tps", smoothing=0.1).map(PROBES * 16)
    assert_allclose(large, small * 16, rtol=1e-8)


def test_a_spline_passes_nan_on_and_describes_itself():
    spline = fit_landmarks(FIXED, FIXED + 1, "tps", smoothing=0.5)
    assert np.isnan(spline.map([[np.nan, 2], [3, 4]])[:, 0]).tolist() == [True, False]
    assert np.isnan(spline.map([[np.nan, 2]])).all()
    assert repr(spline) == "ThinPlateTransform(<6 pairs>, smoothing=0.5)"


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        ("translation", 0),
        ("rigid", 1),
        ("similarity", 1),
        ("affine", 2),
        ("homography", 3),
        ("tps", 2),
    ],
)
def test_too_few_pairs(kind, count):
    with pytest.raises(
        InputError, match=f"{kind} needs at least {count + 1} pairs.*{count}; add 1"
    ):
        fit_landmarks(FIXED[:count], FIXED[:count], kind)


@pytest.mark.parametrize("kind", ["rigid", "affine", "tps"])
@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_the_same_place_twice(kind, side):
    points = {"fixed": FIXED.copy(), "moving": FIXED.copy() + 1}
    points[side][4] = points[side][1] + 1e-5
    with pytest.raises(InputError, match=f"Pairs 2 and 5 have the same {side} point"):
        fit_landmarks(points["fixed"], points["moving"], kind)


@pytest.mark.parametrize("kind", ["affine", "homography", "tps"])
@pytest.mark.parametrize("swap", [False, True])
def test_points_on_a_line(kind, swap):
    line = np.stack([np.arange(6.0) ** 2, 3 * np.arange(6.0) ** 2 + 7], axis=1)
    fixed, moving = (FIXED, line) if swap else (line, FIXED)
    name = "moving" if swap else "fixed"
    with pytest.raises(TransformError, match=f"All {name} points lie on one line"):
        fit_landmarks(fixed, moving, kind)


def test_points_on_a_line_are_enough_for_a_similarity():
    line = np.stack([np.arange(6.0), 3 * np.arange(6.0) + 7], axis=1)
    fitted = fit_landmarks(line, TRUTH["similarity"].map(line), "similarity")
    assert_allclose(fitted.map(PROBES), TRUTH["similarity"].map(PROBES), atol=1e-6)


def test_a_homography_needs_two_points_beside_a_line():
    fixed = np.array([[0, 0], [10, 10], [40, 3], [20, 20], [30, 30.0]])
    with pytest.raises(TransformError, match="that of pair 3 lie on one line"):
        fit_landmarks(fixed, TRUTH["affine"].map(fixed), "homography")


@pytest.mark.parametrize("kind", ["rigid", "similarity", "affine", "homography", "tps"])
def test_mirrored_pairs(kind):
    with pytest.raises(TransformError, match="mirror the image: probably two"):
        fit_landmarks(FIXED, FIXED * (1, -1), kind)


def test_two_swapped_points_out_of_three():
    with pytest.raises(TransformError, match="swapped"):
        fit_landmarks(FIXED[[0, 1, 2]], FIXED[[1, 0, 2]], "affine")


def test_one_pair_that_mirrors_the_image_is_named():
    fixed = np.array([[0, 0], [0, 40], [40, 0], [40, 40.0]])
    moving = fixed.copy()
    moving[3] = (-200, -200)
    with pytest.raises(TransformError, match="unless pair 4 is left out"):
        fit_landmarks(fixed, moving, "affine")


@pytest.mark.parametrize("kind", ["affine", "homography", "tps"])
def test_reflections_can_be_allowed(kind):
    mirror = MatrixTransform(np.diag([1, -1, 1]))
    fitted = fit_landmarks(FIXED, mirror.map(FIXED), kind, allow_reflection=True)
    assert_allclose(fitted.map(PROBES), mirror.map(PROBES), atol=1e-6)


def test_a_rigid_transform_cannot_mirror_even_if_allowed():
    with pytest.raises(TransformError, match="mirror"):
        fit_landmarks(FIXED, FIXED * (1, -1), "rigid", allow_reflection=True)


def test_a_homography_faces_its_landmarks():
    """Normalised to a last entry of 1, this one would have all landmarks behind its horizon."""
    truth = MatrixTransform([[1, 0.1, 0], [0, 1, 0], [0.02, 0, -0.1]])
    moving = truth.map(FIXED)
    assert np.isfinite(moving).all()
    fitted = fit_landmarks(FIXED, moving, "homography", allow_reflection=True)
    assert_allclose(fitted.map(FIXED), moving, rtol=1e-6)


def test_a_horizon_between_the_landmarks():
    matrix = np.array([[1, 0, 0], [0, 1, 0], [-1 / 66, 0, 1]])  # beyond row 66: pair 3
    homogeneous = np.column_stack([FIXED, np.ones(6)]) @ matrix.T
    moving = homogeneous[:, :2] / homogeneous[:, 2:]
    with pytest.raises(TransformError, match=r"horizon.*pair 3"):
        fit_landmarks(FIXED, moving, "homography", allow_reflection=True)


def test_a_fit_that_fails_says_so(monkeypatch):
    monkeypatch.setattr(skimage.transform, "estimate_transform", lambda *_: "a failed estimation")
    with pytest.raises(TransformError, match="do not determine a transform of kind affine"):
        fit_landmarks(FIXED, FIXED, "affine")


@pytest.mark.parametrize(
    ("fixed", "moving", "message"),
    [
        ([[1, 2, 3]], [[1, 2]], "fixed points need"),
        ([[1, 2]], [1, 2], "moving points need"),
        ([["a", "b"]], [[1, 2]], "not numbers"),
        ([[1, 2], [np.nan, 3]], [[1, 2], [3, 4]], "fixed point of pair 2"),
        ([[1, 2], [5, 3]], [[1, np.inf], [3, 4]], "moving point of pair 1"),
        ([[1, 2], [5, 3]], [[1, 2]], "2 fixed but 1 moving"),
    ],
)
def test_points_that_are_no_pairs(fixed, moving, message):
    with pytest.raises(InputError, match=message):
        fit_landmarks(fixed, moving, "translation")


def test_unknown_kinds_and_smoothing():
    with pytest.raises(InputError, match="'cubic' is unknown; choose one of translation"):
        fit_landmarks(FIXED, FIXED, "cubic")
    with pytest.raises(InputError, match="smoothing"):
        fit_landmarks(FIXED, FIXED, "tps", smoothing=-1)


@pytest.mark.parametrize(
    ("fixed", "moving", "smoothing", "message"),
    [
        (FIXED, FIXED[:3], 0, "as many"),
        (FIXED, FIXED, -1, "smoothing"),
        (FIXED * np.nan, FIXED, 0, "finite"),
        (FIXED[:2], FIXED[:2], 0, "do not determine"),
        (np.ones((4, 2)), FIXED[:4], 0, "do not determine"),
    ],
)
def test_impossible_splines(fixed, moving, smoothing, message):
    with pytest.raises(TransformError, match=message):
        ThinPlateTransform(fixed, moving, smoothing)
