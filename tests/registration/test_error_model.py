from dataclasses import asdict

import numpy as np
import pytest
import torch

from napari_mmreg.errors import InputError, ModelError
from napari_mmreg.models.weights import save_weights
from napari_mmreg.registration.error_estimate import ErrorEstimate
from napari_mmreg.registration.error_model import (
    ErrorModel,
    ErrorModelConfig,
    load_error_model,
)


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


def test_what_lies_far_out_counts_as_two_deviations():
    whole = load_error_model().whole
    far, farther = (whole.centre + times * whole.deviation for times in (2, 9))
    torch.testing.assert_close(whole(far), whole(farther))
    assert not torch.allclose(whole(far), whole(whole.centre))


def test_a_pixel_and_a_map_are_read_alike():
    model = load_error_model()
    rng = np.random.default_rng(0)
    local, whole = rng.normal(size=(9, 3, 4)), rng.normal(size=19)
    errors = model.of_pixels(local, whole)
    assert errors.median.shape == errors.spread.shape == (3, 4)
    one = model.of_pixels(local[:, 2, 1], whole)
    assert float(one.median) == pytest.approx(float(errors.median[2, 1]), rel=1e-5)
    assert model.of_whole(whole).median.shape == ()


def test_weights_of_another_model_are_an_error(tmp_path, monkeypatch):
    other = ErrorModel(ErrorModelConfig(hidden=(8, 4)))
    save_weights(tmp_path / "trust", "trust", other.state_dict(), asdict(ErrorModelConfig()))
    monkeypatch.setenv("MMREG_WEIGHTS", str(tmp_path))
    with pytest.raises(ModelError, match="do not fit"):
        load_error_model()
