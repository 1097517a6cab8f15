"""What the tests of the Landmarks dock share: a sample, a data folder of their own."""

from __future__ import annotations

import pytest

from napari_mmreg.samples import load_sample


@pytest.fixture(scope="session")
def thermal():
    """A pair with a known transform, a colour picture and a grey one."""
    return load_sample("visible_thermal_simulated")
