"""Fits, residuals, errors left out, suspects: right numbers, sentences, and never a crash."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_mmreg.geometry import MINIMUM_PAIRS, MatrixTransform, fit_landmarks
from napari_mmreg.landmarks import (
    FitSettings,
    LandmarkPair,
    find_suspects,
    histogram,
    left_out,
    measure,
    summarise,
)
from napari_mmreg.landmarks.fitting import pairs_needed

RNG = np.random.default_rng(5)
FIXED = RNG.uniform(10, 300, (12, 2))
TRUTH = MatrixTransform.from_params(rotation_degrees=8, scale=1.1, translation=(6, -4))
MOVING = TRUTH.map(FIXED) + RNG.normal(0, 0.4, FIXED.shape)
IDENTITY = MatrixTransform.identity()


def as_pairs(fixed, moving):
    return [
        LandmarkPair(10 + i, f"p{i}", tuple(f), tuple(m))
        for i, (f, m) in enumerate(zip(fixed.tolist(), moving.tolist(), strict=True))
    ]


def kinds(found):
    return [(suspicion.kind, suspicion.ids) for suspicion in found]


@pytest.mark.parametrize("kind", MINIMUM_PAIRS)
def test_the_table_of_a_fit(kind):
    found = measure(as_pairs(FIXED, MOVING), IDENTITY, None, FitSettings(kind))
    assert found.ids == tuple(range(10, 22))
    np.testing.assert_allclose(found.before.errors, np.linalg.norm(MOVING - FIXED, axis=1))
    fitted = fit_landmarks(FIXED, MOVING, kind)
    np.testing.assert_allclose(
        found.after.errors, np.linalg.norm(fitted.map(FIXED) - MOVING, axis=1), atol=1e-9
    )
    others = np.arange(12) != 3
    refit = fit_landmarks(FIXED[others], MOVING[others], kind)
    assert found.left_out.errors[3] == pytest.approx(
        np.linalg.norm(refit.map(FIXED[3]) - MOVING[3])
    )
    assert found.of(13)[0] == found.before.errors[3]
    assert np.isnan(found.of(99)).all()


def test_the_table_of_a_correction():
    base = TRUTH.compose(MatrixTransform.translation((3, 2)))
    found = measure(as_pairs(FIXED, MOVING), base, base, FitSettings())
    assert found.before.mean > 3
    assert found.after.mean < 0.7
    assert found.left_out.mean < 1.0
    assert found.transform.transforms[0].matrix == pytest.approx(base.matrix)


def test_physical_errors_are_the_pixels_times_the_spacing():
    pixels = measure(as_pairs(FIXED, MOVING), IDENTITY, None, FitSettings())
    microns = measure(as_pairs(FIXED, MOVING), IDENTITY, None, FitSettings(), (0.5, 0.5))
    for one, other in zip(
        (pixels.before, pixels.after, pixels.left_out),
        (microns.before, microns.after, microns.left_out),
        strict=True,
    ):
        np.testing.assert_allclose(other.errors, one.errors / 2)
        assert (one.unit, other.unit) == ("px", "physical")


def test_the_fewest_pairs_fit_but_leave_nothing_out():
    found = measure(as_pairs(FIXED[:3], MOVING[:3]), IDENTITY, None, FitSettings("affine"))
    assert found.after.max < 1e-6
    assert np.isnan(found.left_out.errors).all()
    assert found.summary(3)["left_out"] == {"count": 0, "unit": "px"}


def test_too_few_pairs_are_a_sentence():
    found = measure(as_pairs(FIXED[:2], MOVING[:2]), IDENTITY, None, FitSettings("affine"))
    assert found.transform is None
    assert "add 1" in found.problem
    assert found.before is not None
    assert pairs_needed(None, FitSettings("affine")) == 3
    assert pairs_needed(IDENTITY, FitSettings("affine")) == 1
    assert measure([], IDENTITY, None, FitSettings()).before is None


def test_messages_use_the_pairs_names():
    moving = MOVING[:5].copy()
    fixed = FIXED[:5].copy()
    fixed[4] = fixed[1]
    found = measure(as_pairs(fixed, moving), IDENTITY, None, FitSettings("affine"))
    assert "Pairs p1 and p4 have the same fixed point" in found.problem


def test_the_summary_is_that_of_the_errors():
    found = measure(as_pairs(FIXED, MOVING), IDENTITY, None, FitSettings())
    numbers = found.summary(threshold=0.5)["after"]
    errors = found.after.errors
    assert numbers["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert numbers["median"] == pytest.approx(np.median(errors))
    assert numbers["success_rate"] == (errors <= 0.5).mean()
    assert numbers["count"] == 12


def test_an_undetermined_error_is_not_counted_and_a_missing_answer_is():
    from napari_mmreg.evaluation import LandmarkError

    numbers = summarise(LandmarkError(np.array([1.0, np.nan, np.inf])), 2.0)
    assert numbers["count"] == 2
    assert numbers["success_rate"] == 0.5
    counts = histogram(np.array([0.0, 0.4, 1.0, 9.0, np.inf, np.nan]), bins=2, top=1.0)
    assert counts.tolist() == [2, 3]


def test_nothing_is_suspected_of_good_pairs():
    assert find_suspects([str(i) for i in range(12)], range(12), FIXED, MOVING) == ()
    base = TRUTH.compose(MatrixTransform.translation((5, 5)))
    assert find_suspects([str(i) for i in range(12)], range(12), FIXED, MOVING, base) == ()


@pytest.mark.parametrize("base", [None, TRUTH])
def test_an_outlier_is_named(base):
    moving = MOVING.copy()
    moving[7] += (25, -10)
    found = find_suspects([f"p{i}" for i in range(12)], range(12), FIXED, moving, base)
    assert kinds(found) == [("outlier", (7,))]
    assert "Pair p7 is 2" in found[0].sentence


@pytest.mark.parametrize("base", [None, TRUTH])
def test_swapped_points_are_named(base):
    moving = MOVING.copy()
    moving[[2, 9]] = moving[[9, 2]]
    found = find_suspects([f"p{i}" for i in range(12)], range(12), FIXED, moving, base)
    assert kinds(found) == [("swapped", (2, 9))]
    assert "Pairs p2 and p9 look swapped" in found[0].sentence


def test_a_place_clicked_twice_is_named():
    fixed, moving = FIXED.copy(), MOVING.copy()
    fixed[4] = fixed[1] + 0.3
    moving[4] = moving[1]
    found = find_suspects([f"p{i}" for i in range(12)], range(12), fixed, moving)
    assert kinds(found) == [("duplicate", (1, 4))]
    assert "in the fixed and the moving image" in found[0].sentence


def test_a_line_and_a_mirror_are_named():
    along = np.stack([np.arange(6.0) * 30, np.arange(6.0) * 20], axis=1)
    assert kinds(find_suspects("abcdef", range(6), along, along + 3)) == [("line", ())]
    found = find_suspects([str(i) for i in range(12)], range(12), FIXED, FIXED * (1, -1))
    assert kinds(found) == [("mirrored", ())]


coordinates = st.integers(0, 4).map(float)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[coordinates] * 4), max_size=7),
    st.sampled_from(list(MINIMUM_PAIRS)),
    st.booleans(),
)
def test_degenerate_pairs_never_crash(rows, kind, correct):
    table = np.array(rows, dtype=float).reshape(-1, 4)
    base = IDENTITY if correct else None
    found = measure(as_pairs(table[:, :2], table[:, 2:]), IDENTITY, base, FitSettings(kind))
    if rows:
        assert (found.transform is None) == bool(found.problem)
        assert len(found.left_out.errors) == len(rows)
    assert all(suspicion.sentence.endswith(".") for suspicion in found.suspects)


def test_where_the_base_has_no_answer():
    horizon = MatrixTransform([[1, 0, 0], [0, 1, 0], [-1 / 200, 0, 1]])
    found = measure(as_pairs(FIXED, MOVING), horizon, horizon, FitSettings())
    assert np.isinf(found.before.errors).any()
    assert "no answer at the fixed point of pair p" in found.problem
    assert np.isnan(left_out(horizon, FIXED, MOVING, FitSettings())).any()
