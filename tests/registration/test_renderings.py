"""A model's rendering, from its grid to the fixed image's pixels.

The model of these tests renders the moving image as it is shown, beside something that nobody
asked for: mixed and warped by the result, that must be the fixed image, whatever the grids and the
first homography were. To the fixed sensor, dark and bright things of the moving image are bright.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.models import ModelInfo, Prediction, registry
from napari_mmreg.models.protocol import Rendering
from napari_mmreg.registration.register import PREDICT_BUDGET, register
from results import off

TRUTH = MatrixTransform(np.array([[0.97, 0.12, 9], [-0.1, 1.03, 14], [3e-5, -2e-5, 1]]))
INFO = ModelInfo("painter", "Painter", "Paints.", "BSD-3-Clause", needs_weights=False)


def picture(shape, seed=0):
    """A smooth texture in [0, 1]."""
    noise = np.random.default_rng(seed).random((shape[0] // 20 + 2, shape[1] // 20 + 2))
    places = np.indices(shape) / 20.0
    image = ndimage.map_coordinates(noise, places, order=3)
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


class Painter:
    """Says what the truth is, and paints what the moving image shows."""

    info = INFO

    def __init__(self):
        self.frame, self.shape = MatrixTransform.identity(), None

    def predict(self, pair, run):
        self.shape = pair.shape
        back = pair.moving_from_grid.inverse()
        answer = back.compose(TRUTH).compose(pair.fixed_from_grid)
        seen = self.frame.resample(pair.moving, pair.shape)
        channels = np.stack([seen**2 - 7, picture(pair.shape, 5)], axis=-1)
        return Prediction(answer, rendering=Rendering(channels, self.frame))


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    model = Painter()
    registry.register_model(INFO, lambda: model)
    model.status = "ok"

    def certify(pair, transform, run, *, elastic=None):
        nothing = off(np.zeros(pair.shape))
        return SimpleNamespace(
            status=model.status, reasons=(), similarity_before=0.2, similarity_after=0.7,
            folding=0.0, overlap=1.0, displacement=transform.displacement(pair.shape),
            errors=nothing, errors_before=nothing, whole=nothing,
            expected_error=1.0, chance_wrong=0.0,
        )  # fmt: skip

    module = ModuleType("napari_mmreg.registration.certify")
    module.certify = certify
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return model


def run(moving_shape=(300, 340), fixed_shape=(300, 340), **options):
    moving = picture(moving_shape)
    fixed = TRUTH.resample(4 * (moving - 0.5) ** 2, fixed_shape)
    return fixed, register(fixed, moving, "painter", refine=False, detect_borders=False, **options)


def check(fixed, result):
    made = result.rerendered
    assert made.shape == fixed.shape
    assert made.dtype == np.float32
    inner = ndimage.binary_erosion(result.valid, iterations=12)
    made, wanted = made[inner], fixed[inner]
    assert made.min() >= 0
    assert made.max() <= 1
    # Models see stretched grey values; a line through both takes that out, but not its sign.
    slope, offset = np.polyfit(made, wanted, 1)
    assert slope > 0
    assert np.sqrt(np.mean((slope * made + offset - wanted) ** 2)) < 0.02


@pytest.mark.parametrize("frame", [MatrixTransform.identity(), TRUTH], ids=["plain", "warped"])
def test_it_lies_where_the_registered_image_does(model, frame):
    model.frame = frame
    check(*run())


def test_images_larger_than_the_grid(model):
    check(*run((1200, 1300), (1000, 1100)))
    assert np.prod(model.shape) <= PREDICT_BUDGET < 1000 * 1100


def test_an_initial_transform_that_bends(model):
    rows, cols = np.indices((300, 340), dtype=np.float32)
    wave = np.stack([5 * np.sin(cols / 90), 4 * np.cos(rows / 80)], axis=-1)
    initial = DisplacementTransform(wave.astype(np.float32))
    check(*run(initial=initial))


def test_a_failed_run_shows_no_rendering(model):
    model.status = "failed"
    _, result = run()
    assert result.rerendered is None
