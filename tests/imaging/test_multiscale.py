import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.imaging import pick_level

LEVELS = [np.zeros((1000, 800, 3), np.uint8), np.zeros((500, 400, 3), np.uint8)]
LEVELS.append(np.zeros((250, 200, 3), np.uint8))


def test_the_finest_level_within_the_budget():
    assert pick_level(LEVELS).index == 0
    level = pick_level(LEVELS, budget=300_000)
    assert level.index == 1
    assert level.data is LEVELS[1]
    assert level.scale == (2.0, 2.0)
    assert pick_level(LEVELS, budget=10).index == 2


def test_levels_share_one_frame():
    level = pick_level(LEVELS, budget=50_000)
    np.testing.assert_allclose(level.full_from_level.map((-0.5, -0.5)), (-0.5, -0.5))
    np.testing.assert_allclose(level.full_from_level.map((249.5, 199.5)), (999.5, 799.5))


def test_bad_pyramids():
    with pytest.raises(InputError, match="no levels"):
        pick_level([])
    with pytest.raises(InputError, match="fine to coarse"):
        pick_level(LEVELS[::-1])
    with pytest.raises(InputError, match="2-D levels"):
        pick_level([np.zeros(5)])
