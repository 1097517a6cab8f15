"""RFNet's fusion as a method of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from napari_mmreg.errors import Cancelled
from napari_mmreg.evaluation.fusion_quality import q_abf
from napari_mmreg.fusion import apply, fuse
from napari_mmreg.fusion.f2m import F2MFusion
from napari_mmreg.models.rfnet.config import RFNetConfig
from napari_mmreg.models.rfnet.f2m import F2M, REACH
from napari_mmreg.nn import bands
from napari_mmreg.run import Run

GOLDEN = Path(__file__).with_name("golden_f2m.npy")
COFFEE = data.coffee()[40:200, 100:300]
RED, OTHER = COFFEE[..., 0], 255 - COFFEE[..., 2]


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = F2M(RFNetConfig(fusion=(6, 8), fine=8)).eval().requires_grad_(False)
    for part in (made.adapt[-1], *(p[-1] for p in made.attention.perceptrons)):
        torch.nn.init.normal_(part.weight, std=0.5)
    return made


def shipped():
    return fuse(RED, OTHER, "f2m")[::4, ::4]


def test_the_reach_is_as_far_as_a_pixel_acts(network):
    images = torch.rand(2, 1, 1, 41, 41)
    changed = images.clone()
    changed[1, ..., 20, 20] += 0.5
    attention = network.attend(*images)
    one, two = (network.fuse(*pair, attention=attention) for pair in (images, changed))
    rows = (one != two)[0, 0].any(1).nonzero()
    assert rows.max() - 20 == 20 - rows.min() == REACH


def test_tiles_show_no_seams(network, monkeypatch):
    monkeypatch.setattr(apply, "load_fusion", lambda name: F2MFusion(network))
    whole = fuse(RED / 255, OTHER / 255, "f2m", device="cpu")
    monkeypatch.setattr(apply, "TILE", 96)
    # The middle speaks for the whole: a little different everywhere, but the same in all tiles.
    tiled = fuse(RED / 255, OTHER / 255, "f2m", device="cpu")
    apart = np.abs(tiled - whole)
    assert apart.max() < 0.1
    for axis in range(2):
        steps = np.abs(np.diff(tiled - whole, axis=axis))
        at_seam = np.take(steps, 95, axis)
        assert at_seam.mean() < 2 * steps.mean() + 1e-4


def test_without_a_look_at_the_middle_each_part_speaks_for_itself(network):
    one, two = RED.astype(np.float32) / 255, OTHER.astype(np.float32) / 255
    blind, seeing = F2MFusion(network), F2MFusion(network)
    seeing.prepare(one, two, Run())
    valid = np.ones(one.shape, bool)
    np.testing.assert_allclose(
        blind.fuse(one, two, valid, Run()), seeing.fuse(one, two, valid, Run()), atol=1e-6
    )


def test_bands_change_nothing(network, monkeypatch):
    one, two = RED.astype(np.float32) / 255, OTHER.astype(np.float32) / 255
    images = [torch.from_numpy(image)[None, None] for image in (one, two)]
    with torch.inference_mode():
        whole = network.fuse(*images)[0, 0].numpy()
    monkeypatch.setattr(bands, "ROWS", 48)  # the last one is smaller than what acts on it
    np.testing.assert_allclose(
        network.attend(*images), network.attention(*network._features(*images, None)), atol=1e-6
    )
    valid = np.ones(one.shape, bool)
    np.testing.assert_allclose(F2MFusion(network).fuse(one, two, valid, Run()), whole, atol=1e-6)


def test_cancel_stops_between_bands(network, monkeypatch):
    monkeypatch.setattr(bands, "ROWS", 48)
    one, two = RED.astype(np.float32) / 255, OTHER.astype(np.float32) / 255
    for call in (
        lambda run: F2MFusion(network).prepare(one, two, run),
        lambda run: F2MFusion(network).fuse(one, two, np.ones(one.shape, bool), run),
    ):
        answers = iter([False, False, True])
        with pytest.raises(Cancelled):
            call(Run(cancel=lambda: next(answers)))  # noqa: B023 - called before the next turn


def test_shipped_weights_give_the_stored_picture():
    np.testing.assert_allclose(shipped().astype(int), np.load(GOLDEN), atol=1)


def test_shipped_weights_keep_edges_of_either_image():
    mean = (RED.astype(float) + OTHER) / 2
    assert q_abf(RED, OTHER, fuse(RED, OTHER, "f2m")) > q_abf(RED, OTHER, mean)


if __name__ == "__main__":  # after new weights of rfnet: python tests/fusion/test_f2m.py
    np.save(GOLDEN, shipped())
