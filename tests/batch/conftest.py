from __future__ import annotations

import pytest

from batch_pairs import make_pair
from napari_mmreg.batch import BatchParameters


@pytest.fixture
def pairs(tmp_path):
    """Three pairs with the files ``a_vis.tif``, ``a_ir.tif`` ..."""
    return [make_pair(tmp_path, name, seed) for seed, name in enumerate("abc")]


@pytest.fixture
def parameters():
    return BatchParameters(model="classical", device="cpu")
