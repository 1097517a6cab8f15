"""A model's own misregistration map reaches the fixed pixels."""

import numpy as np
import pytest
from skimage import data

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.models import registry
from napari_mmreg.models.protocol import ModelInfo, Prediction
from napari_mmreg.registration import register

INFO = ModelInfo(name="locator", title="Locator", purpose="Says where.", licence="none")


class Locator:
    info = INFO

    def predict(self, pair, run):
        likely = np.zeros(pair.shape, np.float32)
        likely[:, pair.shape[1] // 2 :] = 1
        return Prediction(MatrixTransform.identity(), localisation=likely)


@pytest.mark.parametrize("shape", [(200, 300), (900, 1200)])
def test_the_map_lies_on_the_fixed_image(monkeypatch, shape):
    monkeypatch.setattr(registry._MODELS, "entries", dict(registry._MODELS.entries))
    registry.register_model(INFO, Locator)
    image = np.tile(data.camera(), (3, 3))[: shape[0], : shape[1]]
    result = register(image, image[:-20], "locator", refine=False)
    likely = result.localisation
    assert likely.shape == shape
    assert likely.dtype == np.float32
    middle = shape[1] // 2
    assert likely[:, : middle - 5].max() == 0
    assert likely[:, middle + 5 :].min() == 1
