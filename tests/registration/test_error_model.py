import json

import numpy as np
import pytest

from napari_mmreg.errors import InputError, ModelError
from napari_mmreg.registration import error_model
from napari_mmreg.registration.error_estimate import ErrorEstimate
from napari_mmreg.registration.error_model import load_error_model


def estimate(median, spread):
    return ErrorEstimate(np.asarray(median, np.float32), np.asarray(spread, np.float32))


def test_quantiles_and_probabilities_are_of_one_distribution():
    errors = estimate([[0.5, 2.0, 30.0]], [[0.3, 0.5, 1.2]])
    for share in (0.1, 0.5, 0.9):
        for place in range(3):
            limit = float(errors.quantile(share)[0, place])
            assert errors.exceeds(limit)[0, place] == pytest.approx(1 - share, abs=1e-5)
    np.testing.assert_allclose(errors.quantile(0.5), errors.median)


@pytest.mark.parametrize("tolerance", [0, -1, np.nan, np.inf])
def test_odd_tolerances_are_refused(tolerance):
    with pytest.raises(InputError, match="tolerance"):
        estimate(1, 1).exceeds(tolerance)


def test_without_displacement_input_and_result_are_one():
    after = estimate([1.0, 4.0], [0.4, 0.6])
    before = load_error_model().before(after, np.zeros(2))
    np.testing.assert_array_equal(before.median, after.median)
    np.testing.assert_array_equal(before.spread, after.spread)


def test_what_moved_far_was_off():
    after = estimate([1.0, 1.0, 1.0], [0.5, 0.5, 0.5])
    before = load_error_model().before(after, np.array([0.5, 5.0, 20.0]))
    assert (np.diff(before.exceeds()) > 0).all()
    assert before.exceeds()[1] > 0.8


def test_damaged_coefficients_are_an_error(tmp_path, monkeypatch):
    entries = json.loads((error_model.weights_folder("trust") / "config.json").read_text())
    del entries["pixel"]
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "config.json").write_text(json.dumps(entries))
    monkeypatch.setenv("MMREG_WEIGHTS", str(tmp_path))
    with pytest.raises(ModelError, match="damaged"):
        load_error_model.__wrapped__()
