"""Files of points and shapes, changed in their coordinates alone."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from napari_mmreg.errors import InputError
from napari_mmreg.io.marks import read_marks

POINTS = 'index,axis-0,axis-1,axis-2,class\n0,1.0,2.5,3.25,soma\n1,1.0,7.0,8.0,"a, b"\n'
SHAPES = """index,shape-type,vertex-index,axis-0,axis-1
0,rectangle,0,2,3
0,rectangle,1,2,9
0,rectangle,2,6,9
0,rectangle,3,6,3
1,path,0,0,1
1,path,1,5,4
"""
GEOJSON = {
    "type": "FeatureCollection",
    "bbox": [0, 0, 9, 9],
    "features": [
        {
            "type": "Feature",
            "id": "cell",
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[1.5, 2.5], [4.5, 2.5], [4.5, 7.5], [1.5, 2.5]]],
            },
            "nucleusGeometry": {"type": "Point", "coordinates": [3.5, 4.5, 1]},
            "properties": {"classification": {"name": "Tumour"}, "at": [9, 9]},
        },
        {
            "type": "Feature",
            "geometry": {"type": "MultiPoint", "coordinates": [[0.5, 0.5], [9.5, 1.5]]},
            "properties": {},
        },
    ],
}


def test_points_keep_their_columns(tmp_path):
    (tmp_path / "a.csv").write_text(POINTS)
    marks = read_marks(tmp_path / "a.csv")
    assert marks.kind == "points"
    np.testing.assert_array_equal(marks.data, [(1, 2.5, 3.25), (1, 7, 8)])
    marks.write(tmp_path / "b.csv", np.add(marks.data, (0, 10, 20)), np.array([True, True]))
    rows = list(csv.reader((tmp_path / "b.csv").read_text().splitlines()))
    assert rows[0] == ["index", "axis-0", "axis-1", "axis-2", "class"]
    assert rows[1:] == [["0", "1", "12.5", "23.25", "soma"], ["1", "1", "17", "28", "a, b"]]
    marks.write(tmp_path / "b.csv", marks.data, np.array([False, True]))
    assert (tmp_path / "b.csv").read_text().count("\n") == 2


def test_shapes_are_read_as_napari_writes_them(tmp_path):
    (tmp_path / "a.csv").write_text(SHAPES)
    marks = read_marks(tmp_path / "a.csv")
    assert marks.kind == "shapes"
    assert [len(shape) for shape in marks.data] == [4, 2]
    marks.straighten(bent=False)
    marks.write(tmp_path / "b.csv", [s + 1 for s in marks.data], np.array([True, True]))
    text = (tmp_path / "b.csv").read_text()
    assert text == (
        "index,shape-type,vertex-index,axis-0,axis-1\n"
        "0,polygon,0,3,4\n0,polygon,1,3,10\n0,polygon,2,7,10\n0,polygon,3,7,4\n"
        "1,path,0,1,2\n1,path,1,6,5\n"
    )
    marks.write(tmp_path / "b.csv", marks.data, np.array([False, True]))
    assert "polygon" not in (tmp_path / "b.csv").read_text()


def test_napari_opens_what_was_written(tmp_path):
    builtins = pytest.importorskip("napari_builtins.io")
    for name, text in (("points", POINTS), ("shapes", SHAPES)):
        (tmp_path / "a.csv").write_text(text)
        marks = read_marks(tmp_path / "a.csv")
        marks.write(tmp_path / "b.csv", marks.data, np.ones(len(marks.data), bool))
        before, after = (builtins.csv_to_layer_data(str(tmp_path / f"{n}.csv")) for n in "ab")
        assert before[2] == after[2] == name
        for one, other in zip(before[0], after[0], strict=True):
            np.testing.assert_array_equal(one, other)


def test_geojson_counts_from_the_corner_and_keeps_the_rest(tmp_path):
    (tmp_path / "a.geojson").write_text(json.dumps(GEOJSON))
    marks = read_marks(tmp_path / "a.geojson")
    np.testing.assert_array_equal(marks.data[0], [(2, 1), (2, 4), (7, 4), (2, 1), (4, 3)])
    marks.write(
        tmp_path / "b.json", [np.add(s, (10, 20)) for s in marks.data], np.array([True, True])
    )
    written = json.loads((tmp_path / "b.json").read_text())
    assert "bbox" not in written
    cell = written["features"][0]
    assert cell["geometry"]["coordinates"][0][1] == [24.5, 12.5]
    assert cell["nucleusGeometry"]["coordinates"] == [23.5, 14.5, 1]
    assert cell["properties"] == GEOJSON["features"][0]["properties"]
    assert written["features"][1]["geometry"]["coordinates"] == [[20.5, 10.5], [29.5, 11.5]]
    marks.write(tmp_path / "b.json", marks.data, np.array([False, True]))
    assert len(json.loads((tmp_path / "b.json").read_text())["features"]) == 1


@pytest.mark.parametrize("form", ["list", "feature", "geometry"])
def test_other_forms_of_geojson(tmp_path, form):
    feature = GEOJSON["features"][1]
    content = {"list": [feature], "feature": feature, "geometry": feature["geometry"]}[form]
    (tmp_path / "a.json").write_text(json.dumps(content))
    marks = read_marks(tmp_path / "a.json")
    np.testing.assert_array_equal(marks.data[0], [(0, 0), (1, 9)])
    marks.write(tmp_path / "b.json", marks.data, np.array([True]))
    assert json.loads((tmp_path / "b.json").read_text()) == content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "axis-0"),
        ("", "axis-0"),
        ("index,axis-0,axis-1\n0,1,x\n", "row 1, axis-1: 'x' is not a finite number"),
        ("index,axis-0,axis-1\n0,1\n", "not as many cells"),
        ("{}", "no GeoJSON"),
        ('{"type": "Point", "coordinates": ["a", 1]}', "no GeoJSON"),
        ('{"type": "Point", "coordinates": [NaN, 1]}', "not finite"),
        ("[" * 100_000, "."),
    ],
)
def test_bad_files_are_refused(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_marks(tmp_path / "a.csv")


def test_bad_places_are_refused(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_marks(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="as text"):
        read_marks(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text(POINTS)
    marks = read_marks(tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"use \.csv"):
        marks.write(tmp_path / "b.geojson", marks.data, np.ones(2, bool))
