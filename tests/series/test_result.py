"""What a series offers afterwards: the stack, applying, saving and loading."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import tifffile

from napari_mmreg import SeriesResult
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, Transform
from napari_mmreg.samples.misalignment import smooth_field
from napari_mmreg.series.plane_result import PlaneResult
from napari_mmreg.series.planes import planes_of

STEPS = [(0.0, 0.0), (1.0, 2.0), (3.0, -1.0)]


def series(moving=None, transforms=None, shape=(20, 24), **options):
    transforms = transforms or [MatrixTransform.translation(step) for step in STEPS]
    planes = tuple(
        PlaneResult(n, "ok", "registered", ("It holds.",), transform, {"misregistration": 0.1})
        for n, transform in enumerate(transforms)
    )
    return SeriesResult(
        planes,
        "each",
        "ok",
        ("All hold.",),
        shape,
        shape,
        None if moving is None else planes_of(moving, "moving", **options),
        provenance={"seed": 3},
    )


@pytest.fixture
def stack():
    return np.random.default_rng(0).integers(0, 4000, (3, 20, 24)).astype(np.uint16)


def test_the_registered_stack_is_an_array_that_is_computed_where_it_is_looked_at(stack):
    result = series(stack)
    registered = result.registered
    whole = np.stack(
        [t.resample(plane, (20, 24)) for t, plane in zip(result.transforms, stack, strict=True)]
    )
    assert (registered.shape, registered.dtype, registered.ndim) == ((3, 20, 24), np.uint16, 3)
    np.testing.assert_array_equal(np.asarray(registered), whole)
    for index in (1, -1, (2, slice(3, 9), 4), np.s_[1:, ::2, -3:], ..., (..., 5), np.s_[:, 0]):
        np.testing.assert_array_equal(registered[index], whole[index])
    with pytest.raises(IndexError):
        registered[7]


def test_a_stack_of_more_axes_and_colours():
    stack = np.random.default_rng(0).random((2, 3, 20, 24, 3)).astype(np.float32)
    registered = series(stack, axis=1).registered
    assert registered.shape == (2, 3, 20, 24, 3)
    expected = MatrixTransform.translation(STEPS[2]).resample(stack[1, 2], (20, 24), fill=np.nan)
    np.testing.assert_array_equal(registered[1, 2], expected)
    np.testing.assert_array_equal(np.asarray(registered)[1, 2], expected)


def test_another_stack_and_labels_follow(stack):
    result = series()
    np.testing.assert_array_equal(result.apply(stack)[1, :-1, :-2], stack[1, 1:, 2:])
    labels = (stack > 2000).astype(np.uint8) * 7
    assert set(np.unique(result.apply(labels, "labels"))) <= {0, 7}
    there = result.apply(result.apply(stack), to="moving")
    np.testing.assert_array_equal(there[1, 2:, 3:], stack[1, 2:, 3:])
    with pytest.raises(InputError, match="2 planes"):
        result.apply(stack[:2])


def test_points_follow_the_plane_they_lie_in():
    points = np.array([(0, 5.0, 6.0), (1, 5.0, 6.0), (2, 5.0, 6.0)])
    result = series()
    there = result.apply(points, "points", to="moving")
    np.testing.assert_allclose(there, [(0, 5, 6), (1, 6, 8), (2, 8, 5)])
    np.testing.assert_allclose(result.apply(there, "points"), points)
    with pytest.raises(InputError, match="plane 3"):
        result.apply([(3, 1.0, 1.0)], "points")
    with pytest.raises(InputError, match="column that says the plane"):
        result.apply([(1.0, 1.0)], "points")


def test_saved_and_loaded(stack, tmp_path):
    bent = DisplacementTransform(smooth_field((20, 24), 2.0, 10, 1))
    result = series(stack, [MatrixTransform.identity(), bent, bent])
    result.save(tmp_path / "out")
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "out" / "registered.tif"), np.asarray(result.registered)
    )
    files = sorted(path.name for path in (tmp_path / "out" / "transforms").iterdir())
    assert files == ["plane_0000.npz", "plane_0001.npz"]
    one = Transform.load(tmp_path / "out" / "transforms" / "plane_0001.npz")
    np.testing.assert_array_equal(one.map((4.0, 5.0)), bent.map((4.0, 5.0)))
    assert one.provenance == {"seed": 3}
    loaded = SeriesResult.load(tmp_path / "out")
    np.testing.assert_array_equal(loaded.drift, result.drift)
    assert loaded.planes[1].transform is loaded.planes[2].transform
    assert (loaded.way, loaded.status, loaded.reasons) == ("each", "ok", ("All hold.",))
    np.testing.assert_array_equal(loaded.apply(stack), np.asarray(result.registered))
    with pytest.raises(InputError, match="apply"):
        _ = loaded.registered
    rows = list(csv.DictReader((tmp_path / "out" / "planes.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["ok"] * 3
    assert float(rows[1]["drift_px"]) == pytest.approx(np.linalg.norm(result.drift[1]), abs=1e-3)


def test_saving_replaces_all_or_nothing(stack, tmp_path):
    series(stack).save(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    shared = [MatrixTransform.translation((1, 1))] * 3
    with pytest.raises(InputError, match="already holds"):
        series(stack, shared).save(tmp_path, replace=False)
    with pytest.raises(Cancelled):
        series(stack, shared).save(tmp_path, cancel=lambda: True)
    assert len(list((tmp_path / "transforms").iterdir())) == 3
    series(stack, shared).save(tmp_path)
    assert [path.name for path in (tmp_path / "transforms").iterdir()] == ["plane_all.npz"]
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_damaged_folders_are_said(tmp_path):
    with pytest.raises(InputError, match="holds no series"):
        SeriesResult.load(tmp_path)
    for text in ("{}", '{"format": "napari-mmreg series", "planes": [1]}'):
        (tmp_path / "series.json").write_text(text)
        with pytest.raises(InputError, match=r"series\.json"):
            SeriesResult.load(tmp_path)
