import numpy as np
import pytest
from skimage import data

from napari_mmreg.errors import Cancelled
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.registration.certify import certify
from napari_mmreg.run import Run

ASTRONAUT = data.astronaut()[::2, ::2].astype(np.float32)
FIXED, OTHER = ASTRONAUT[..., 0], 255 - ASTRONAUT[..., 2]
TRUTH = MatrixTransform.from_params(rotation_degrees=7, translation=(12, -8), center=(127.5, 127.5))
PAIR = prepare_pair(FIXED, TRUTH.inverse().resample(OTHER, OTHER.shape, fill=np.nan))


@pytest.fixture(scope="module")
def right():
    return certify(PAIR, TRUTH, Run())


def test_the_truth_is_ok(right):
    assert right.status == "ok"
    assert right.similarity_after > right.similarity_before + 0.2
    assert right.folding == 0
    assert 0.7 < right.overlap <= 1
    assert len(right.reasons) == 1


def test_maps_lie_on_the_grid_and_are_probabilities(right):
    for part in (right.errors.exceeds(), right.errors_before.exceeds(), right.forward_backward):
        assert part.shape == PAIR.shape
        assert part.dtype == np.float32
        assert np.isfinite(part).all()
    for part in (right.errors.exceeds(), right.errors_before.exceeds()):
        assert part.min() >= 0
        assert part.max() <= 1


def test_the_input_was_more_likely_wrong_than_the_result(right):
    assert right.errors_before.exceeds().mean() > 0.8
    assert right.errors.exceeds()[40:-40, 40:-40].mean() < 0.4


def test_what_was_aligned_already_was_likely_right():
    found = certify(prepare_pair(FIXED, OTHER), MatrixTransform.identity(), Run())
    assert found.status == "ok"
    assert found.errors_before.exceeds().mean() < 0.4


@pytest.mark.parametrize("seed", [0, 1])
def test_what_matches_nothing_is_not_called_a_repeating_pattern(seed):
    noise = np.random.default_rng(seed).random(FIXED.shape)
    found = certify(prepare_pair(FIXED, noise), MatrixTransform.translation((9, -5)), Run())
    assert found.status != "ok"
    assert not any("repeats" in reason for reason in found.reasons)


def test_a_result_that_is_not_used_is_given_one_reason():
    found = certify(PAIR, MatrixTransform.translation((45, 20)).compose(TRUTH), Run())
    assert len(found.reasons) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        MatrixTransform.translation((45, 20)),
        MatrixTransform.from_params(rotation_degrees=-25, center=(127.5, 127.5)),
        MatrixTransform.from_params(scale=0.6, center=(127.5, 127.5)),
    ],
)
def test_wrong_alignments_are_not_used(wrong):
    found = certify(PAIR, wrong.compose(TRUTH), Run())
    assert found.status == "failed"
    assert "landmark" in found.reasons[0]
    assert found.errors.exceeds().mean() > 0.6


def test_a_small_local_error_raises_the_map_there(right):
    field = np.zeros((256, 256, 2), np.float32)
    rows, cols = np.mgrid[:256, :256]
    field[..., 0] = 6 * np.exp(-((rows - 90) ** 2 + (cols - 110) ** 2) / (2 * 18**2))
    found = certify(PAIR, TRUTH.compose(DisplacementTransform(field)), Run())
    here, there = (slice(80, 100), slice(100, 120)), (slice(180, 210), slice(100, 130))
    rise = found.forward_backward - right.forward_backward
    assert rise[here].mean() > 2
    assert rise[there].mean() < 1
    assert found.errors.exceeds()[here].mean() > right.errors.exceeds()[here].mean()


def test_unrelated_pictures_are_not_ok():
    pair = prepare_pair(FIXED, data.camera()[::2, ::2])
    assert certify(pair, MatrixTransform.identity(), Run()).status != "ok"


def test_no_overlap_is_said():
    found = certify(PAIR, MatrixTransform.translation((240, 0)), Run())
    assert found.status == "failed"
    assert any("finds data" in reason for reason in found.reasons)


def test_folding_is_said():
    rows, cols = np.mgrid[:256, :256]
    field = np.zeros((256, 256, 2), np.float32)
    field[..., 1] = 9 * np.sin(cols / 3) * np.exp(-((rows - 200) ** 2 + (cols - 60) ** 2) / 600)
    found = certify(PAIR, TRUTH.compose(DisplacementTransform(field)), Run())
    assert found.folding > 0.002
    assert found.status != "ok"
    assert any("folds" in reason for reason in found.reasons)


@pytest.mark.parametrize("shape", [(16, 16), (16, 120), (300, 70)])
def test_any_shape(shape):
    picture = data.camera()[: shape[0], : shape[1]]
    found = certify(prepare_pair(picture, 255 - picture), MatrixTransform.identity(), Run())
    assert found.errors.exceeds().shape == shape
    assert np.isfinite(found.errors.exceeds()).all()


def test_cancel():
    with pytest.raises(Cancelled):
        certify(PAIR, TRUTH, Run(cancel=lambda: True))
