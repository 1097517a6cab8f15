from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from napari_mmreg.errors import InputError
from napari_mmreg.nn.sampling import warp
from napari_mmreg.training.appearance import AppearanceConfig
from napari_mmreg.training.batches import BatchConfig, BatchGenerator
from napari_mmreg.training.pack import PackedPair
from napari_mmreg.training.pictures import PictureStore
from napari_mmreg.training.prefetch import BatchSource

SMALL = BatchConfig(batch=6, sizes=((64, 80),))
PLAIN = replace(SMALL, appearance=AppearanceConfig(strength=0.0), swap_share=0.0)


def equal(one, two):
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, torch.Tensor):
            if not torch.equal(a, b):
                return False
        elif a != b:
            return False
    return True


def test_shapes_and_ranges(pairs):
    batch = next(BatchGenerator(pairs, SMALL))
    for name in ("fixed", "moving", "aligned"):
        image = getattr(batch, name)
        assert image.shape == (6, 1, 64, 80)
        assert image.dtype == torch.float32
        assert 0 <= float(image.min()) <= float(image.max()) <= 1
    assert batch.flow.shape == batch.inverse_flow.shape == (6, 2, 64, 80)
    for name in ("valid", "fixed_mask", "moving_mask", "inverse_valid"):
        mask = getattr(batch, name)
        assert mask.shape == (6, 1, 64, 80)
        assert mask.dtype == torch.bool
    assert batch.matrix.shape == (6, 3, 3)
    assert len(batch.modalities) == len(batch.tiers) == 6


def test_truth_aligns_what_the_network_sees(pairs):
    """Appearance off: the moving image, pulled by the truth, is the aligned image."""
    config = replace(PLAIN, fill_black=0.0, fill_edge=1.0)
    generator = BatchGenerator(pairs, config, seed=2)
    for _ in range(3):
        batch = next(generator)
        missing = torch.nn.functional.max_pool2d(1 - batch.valid.float(), 5, 1, 2)
        inner = missing == 0
        found = (warp(batch.moving, batch.flow) - batch.aligned).abs()[inner]
        before = (batch.moving - batch.aligned).abs()[inner]
        assert float(found.mean()) < 0.35 * float(before.mean())
        assert float(found.mean()) < 0.03


def test_batch_depends_on_seed_and_number_only(pairs):
    one, two = BatchGenerator(pairs, SMALL, 4), BatchGenerator(pairs, SMALL, 4)
    for _ in range(3):
        next(one)
    assert equal(one.make(7), two.make(7))
    assert not equal(one.make(7), one.make(8))
    assert not equal(one.make(7), BatchGenerator(pairs, SMALL, 5).make(7))


def test_state_resumes(pairs):
    one = BatchGenerator(pairs, SMALL, 1)
    next(one)
    state = one.state_dict()
    expected = next(one)
    two = BatchGenerator(pairs, SMALL, 99)
    two.load_state_dict(state)
    assert equal(next(two), expected)


def test_prefetching_changes_nothing(pairs):
    plain, ahead = BatchGenerator(pairs, SMALL), BatchGenerator(pairs, SMALL)
    with BatchSource(ahead, prefetch=True) as source:
        for number in range(1, 4):
            assert equal(next(source), next(plain))
            assert ahead.state_dict() == plain.state_dict() == {"seed": 0, "index": number}


def test_shares_are_as_asked(pairs):
    config = replace(SMALL, batch=64, mono_share=0.35, sizes=((32, 32), (40, 48)))
    generator = BatchGenerator(pairs, config)
    batches = [next(generator) for _ in range(6)]
    mono = torch.cat([b.mono for b in batches]).float().mean()
    assert float(mono) == pytest.approx(0.35, abs=0.08)
    assert {tuple(b.fixed.shape[2:]) for b in batches} == {(32, 32), (40, 48)}
    tiers = [t for b in batches for t in b.tiers]
    assert tiers.count("hard") / len(tiers) == pytest.approx(0.45, abs=0.1)
    shift = torch.cat([b.flow.mean((2, 3)) / b.flow.shape[3] for b in batches])
    assert float((shift.abs().amax(1) > 0.18).float().mean()) > 0.2  # wide translations


