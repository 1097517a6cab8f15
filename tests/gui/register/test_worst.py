"""Places that are most likely wrong."""

from __future__ import annotations

import numpy as np

from napari_mmreg.gui.register.worst import MOST_PLACES, worst_places

ALL = np.ones((400, 600), np.bool_)


def test_the_worst_comes_first_and_places_are_apart():
    risk = np.full((400, 600), 0.1, np.float32)
    risk[90:110, 190:210] = 0.6
    risk[290:310, 490:510] = 0.95
    found = worst_places(risk, ALL)
    places = np.array([(place.row, place.col) for place in found[:2]])
    np.testing.assert_allclose(places, [(300, 500), (100, 200)], atol=12)
    assert found[0].risk > found[1].risk


def test_a_flat_map_has_no_worst_place():
    assert worst_places(np.full((400, 600), 0.8, np.float32), ALL) == []
    assert worst_places(np.full((400, 600), np.nan, np.float32), ALL) == []


def test_only_where_the_image_has_data():
    risk = np.full((400, 600), 0.1, np.float32)
    risk[:, 300:] = 1.0
    valid = ALL.copy()
    valid[:, 300:] = False
    assert worst_places(risk, valid) == []


def test_not_more_than_can_be_looked_through():
    risk = np.random.default_rng(0).random((64, 64)).astype(np.float32) ** 4
    assert 2 < len(worst_places(risk, np.ones((64, 64), np.bool_), 100)) < 100
    assert len(worst_places(risk, np.ones((64, 64), np.bool_))) <= MOST_PLACES
