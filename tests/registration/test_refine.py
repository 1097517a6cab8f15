import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data

from napari_mmreg.alignment.bspline_fit import fit_bspline, resize_displacement
from napari_mmreg.alignment.levels import build_level, pair_tensors
from napari_mmreg.errors import Cancelled
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.registration.refine import refine
from napari_mmreg.run import Run

ASTRONAUT = data.astronaut()[::2, ::2].astype(np.float32)
FIXED, OTHER = ASTRONAUT[..., 0], 255 - ASTRONAUT[..., 2]
IDENTITY = MatrixTransform.identity()


def refined(*args, **options):
    return refine(*args, **options)


def smooth_field(largest, seed=0):
    noise = np.random.default_rng(seed).standard_normal((256, 256, 2))
    field = ndimage.gaussian_filter(noise, (20, 20, 0), mode="reflect")
    return (field * (largest / np.linalg.norm(field, axis=-1).max())).astype(np.float32)


def bent_pair(field):
    """Fixed shows at p what moving shows at p + field(p)."""
    seen = DisplacementTransform(field).resample(FIXED, FIXED.shape)
    return prepare_pair(seen, OTHER)


def error(found, field):
    away = found.displacement((256, 256)) - field
    return float(np.linalg.norm(away, axis=-1)[12:-12, 12:-12].mean())


@pytest.mark.parametrize("seed", [0, 1])
def test_a_smooth_deformation_is_found(seed):
    field = smooth_field(7, seed)
    found = refined(bent_pair(field), IDENTITY, Run())
    assert error(found, field) < 0.5 * error(IDENTITY, field)
    assert error(found, field) < 1.5


def test_it_continues_after_any_start():
    turn = MatrixTransform.from_params(
        rotation_degrees=8, translation=(5, -9), center=(127.5, 127.5)
    )
    field = smooth_field(6)
    moving = turn.inverse().resample(OTHER, OTHER.shape, fill=np.nan)
    seen = DisplacementTransform(field).resample(FIXED, FIXED.shape)
    pair = prepare_pair(seen, moving)
    truth = turn.compose(DisplacementTransform(field)).displacement((256, 256))
    assert error(refined(pair, turn, Run()), truth) < 0.6 * error(turn, truth)


def test_a_good_start_is_kept_within_noise():
    pair = prepare_pair(FIXED, OTHER)
    assert error(refined(pair, IDENTITY, Run()), np.zeros((256, 256, 2))) < 0.3
    field = smooth_field(6)
    exact = DisplacementTransform(field)
    assert error(refined(bent_pair(field), exact, Run(), capture=3), field) < 0.6


def test_unrelated_pictures_are_not_bent():
    noise = np.random.default_rng(0)
    pair = prepare_pair(noise.random((128, 128)), noise.random((128, 128)))
    assert refined(pair, IDENTITY, Run()).is_identity
    assert refined(pair, MatrixTransform.translation((20, 9)), Run()).is_identity


def test_masked_content_does_not_pull():
    mask = np.ones((256, 256), bool)
    mask[:, 150:] = False
    moving = OTHER.copy()
    moving[:, 150:] = np.roll(OTHER, 6, axis=0)[:, 150:]  # a strong wrong answer
    found = refined(prepare_pair(FIXED, moving, moving_mask=mask), IDENTITY, Run())
    assert np.linalg.norm(found.displacement((256, 256)), axis=-1)[:, :140].mean() < 0.5


@pytest.mark.parametrize("shape", [(16, 16), (16, 90), (300, 64)])
def test_any_shape(shape):
    picture = data.camera()[: shape[0], : shape[1]]
    found = refined(prepare_pair(picture, 255 - picture), IDENTITY, Run())
    assert np.isfinite(found.displacement(shape)).all()


def test_cancel():
    with pytest.raises(Cancelled):
        refined(prepare_pair(FIXED, OTHER), IDENTITY, Run(cancel=lambda: True))


def test_bending_gives_pixels_of_its_level():
    field = smooth_field(6)
    level = build_level(pair_tensors(bent_pair(field), "cpu"), 128)
    mask = level.moving_mask * level.fixed_mask
    with torch.inference_mode():
        found = fit_bspline(level, level.moving, mask, None, 8, Run())
        full = resize_displacement(found, (256, 256))[0].flip(-1).numpy()
    assert np.linalg.norm(full - field, axis=-1)[12:-12, 12:-12].mean() < 1.5
    assert found.shape == (1, 128, 128, 2)


def test_the_global_part_is_aligned_whatever_the_whole_answer_says():
    true = MatrixTransform.from_params(rotation_degrees=3, translation=(4, -3), center=(128, 128))
    pair = prepare_pair(true.resample(FIXED, FIXED.shape, fill=np.nan), OTHER)
    truth = true.displacement((256, 256))
    near = MatrixTransform.translation((2, -2)).compose(true)
    wrong = MatrixTransform.translation((25, 20)).compose(true)
    found = refined(pair, wrong, Run(), global_part=near)
    assert error(found, truth) < 0.5 < error(near, truth)


def test_aligned_pairs_are_left_alone():
    pair = prepare_pair(FIXED, OTHER)
    nearly = MatrixTransform.translation((0.3, -0.3))
    assert refined(pair, nearly, Run(), global_part=nearly).is_identity