def test_both_images_are_changed_independently(pairs):
    """One picture, not moved: what is seen differs, more in some pairs than in others."""
    config = replace(SMALL, batch=32, mono_share=1.0, tiers={"identity": 1.0})
    batch = next(BatchGenerator(pairs, config))
    likeness = torch.stack(
        [
            torch.corrcoef(torch.stack([f.flatten(), m.flatten()]))[0, 1]
            for f, m in zip(batch.fixed, batch.moving, strict=True)
        ]
    )
    assert float((likeness < 0).float().mean()) > 0.15
    assert float((likeness > 0.95).float().mean()) < 0.3


def test_identity_pairs_are_not_moved(pairs):
    batch = next(BatchGenerator(pairs, replace(SMALL, tiers={"identity": 1.0})))
    assert float(batch.flow.abs().max()) < 1e-4


def test_modality_weights(pairs):
    config = replace(SMALL, batch=40, modality_weights={"a": 0.0})
    assert set(next(BatchGenerator(pairs, config)).modalities) == {"b"}
    with pytest.raises(InputError, match="zero"):
        BatchGenerator(pairs, replace(SMALL, modality_weights={"a": 0.0, "b": 0.0}))


def test_missing_data_is_black_by_default(pairs):
    batch = next(BatchGenerator(pairs, replace(SMALL, batch=24, fill_black=1.0)))
    outside = ~batch.moving_mask
    assert bool(outside.any())
    assert float(batch.moving[outside].max()) == 0.0


def colour_pair():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (60, 70, 3), dtype=np.uint8)
    mask = np.ones((60, 70), bool)
    mask[:, :30] = False
    return PackedPair("c", "train", "m", "own", "s", image, image[..., 0], mask)


def test_colour_and_grey_networks(pairs):
    mixed = [*pairs, colour_pair()]
    batch = next(BatchGenerator(mixed, replace(SMALL, batch=20, channels=3)))
    assert batch.fixed.shape[1] == batch.moving.shape[1] == batch.aligned.shape[1] == 3
    store = PictureStore([colour_pair()])
    no = torch.zeros(1, dtype=torch.bool)
    grey = store.gather([0], no, no, 1, None)
    expected = colour_pair().fixed @ np.array([0.299, 0.587, 0.114]) / 255
    assert np.allclose(grey.fixed[0, 0].numpy(), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("mono", "swap", "limited"),
    [
        (False, False, [False, True]),
        (False, True, [True, False]),
        (True, True, [True, True]),
        (True, False, [False, False]),
    ],
)
def test_the_mask_follows_the_moving_picture(mono, swap, limited):
    pair = colour_pair()
    store = PictureStore([pair])
    found = store.gather([0], torch.tensor([mono]), torch.tensor([swap]), 3, None)
    assert found.limited.tolist() == [limited]
    assert bool(found.mask.all()) is not any(limited)
    grey = torch.from_numpy(pair.moving)[None].expand(3, -1, -1) / 255
    colour = torch.from_numpy(pair.fixed).permute(2, 0, 1) / 255
    one, two = (grey, colour) if swap else (colour, grey)
    assert torch.allclose(found.fixed[0], one)
    assert torch.allclose(found.moving[0], one if mono else two) or (mono and swap)
    if mono:
        assert torch.equal(found.fixed, found.moving)


def test_nothing_to_train_on():
    with pytest.raises(InputError, match="no pairs"):
        BatchGenerator([], SMALL)


def test_unknown_tier(pairs):
    with pytest.raises(InputError, match="extreme"):
        BatchGenerator(pairs, replace(SMALL, tiers={"extreme": 1.0}))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_on_the_gpu(pairs):
    one = BatchGenerator(pairs, SMALL, 3).make(2)
    two = BatchGenerator(pairs, SMALL, 3, "cuda").make(2)
    assert torch.allclose(one.flow, two.flow.cpu(), atol=1e-2)
    assert float((one.moving - two.moving.cpu()).abs().mean()) < 1e-3
