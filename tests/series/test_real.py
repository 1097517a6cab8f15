"""Series with the real engine, against a drift that is known."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg import register_series
from series_data import drifting, error

OPTIONS = {"model": "classical", "device": "cpu"}

pytestmark = pytest.mark.slow


def test_a_drifting_stack_with_a_plane_of_noise_is_followed():
    fixed, moving, truth = drifting([(2.0 * n, -1.5 * n) for n in range(4)])
    moving[2] = np.random.default_rng(0).random(moving[2].shape)
    result = register_series(fixed, moving, "follow", **OPTIONS)
    for plane, true in zip(result, truth, strict=True):
        assert error(plane.transform, true) < 0.3
    assert result.planes[2].source == "interpolated"
    np.testing.assert_allclose(result.drift[3], (6.0, -4.5), atol=0.3)


def test_looks_name_their_plane():
    fixed, moving, _ = drifting([(2.0, 3.0), (4.0, 1.0)])
    looks = []
    result = register_series(fixed, moving, "each", preview=looks.append, **OPTIONS)
    for plane, subject in zip(result, ("Plane 0 (1 of 2)", "Plane 1 (2 of 2)"), strict=True):
        similarity = [look.similarity for look in looks if look.subject == subject]
        assert similarity[0] == pytest.approx(plane.metrics["similarity_before"], abs=1e-4)
        assert similarity[-1] == pytest.approx(plane.metrics["similarity_after"], abs=1e-4)
    assert {look.subject for look in looks} == {"Plane 0 (1 of 2)", "Plane 1 (2 of 2)"}


def test_a_fixed_rig_of_colour_planes_is_estimated_once():
    fixed, moving, truth = drifting([(4.0, 3.0)] * 2)
    colour = np.stack([moving, 0.5 * moving, moving], axis=-1)
    result = register_series(fixed, colour, "once", estimate_on="mean", **OPTIONS)
    assert result.status == "ok"
    assert error(result.planes[1].transform, truth[1]) < 0.3
    assert result.registered.shape == (2, *fixed.shape, 3)


def test_pixels_that_are_higher_than_wide():
    """The moving stack has every second row only, and both know the size of their pixels."""
    fixed, moving, truth = drifting([(3.0, 2.0)])
    result = register_series(
        fixed,
        moving[:, ::2],
        "each",
        fixed_spacing=(0.5, 0.5),
        moving_spacing=(1.0, 0.5),
        **OPTIONS,
    )
    places = np.array([(20.0, 30.0), (70.0, 90.0)])
    expected = truth[0].map(places) / (2.0, 1.0)
    np.testing.assert_allclose(result.planes[0].transform.map(places), expected, atol=0.35)
