"""Another sensor's appearance changes pixels, never geometry."""

from dataclasses import replace

import pytest
import torch

from napari_mmreg.models.sasnet.config import SASNetConfig
from napari_mmreg.models.sasnet.network import SASNet
from napari_mmreg.training.batches import BatchConfig, BatchGenerator
from napari_mmreg.training.cross_rendering import CrossRenderer

SETTINGS = BatchConfig(batch=4, sizes=((64, 64),))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SASNet(SASNetConfig())


def test_the_share_of_samples_is_rendered_and_the_truth_stays(pairs, network):
    plain = BatchGenerator(pairs, SETTINGS, seed=3).make(0)
    rendered = CrossRenderer(network, 1.0)(plain)
    changed = (rendered.moving - plain.moving).abs().flatten(1).amax(1)
    assert bool((changed > 0.01).all())
    assert bool((rendered.moving.amin() >= 0) & (rendered.moving.amax() <= 1))
    outside = ~plain.moving_mask
    assert torch.equal(rendered.moving[outside], plain.moving[outside])
    for name in ("fixed", "flow", "valid", "matrix", "moving_mask"):
        assert torch.equal(getattr(rendered, name), getattr(plain, name))
    assert CrossRenderer(network, 0.0)(plain) is plain


def test_a_sample_alone_has_nobody_to_borrow_from(pairs, network):
    lonely = BatchGenerator(pairs, replace(SETTINGS, batch=1), seed=3).make(0)
    assert CrossRenderer(network, 1.0)(lonely) is lonely


def test_batches_repeat(pairs, network):
    generators = [
        BatchGenerator(pairs, SETTINGS, seed=5, change=CrossRenderer(network, 0.5))
        for _ in range(2)
    ]
    generators[1].load_state_dict({"seed": 5, "index": 2})
    first = [next(generators[0]) for _ in range(3)][-1]
    assert torch.equal(first.moving, next(generators[1]).moving)
    assert torch.equal(first.aligned, generators[0].make(2).aligned)


def test_colour_pictures_keep_three_channels(pairs, network):
    batch = BatchGenerator(pairs, replace(SETTINGS, channels=3), seed=1).make(0)
    assert CrossRenderer(network, 1.0)(batch).moving.shape == batch.moving.shape
