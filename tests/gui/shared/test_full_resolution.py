"""The registered layer of multiscale images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.layers import Image

from napari_mmreg.geometry import MatrixTransform, is_lazy
from napari_mmreg.geometry.thinning import thin_block
from napari_mmreg.gui.shared import snapshot as snapshots
from napari_mmreg.gui.shared.bundle import build
from napari_mmreg.gui.shared.run_layers import make_layer
from napari_mmreg.gui.shared.snapshot import RunSettings, Snapshot, read, take_picture
from napari_mmreg.registration import register


@pytest.fixture
def layers(monkeypatch):
    from skimage import data

    monkeypatch.setattr(snapshots, "LEVEL_BUDGET", 256 * 256)
    image = data.camera()
    truth = MatrixTransform.from_params(rotation_degrees=3, translation=(8, -6), center=(256, 256))
    moving = truth.inverse().resample(255 - image, image.shape, 1)

    def levels(full):
        return [full, thin_block(full, 2), thin_block(full, 4)]

    place = {"units": "micrometer", "rotate": 20}
    fixed = Image(levels(image), scale=(0.5, 0.8), translate=(3, -2), **place)
    return fixed, Image(levels(moving)), image


def run(fixed, moving):
    pictures = take_picture(fixed), take_picture(moving)
    snapshot = Snapshot(1, *pictures, None, None, RunSettings(model="classical"))
    arrays = [read(picture) for picture in pictures]
    result = register(*arrays, model="classical", device="cpu")
    return snapshot, build(snapshot, *arrays, result, "", lambda: None), result


def test_the_registered_layer_is_as_fine_as_the_images(layers):
    fixed, moving, image = layers
    snapshot, bundle, result = run(fixed, moving)
    assert snapshot.fixed.shape == (256, 256)
    spec = bundle.layers[0]
    layer = make_layer(spec)
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(512, 512), (256, 256), (128, 128)]
    assert all(is_lazy(level) for level in layer.data)
    for corner in ((0, 0), (511, 511), (100, 400)):
        np.testing.assert_allclose(layer.data_to_world(corner), fixed.data_to_world(corner))
    shown = np.asarray(layer.data[0]).astype(float)
    inner = np.s_[60:450, 60:450]
    assert np.corrcoef(shown[inner].ravel(), image[inner].ravel())[0, 1] < -0.9
    coarse = np.asarray(layer.data[1]).astype(float)[30:220, 30:220]
    on_level = np.asarray(result.registered).astype(float)[30:220, 30:220]
    assert np.abs(coarse - on_level).mean() < 3


def test_what_was_read_in_full_stays_as_it_is(layers):
    fixed, moving, _ = layers
    plain = Image(np.asarray(moving.data[1]))
    snapshot, bundle, result = run(fixed, plain)
    assert bundle.layers[0].data is result.registered
    assert replace(snapshot.moving, levels=()).level_scale == (1.0, 1.0)
