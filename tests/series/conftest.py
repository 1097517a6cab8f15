"""A stand-in for the engine that knows the truth of each plane."""

from __future__ import annotations

import pytest

from napari_mmreg.series import engine
from series_data import Oracle


@pytest.fixture
def oracle(monkeypatch):
    """The stand-in, in the engine's place."""
    stand_in = Oracle()
    monkeypatch.setattr(engine, "register_pair", stand_in)
    return stand_in
