"""Results read again from the folder they were saved in."""

from __future__ import annotations

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.registration.saved import read_report_sizes, read_saved
from results import make_result, off

INPUTS = {
    "fixed": {"shape": [40, 60], "dtype": "uint8"},
    "moving": {"shape": [50, 55, 3], "dtype": "uint8"},
}


@pytest.fixture
def result():
    rng = np.random.default_rng(0)
    fixed = rng.integers(0, 255, (40, 60), np.uint8)
    moving = rng.integers(0, 255, (50, 55, 3), np.uint8)
    start = [[1.0, 0.0, 2.0], [0.0, 1.0, -1.0], [0.0, 0.0, 1.0]]
    return make_result(
        fixed,
        moving,
        MatrixTransform.translation((3, -4)),
        status="doubtful",
        reasons=("Look twice.",),
        metrics={"similarity_after": 0.5, "similarity_before": float("nan")},
        grid_errors=off(rng.uniform(0.1, 0.9, (20, 30))),
        grid_errors_before=off(rng.uniform(0.1, 0.9, (20, 30))),
        whole_error=off(0.3),
        fixed_from_grid=MatrixTransform([[2, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]),
        provenance={"inputs": INPUTS, "seed": 3, "parameters": {"initial": start, "refine": True}},
    )


def test_a_result_comes_back(result, tmp_path):
    saved = read_saved(result.save(tmp_path / "out"))
    again = saved.result(saved.initial)
    assert_array_equal(again.registered, result.registered)
    assert again.registered.dtype == np.uint8
    assert_allclose(again.transform.matrix, result.transform.matrix)
    assert_allclose(again.initial.matrix[:2, 2], (2, -1))
    assert_allclose(again.misregistration, result.misregistration, atol=1e-3)
    assert (again.status, again.reasons, again.model) == ("doubtful", ("Look twice.",), "classical")
    assert (again.fixed_shape, again.moving_shape) == ((40, 60), (50, 55))
    assert again.metrics["similarity_after"] == 0.5
    assert np.isnan(again.metrics["similarity_before"])
    assert_allclose(again.misregistration_before, result.misregistration_before, atol=1e-3)
    assert_allclose(again.mean_error(0.9), result.mean_error(0.9), rtol=1e-3)
    assert_allclose(again.chance_off(7.0), result.chance_off(7.0), atol=1e-3)
    assert again.provenance["seed"] == 3
    again.save(tmp_path / "again")  # and can be saved again


def test_a_start_that_is_no_matrix_is_not_known(result, tmp_path):
    result.provenance["parameters"]["initial"] = None
    assert read_saved(result.save(tmp_path / "out")).initial is None


def test_sizes_are_known_without_reading_images(result, tmp_path):
    folder = result.save(tmp_path / "out")
    (folder / "registered.tif").unlink()
    assert read_report_sizes(folder) == ((40, 60), (50, 55))


def _edit(folder, change):
    path = folder / "report.json"
    report = json.loads(path.read_text())
    change(report)
    path.write_text(json.dumps(report))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "transform.npz").unlink(), "transform.npz is missing"),
        (lambda folder: (folder / "report.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "errors.npz").write_bytes(b"PK"), "errors.npz cannot be read"),
        (lambda folder: np.savez(folder / "errors.npz", format="?"), "errors.npz cannot be read"),
        (lambda folder: (folder / "report.json").write_text("[1]"), "no report"),
        (lambda folder: _edit(folder, lambda r: r.update(status="fine")), "no report"),
        (lambda folder: _edit(folder, lambda r: r["provenance"].pop("inputs")), "sizes"),
        (
            lambda folder: _edit(
                folder, lambda r: r["provenance"]["inputs"]["fixed"].update(shape=[9, 9])
            ),
            "do not belong together",
        ),
    ],
)
def test_damaged_folders_are_refused_with_a_reason(result, tmp_path, damage, sentence):
    folder = result.save(tmp_path / "out")
    damage(folder)
    with pytest.raises(InputError, match=sentence):
        read_saved(folder)


def test_another_folder_is_no_result(tmp_path):
    for read in (read_saved, read_report_sizes):
        with pytest.raises(InputError, match="no saved result"):
            read(tmp_path)
