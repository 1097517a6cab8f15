"""Sessions on disk: everything comes back, and damage is a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_mmreg.errors import InputError
from napari_mmreg.landmarks import LandmarkPair, State
from napari_mmreg.landmarks.sessions import (
    SavedSession,
    load_session,
    save_session,
    session_path,
    sessions_folder,
)

points = st.none() | st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
pairs = st.builds(
    LandmarkPair,
    st.integers(1, 99),
    st.text(max_size=6),
    points,
    points,
    st.booleans(),
    st.sampled_from(["manual", "model", "file"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(pairs, max_size=6, unique_by=lambda pair: pair.id))
def test_a_session_comes_back_as_it_was(tmp_path, rows):
    saved = SavedSession(State(tuple(rows), 100), {"kind": "affine", "reach": 0.5})
    save_session(tmp_path / "a" / "s.json", saved)
    loaded = load_session(tmp_path / "a" / "s.json")
    assert loaded.state == saved.state
    assert loaded.settings == saved.settings
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["s.json"]


def test_where_sessions_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("MMREG_DATA_DIR", str(tmp_path))
    path = session_path("visible / 1", "infrared", "10x20")
    assert path.parent == sessions_folder() == tmp_path / "landmarks"
    assert path.name.startswith("visible_1-infrared-")
    assert path != session_path("visible / 1", "infrared", "10x21")
    assert load_session(path) is None
    monkeypatch.delenv("MMREG_DATA_DIR")
    assert "napari-mmreg" in str(sessions_folder())


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("pairs"),
        lambda content: content.update(format="other"),
        lambda content: content["pairs"][0].update(source="nobody"),
        lambda content: content["pairs"][0].update(fixed=[1]),
        lambda content: content["pairs"].append(content["pairs"][0]),
        lambda content: content.update(version=99),
    ],
)
def test_a_damaged_session_is_a_sentence(tmp_path, change):
    path = tmp_path / "s.json"
    save_session(path, SavedSession(State((LandmarkPair(1, "1", (1.0, 2.0)),), 2)))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"s\.json"):
        load_session(path)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="MMREG_DATA_DIR"):
        save_session(tmp_path / "file" / "s.json", SavedSession(State()))
