"""The global stage on pictures of two made-up sensors with known transforms."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data, filters

from napari_mmreg.alignment.levels import build_level, pair_tensors
from napari_mmreg.alignment.lucas_kanade import align
from napari_mmreg.errors import Cancelled
from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.models import load_model
from napari_mmreg.models.classical.search import highest_near, search
from napari_mmreg.nn.homography import matrix_tensor
from napari_mmreg.run import Run

ASTRONAUT = data.astronaut()[::2, ::2].astype(float)
FIXED = ASTRONAUT[..., 0]


def inverted(image):
    return 255 - image[..., 2]


def bent_tones(image):
    """Bright and dark both become dark."""
    return np.sin(image[..., 1] / 255 * 1.5 * np.pi) * 100 + 120


def edges(image):
    return filters.sobel(filters.gaussian(image[..., 2], 1))


def case(sensor, shape=(256, 256), **params):
    truth = MatrixTransform.from_params(center=((shape[0] - 1) / 2, (shape[1] - 1) / 2), **params)
    seen = sensor(ASTRONAUT).astype(np.float32)[: shape[0], : shape[1]]
    moving = truth.inverse().resample(seen, shape, fill=np.nan)
    return prepare_pair(FIXED[: shape[0], : shape[1]], moving), truth


def error(found, truth, pair):
    """Mean error where the two frames overlap."""
    away = found.displacement(pair.shape) - truth.displacement(pair.shape)
    return float(np.linalg.norm(away, axis=-1)[truth.valid(pair.shape, pair.shape)].mean())


@pytest.mark.parametrize("sensor", [inverted, bent_tones, edges])
def test_two_sensors(sensor):
    pair, truth = case(sensor, rotation_degrees=9, scale=0.93, translation=(-14, 21))
    assert error(load_model("classical").predict(pair, Run()).transform, truth, pair) < 1.5


@pytest.mark.parametrize(
    "params",
    [
        {"rotation_degrees": -28},
        {"scale": 0.75},
        {"scale": 1.35},
        {"translation": (70, -40)},
        {"rotation_degrees": 18, "scale": 1.12, "translation": (30, 35)},
    ],
)
def test_capture_range(params):
    pair, truth = case(inverted, **params)
    assert error(load_model("classical").predict(pair, Run()).transform, truth, pair) < 1.5


def test_perspective():
    pair, _ = case(inverted)
    truth = MatrixTransform([[1, 0.05, 4], [-0.04, 1.03, -6], [2e-4, -3e-4, 1]])
    seen = inverted(ASTRONAUT).astype(np.float32)
    moving = truth.inverse().resample(seen, pair.shape, fill=np.nan)
    pair = prepare_pair(FIXED, moving)
    assert error(load_model("classical").predict(pair, Run()).transform, truth, pair) < 1.5


@pytest.mark.parametrize("shape", [(256, 128), (100, 240)])
def test_frames_that_are_not_square(shape):
    pair, truth = case(inverted, shape=shape, rotation_degrees=5, translation=(6, -8))
    assert error(load_model("classical").predict(pair, Run()).transform, truth, pair) < 1.5


@pytest.mark.parametrize("shape", [(16, 16), (16, 200), (40, 17)])
def test_smallest_frames_give_a_finite_answer(shape):
    noise = np.random.default_rng(0)
    pair = prepare_pair(noise.random(shape), noise.random(shape))
    found = load_model("classical").predict(pair, Run()).transform
    assert np.isfinite(found.displacement(pair.shape)).all()


def test_aligned_pairs_stay():
    pair, truth = case(inverted)
    assert error(load_model("classical").predict(pair, Run()).transform, truth, pair) < 0.5


def test_the_same_twice():
    pair, _ = case(bent_tones, rotation_degrees=4)
    one, two = (load_model("classical").predict(pair, Run()).transform for _ in range(2))
    np.testing.assert_array_equal(one.matrix, two.matrix)


def test_cancel_is_asked_often():
    pair, _ = case(inverted)
    asked = 0

    def cancel():
        nonlocal asked
        asked += 1
        return asked > 20

    with pytest.raises(Cancelled):
        load_model("classical").predict(pair, Run(cancel=cancel))
    assert asked == 21


def test_search_starts_within_its_steps():
    pair, truth = case(inverted, rotation_degrees=11, scale=1.07, translation=(25, -12))
    level = build_level(pair_tensors(pair, "cpu"), 96)
    with torch.inference_mode():
        found, scores = search(level, range(-30, 31, 5), (0.9, 1.0, 1.1), Run(), keep=5)
    assert (scores[:-1] >= scores[1:]).all()
    start = MatrixTransform.from_xy(found[0].numpy())
    assert error(start, truth, pair) < 8


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_highest_near_equals_a_pooled_maximum(reach):
    maps = torch.randn(2, 13, 17)
    expected = F.max_pool2d(maps[:, None], 2 * reach + 1, 1, reach)[:, 0]
    assert torch.equal(highest_near(maps, reach), expected)


def test_alignment_improves_a_start():
    pair, truth = case(inverted, rotation_degrees=6, translation=(9, 5))
    level = build_level(pair_tensors(pair, "cpu"), 128)
    start = MatrixTransform.from_params(
        rotation_degrees=4.5, translation=(11, 3), center=(127.5, 127.5)
    )
    with torch.inference_mode():
        found = align(level, matrix_tensor(start.matrix_xy)[None], Run(), iterations=15)
    after = MatrixTransform.from_xy(found[0].numpy())
    assert error(after, truth, pair) < 0.5 < error(start, truth, pair)
