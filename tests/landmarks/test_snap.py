"""Snapping to the best local match, and pairs proposed by a registration, on samples."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.landmarks.proposals import match_pairs, propose_pairs, well_spread
from napari_mmreg.landmarks.snap import best_match
from napari_mmreg.samples import load_sample


@pytest.fixture(scope="module")
def sample():
    return load_sample("visible_thermal_simulated")


def error(sample, fixed, moving):
    return np.linalg.norm(sample.truth.map(fixed) - np.asarray(moving), axis=-1)


def test_a_match_is_nearer_than_the_expectation(sample):
    rng = np.random.default_rng(0)
    missed, clear = [], 0
    for place in sample.fixed_points:
        expected = sample.truth.compose(MatrixTransform.translation(rng.uniform(-4, 4, 2)))
        match = best_match(sample.fixed, sample.moving, place, expected)
        if match is not None and match.clear:
            clear += 1
            missed.append(error(sample, place, match.point))
    assert clear >= 8
    assert np.median(missed) < 1.0


def test_outside_the_images_there_is_no_match(sample):
    identity = MatrixTransform.identity()
    assert best_match(sample.fixed, sample.moving, (2, 2), identity) is None
    away = MatrixTransform.translation((5000, 0))
    assert best_match(sample.fixed, sample.moving, (100, 100), away) is None


def test_flat_pictures_and_missing_data_match_nothing():
    flat = np.full((120, 120), 7, np.uint8)
    match = best_match(flat, flat, (60, 60), MatrixTransform.identity())
    assert match is None or not match.clear
    lost = np.full((120, 120), np.nan)
    assert best_match(lost, lost, (60, 60), MatrixTransform.identity()) is None


def test_only_the_patch_is_read(sample):
    class Watched:
        shape = sample.moving.shape
        read = 0

        def __getitem__(self, key):
            part = sample.moving[key]
            Watched.read += part.size
            return part

    assert best_match(sample.fixed, Watched(), (150, 200), sample.truth) is not None
    assert 0 < Watched.read < sample.moving.size / 4


def test_proposals_are_right_and_spread(sample):
    near = sample.truth.compose(MatrixTransform.translation((2, -1)))
    pairs = propose_pairs(sample.fixed, sample.moving, near, count=10)
    assert len(pairs) == 10
    assert {pair.source for pair in pairs} == {"model"}
    fixed = np.array([pair.fixed for pair in pairs])
    assert np.median(error(sample, fixed, [pair.moving for pair in pairs])) < 1.0
    assert (np.ptp(fixed, axis=0) > 0.4 * np.array(sample.fixed.shape[:2])).all()


def test_nothing_is_proposed_where_the_registration_is_not_trusted(sample):
    doubtful = np.ones(sample.fixed.shape[:2], np.float32)
    assert propose_pairs(sample.fixed, sample.moving, sample.truth, 10, doubtful) == []


def test_the_best_matches_of_all_parts_become_pairs():
    rng = np.random.default_rng(2)
    fixed = rng.uniform(0, (300, 500), (1000, 2))
    matches = np.column_stack([fixed, fixed / 2, rng.random(1000)]).astype(np.float32)
    pairs = match_pairs(matches, 12)
    assert len(pairs) == 12
    assert {pair.source for pair in pairs} == {"model"}
    places = np.array([pair.fixed for pair in pairs])
    np.testing.assert_allclose(2 * np.array([pair.moving for pair in pairs]), places, rtol=1e-5)
    assert (np.ptp(places, axis=0) > (200, 350)).all()
    apart = np.linalg.norm(places[:, None] - places, axis=-1)
    assert apart[~np.eye(12, dtype=bool)].min() > 40
    rows = well_spread(matches[:, :2], matches[:, 4], 12)
    np.testing.assert_allclose(matches[rows, :2], places)
    assert matches[rows, 4].min() > 0.7

    more = match_pairs(matches, 12, [pair.fixed for pair in pairs])
    again = np.array([pair.fixed for pair in more])
    assert np.linalg.norm(places[:, None] - again, axis=-1).min() > 20


def test_few_matches_are_all_taken_once():
    matches = np.array([[10, 20, 1, 2, 0.5], [40, 20, 3, 4, 0.1], [40, 90, 5, 6, 0.9]], np.float32)
    pairs = match_pairs(matches, 12)
    assert [pair.fixed for pair in pairs] == [(10, 20), (40, 20), (40, 90)]
    assert [pair.fixed for pair in match_pairs(matches, 12, [(40, 20)])] == [(10, 20), (40, 90)]
    assert match_pairs(matches, 12, [pair.fixed for pair in pairs]) == []
    assert match_pairs(matches[:0], 12) == []
    assert len(match_pairs(matches, 1)) == 1
    assert match_pairs(matches, 1)[0].fixed == (40, 90)
