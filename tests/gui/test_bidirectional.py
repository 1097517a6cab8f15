"""Splitting an interlaced image layer, in a viewer model without a window."""

import napari
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_mmreg.errors import InputError
from napari_mmreg.gui import bidirectional
from napari_mmreg.gui.samples import load_scan

IMAGE = np.random.default_rng(0).random((33, 40)).astype(np.float32)


@pytest.fixture
def viewer(monkeypatch):
    viewer = ViewerModel()
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    return viewer


@pytest.mark.parametrize(
    "place",
    [
        {},
        {"scale": (0.5, 2), "translate": (4, -9), "rotate": 15, "shear": [0.1], "units": "um"},
        {"scale": (3, 2), "affine": [[0.9, 0.2, 5], [-0.1, 1.1, 7], [0, 0, 1]]},
    ],
    ids=["plain", "rotated", "affine"],
)
def test_both_directions_lie_where_their_lines_lay(viewer, place):
    layer = viewer.add_image(IMAGE, name="scan", contrast_limits=(0.1, 0.8), **place)
    bidirectional.split_selected()
    original, forward, backward = viewer.layers
    assert original is layer
    assert not layer.visible
    assert [part.name for part in (forward, backward)] == ["forward: scan", "backward: scan"]
    for part, first in ((forward, 0), (backward, 1)):
        np.testing.assert_array_equal(part.data, IMAGE[first::2])
        for row, col in ((0, 0), (7, 12), (15, 39)):
            np.testing.assert_allclose(
                part.data_to_world((row, col)), layer.data_to_world((2 * row + first, col))
            )
        assert part.units == layer.units
        assert tuple(part.contrast_limits) == (0.1, 0.8)


def test_colour_stays_colour(viewer):
    viewer.add_image(np.zeros((10, 12, 3), np.uint8), rgb=True)
    bidirectional.split_selected()
    assert [layer.rgb for layer in viewer.layers] == [True] * 3
    assert viewer.layers[2].data.shape == (5, 12, 3)


def test_the_sample_splits_into_photoacoustic_images(viewer):
    data, kwargs, _ = load_scan()[0]
    viewer.add_image(data, **kwargs)
    bidirectional.split_selected()
    told = viewer.layers[2].metadata["napari_mmreg"]
    assert (told["modality"], told["direction"]) == ("photoacoustic", 1)


@pytest.mark.parametrize(
    "layer",
    [
        None,
        Labels(np.zeros((8, 8), int)),
        Image(np.zeros((3, 8, 8))),
        Image([np.zeros((8, 8)), np.zeros((4, 4))], multiscale=True),
    ],
    ids=["nothing", "labels", "stack", "multiscale"],
)
def test_anything_else_is_refused(viewer, layer):
    if layer is not None:
        viewer.add_layer(layer)
    with pytest.raises(InputError, match="Select one two-dimensional image"):
        bidirectional.split_selected()
    assert len(viewer.layers) == (layer is not None)


def test_without_a_viewer(monkeypatch):
    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    with pytest.raises(InputError, match="Open an image"):
        bidirectional.split_selected()
