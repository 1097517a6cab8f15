"""BigWarp's landmark files, both ways, and what they hold beside points."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from napari_mmreg.errors import InputError
from napari_mmreg.io import read_landmarks, write_bigwarp, write_landmarks

CSV = (
    '"Pt-0","true","47.5","103.5","51.09375","195.25"\n'
    '"Pt-1","false","162.5","42.0","Infinity","Infinity"\n'
)
LANDMARKS = {
    "type": "BigWarpLandmarks",
    "numDimensions": 2,
    "movingPoints": [[47.5, 103.5], [162.5, 42.0]],
    "fixedPoints": [[51.09375, 195.25], [float("inf"), float("inf")]],
    "active": [True, False],
    "names": ["Pt-0", "Pt-1"],
}


def check(pairs):
    assert pairs.names == ("Pt-0", "Pt-1")
    assert pairs.enabled == (True, False)
    assert_array_equal(pairs.moving, [[103.5, 47.5], [42.0, 162.5]])
    assert_array_equal(pairs.fixed, [[195.25, 51.09375], [np.nan, np.nan]])
    assert pairs.usable.names == ("Pt-0",)


def test_a_csv_of_bigwarp(tmp_path):
    (tmp_path / "landmarks.csv").write_text(CSV)
    check(read_landmarks(tmp_path / "landmarks.csv"))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda found: found,
        lambda found: {"landmarks": found},
        lambda found: {"Sources": {}, "Transform": {"type": "Affine", "landmarks": found}},
    ],
)
def test_json_of_bigwarp(tmp_path, wrap):
    (tmp_path / "p.json").write_text(json.dumps(wrap(LANDMARKS)))
    check(read_landmarks(tmp_path / "p.json"))


def test_what_is_written_is_what_bigwarp_writes(tmp_path):
    fixed, moving = [[195.25, 51.09375], [np.nan, np.nan]], [[103.5, 47.5], [42.0, 162.5]]
    for name in ("p.csv", "p.json"):
        write_bigwarp(tmp_path / name, fixed, moving, ["Pt-0", "Pt-1"], [True, False])
    assert (tmp_path / "p.csv").read_text() == CSV
    assert json.loads((tmp_path / "p.json").read_text()) == {"landmarks": LANDMARKS}


point = st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)) | st.just((np.nan, np.nan))


@pytest.mark.parametrize("name", ["p.csv", "p.json", "ours.csv"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(point, point, st.booleans()), min_size=1, max_size=5))
def test_every_file_comes_back(tmp_path, name, rows):
    fixed, moving = (np.array([row[side] for row in rows]) for side in (0, 1))
    enabled = [row[2] for row in rows]
    names = [f"pair {i}" for i in range(len(rows))]
    spacing = (0.5, 0.25)
    if name == "ours.csv":
        write_landmarks(tmp_path / name, fixed, moving, names, enabled, ["model"] * len(rows))
        pairs = read_landmarks(tmp_path / name)
        assert set(pairs.sources) == {"model"}
    else:
        write_bigwarp(tmp_path / name, fixed, moving, names, enabled, spacing, (2.0, 4.0))
        pairs = read_landmarks(tmp_path / name, spacing, (2.0, 4.0))
    assert pairs.names == tuple(names)
    assert pairs.enabled == tuple(enabled)
    assert_allclose(pairs.fixed, fixed, rtol=1e-12, atol=1e-9)
    assert_allclose(pairs.moving, moving, rtol=1e-12, atol=1e-9)


def test_three_dimensions_in_one_plane_are_two(tmp_path):
    (tmp_path / "p.csv").write_text('"a","true","1","2","7","3","4","7"\n')
    assert_array_equal(read_landmarks(tmp_path / "p.csv").fixed, [[4, 3]])
    (tmp_path / "p.csv").write_text(
        '"a","true","1","2","7","3","4","7"\n"b","true","1","2","9","3","4","7"\n'
    )
    with pytest.raises(InputError, match="one slice"):
        read_landmarks(tmp_path / "p.csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "valid JSON"),
        ("{}", "no landmarks of BigWarp"),
        (json.dumps({**LANDMARKS, "names": ["a"]}), "differ in number"),
        (json.dumps({**LANDMARKS, "movingPoints": [[1], [2]]}), "1 coordinates"),
        ('"a","true","1","2","3","4"\n"b","maybe","1","2","3","4"\n', "line 2.*no landmark"),
        ('"a","true","1","2","x","4"\n', "line 1: 'x' is not a finite number"),
    ],
)
def test_unusable_files(tmp_path, text, message):
    (tmp_path / "p").write_text(text)
    with pytest.raises(InputError, match=message):
        read_landmarks(tmp_path / "p")
