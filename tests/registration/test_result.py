import json
import math
import pickle

import numpy as np
import pytest
import tifffile

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, Transform
from napari_mmreg.registration import RegistrationResult
from napari_mmreg.registration.error_estimate import ErrorEstimate
from results import off

SHIFT = MatrixTransform.translation((2, -3))


def make(registered=None, transform=SHIFT, **changes):
    if registered is None:
        registered = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)
    fields = {
        "transform": transform,
        "registered": registered,
        "status": "ok",
        "reasons": ("Edges lie on edges.",),
        "initial": MatrixTransform.identity(),
        "model": "classical",
        "answer_of": "classical",
        "fixed_shape": (40, 60),
        "moving_shape": (50, 50),
        "metrics": {"similarity_before": 0.1, "folding_percent": 0.0, "displacement_max_px": 3.6},
        "fixed_from_model_grid": MatrixTransform.identity(),
        "fixed_from_grid": MatrixTransform.identity(),
        "grid_errors": off(np.zeros((40, 60))),
        "grid_errors_before": off(np.ones((40, 60))),
    }
    return RegistrationResult(**{**fields, **changes})


def test_arrays_on_the_fixed_grid():
    result = make()
    assert result.displacement.shape == (40, 60, 2)
    assert result.displacement.dtype == np.float32
    assert (result.displacement == (2, -3)).all()
    assert result.valid[0, 3]
    assert not result.valid[0, 2]
    assert not result.valid[:, 53:].any()
    assert result.displacement is result.displacement
    assert result.misregistration.shape == (40, 60)
    assert result.misregistration_before.min() == pytest.approx(1)


def test_maps_are_brought_from_the_working_grid():
    # The grid is four times coarser and begins one grid pixel before the fixed frame.
    matrix = np.array([[4.0, 0, 1.5 - 4], [0, 4, 1.5 - 4], [0, 0, 1]])
    ramp = np.add.outer(np.arange(12.0), 10 * np.arange(17.0)) / 200
    result = make(fixed_from_grid=MatrixTransform(matrix), grid_errors=off(ramp))
    fixed = result.misregistration
    assert fixed.shape == (40, 60)
    assert fixed.dtype == np.float32
    at = MatrixTransform(matrix).inverse().map((20, 30))
    assert fixed[20, 30] == pytest.approx((at[0] + 10 * at[1]) / 200, rel=1e-4)


def test_results_cannot_be_changed_but_travel():
    result = make()
    with pytest.raises(AttributeError):
        result.status = "failed"
    assert pickle.loads(pickle.dumps(result)).status == "ok"


def test_the_report_is_json_with_units():
    values = {"similarity_after": np.float32(0.5), "displacement_median_px": np.nan}
    result = make(metrics=values, provenance={"seed": 0, "grid": np.array([1, 2])})
    report = json.loads(json.dumps(result.report(), allow_nan=False))
    assert report["status"] == "ok"
    assert report["metrics"]["similarity_after"] == {"value": 0.5, "unit": "1"}
    assert report["metrics"]["displacement_median_px"] == {"value": None, "unit": "fixed px"}
    assert report["transform"]["matrix"] == SHIFT.matrix.tolist()
    assert report["misregistration"]["before"]["share_above_half"] == 1
    assert report["provenance"]["grid"] == [1, 2]
    bend = DisplacementTransform(np.zeros((40, 60, 2), np.float32))
    assert make(transform=bend).report()["transform"]["matrix"] is None


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "float16", "float32", ">f8", "bool"])
def test_saving_loses_nothing(tmp_path, dtype, channels):
    shape = (40, 60) if channels is None else (40, 60, channels)
    image = (np.random.default_rng(0).uniform(0, 200, shape) // 100 * 77).astype(dtype)
    if channels == 1:
        image = image[..., 0]
    result = make(registered=image)
    folder = result.save(tmp_path / "new" / "folder")
    assert sorted(path.name for path in folder.iterdir()) == [
        "errors.npz",
        "misregistration.tif",
        "registered.tif",
        "report.json",
        "transform.npz",
    ]
    saved = tifffile.imread(folder / "registered.tif")
    if dtype == "bool":
        assert saved.dtype == np.uint8
        saved = saved == 255
    assert saved.dtype == image.dtype.newbyteorder("=")
    np.testing.assert_array_equal(saved, image)
    loaded = Transform.load(folder / "transform.npz")
    np.testing.assert_array_equal(loaded.matrix, SHIFT.matrix)
    assert json.loads((folder / "report.json").read_text())["model"] == "classical"
    assert tifffile.imread(folder / "misregistration.tif").dtype == np.float32
    result.save(folder)  # again, over it


def test_probable_errors_in_fixed_pixels():
    shape = (40, 60)
    errors = ErrorEstimate(np.full(shape, 3.0, np.float32), np.full(shape, 0.5, np.float32))
    whole = ErrorEstimate(np.float32(4.0), np.float32(0.25))
    result = make(grid_errors=errors, whole_error=whole)
    scale = 256 / 60
    assert result.default_tolerance == pytest.approx(2 / scale)
    np.testing.assert_allclose(result.chance_off(2 / scale), result.misregistration, rtol=1e-6)
    np.testing.assert_allclose(result.chance_off(3 / scale), 0.5, rtol=1e-6)
    np.testing.assert_allclose(result.likely_error(), 3 / scale, rtol=1e-6)
    np.testing.assert_allclose(result.likely_error(0.9), 9 / scale, rtol=1e-6)  # 9^spread times
    assert result.mean_error() == pytest.approx(4 / scale)
    assert result.mean_error(0.9) == pytest.approx(4 * 9**0.25 / scale)
    assert result.probable_error == pytest.approx(4 * 3**0.25 / scale)
    assert result.error_at((10, 20)) == pytest.approx(3 * 3**0.5 / scale)
    assert result.report()["probable_mean_error"]["median"] == pytest.approx(4 / scale)
    with pytest.raises(InputError, match="tolerance"):
        result.chance_off(0)
    with pytest.raises(InputError, match="between 0 and 1"):
        result.likely_error(1)


def test_a_failed_result_has_no_mean_error():
    assert math.isnan(make().mean_error())
    assert make().report()["probable_mean_error"]["median"] is None
