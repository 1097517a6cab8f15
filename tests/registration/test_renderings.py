"""A model's rendering, from its grid to the fixed image's pixels.

The model of these tests renders the moving image as it is shown: warped by the result, that must
be the registered image, whatever the grids, the first homography and refinement did.
"""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.models import ModelInfo, Prediction, registry
from napari_mmreg.models.protocol import RENDERED, Rendering
from napari_mmreg.registration.path import PREDICT_BUDGET, register

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
        return Prediction(answer, extras={RENDERED: Rendering(seen, self.frame)})


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    model = Painter()
    registry.register_model(INFO, lambda: model)
    model.status = "ok"

    def certify(pair, transform, run, *, error_scale=None):
        nothing = np.zeros(pair.shape, np.float32)
        return SimpleNamespace(
            status=model.status, reasons=(), similarity_before=0.2, similarity_after=0.7,
            folding=0.0, overlap=1.0, misregistration=nothing, misregistration_before=nothing,
        )  # fmt: skip

    module = ModuleType("napari_mmreg.registration.certify")
    module.certify = certify
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return model


def run(moving_shape=(300, 340), fixed_shape=(300, 340), **options):
    moving = picture(moving_shape)
    return register(
        picture(fixed_shape, 1), moving, "painter", refine=False, detect_borders=False, **options
    )


def check(result, shape):
    made = result.extras["rerendered"]
    assert RENDERED not in result.extras
    assert made.shape == shape
    assert made.dtype == np.float32
    inner = ndimage.binary_erosion(result.valid, iterations=12)
    made, wanted = made[inner], result.registered[inner]
    # Models see stretched grey values; a line through both takes that out.
    fit = np.polyval(np.polyfit(made, wanted, 1), made)
    assert np.sqrt(np.mean((fit - wanted) ** 2)) < 0.02
    return np.sqrt(np.mean((made - wanted) ** 2))


@pytest.mark.parametrize("frame", [MatrixTransform.identity(), TRUTH], ids=["plain", "warped"])
def test_it_lies_where_the_registered_image_does(model, frame):
    model.frame = frame
    check(run(), (300, 340))


def test_images_larger_than_the_grid(model):
    check(run((1200, 1300), (1000, 1100)), (1000, 1100))
    assert np.prod(model.shape) <= PREDICT_BUDGET < 1000 * 1100


def test_an_initial_transform_that_bends(model):
    rows, cols = np.indices((300, 340), dtype=np.float32)
    wave = np.stack([5 * np.sin(cols / 90), 4 * np.cos(rows / 80)], axis=-1)
    initial = DisplacementTransform(wave.astype(np.float32))
    check(run(initial=initial), (300, 340))


def test_a_failed_run_shows_no_rendering(model):
    model.status = "failed"
    result = run()
    assert "rerendered" not in result.extras
    assert RENDERED not in result.extras
