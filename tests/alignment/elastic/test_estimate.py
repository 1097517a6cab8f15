"""The elastic stage with the weights that are shipped."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data
from skimage.transform import resize

from napari_mmreg.alignment.elastic.estimate import bend_pair
from napari_mmreg.alignment.levels import pair_tensors
from napari_mmreg.errors import Cancelled
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.models.elastic import load_elastic
from napari_mmreg.registration.refine import refine
from napari_mmreg.run import Run

IDENTITY = MatrixTransform.identity()


@pytest.fixture(scope="module")
def network():
    return load_elastic()


def pictures(side=256):
    """Red, and blue turned round: two sensors that show one thing."""
    astronaut = resize(data.astronaut(), (side, side), anti_aliasing=True).astype(np.float32)
    return astronaut[..., 0], 1 - astronaut[..., 2]


def smooth_field(shape, largest, sigma, seed=0):
    noise = np.random.default_rng(seed).standard_normal((*shape, 2))
    field = ndimage.gaussian_filter(noise, (sigma, sigma, 0), mode="reflect")
    return (field * (largest / np.linalg.norm(field, axis=-1).max())).astype(np.float32)


def bent_pair(field):
    """Fixed shows at p what moving shows at p + field(p)."""
    fixed, moving = pictures(field.shape[0])
    return prepare_pair(DisplacementTransform(field).resample(fixed, fixed.shape), moving)


def bend(pair, start, network, run=None):
    with torch.inference_mode():
        return bend_pair(pair_tensors(pair, "cpu"), start, network, run or Run())


def error(transform, field):
    away = transform.displacement(field.shape[:2]) - field
    return float(np.linalg.norm(away, axis=-1)[12:-12, 12:-12].mean())


def test_a_fixed_image_that_is_encoded_before_gives_the_same_answer(network):
    images = [torch.from_numpy(image)[None, None] for image in pictures(96)]
    full = torch.ones_like(images[0])
    with torch.inference_mode():
        encoded = network.encoder(images[0], full)
        one = network(*images, full, full).flow((96, 96))
        two = network(*images, full, full, encoded=encoded).flow((96, 96))
    torch.testing.assert_close(one, two, atol=1e-4, rtol=0)


def test_both_ways_round_need_each_image_encoded_once(network):
    images = torch.stack([torch.from_numpy(image)[None] for image in pictures(96)])
    full = torch.ones_like(images)
    with torch.inference_mode():
        encoded = network.encoder(images, full)
        one = network(images, images.flip(0), full, full)
        both = encoded, encoded.swapped()
        two = network(images, images.flip(0), full, full, encoded=both[0], encoded_moving=both[1])
    torch.testing.assert_close(one.flow((96, 96)), two.flow((96, 96)), atol=1e-4, rtol=0)
    torch.testing.assert_close(one.log_error, two.log_error, atol=1e-4, rtol=0)


@pytest.mark.parametrize(("largest", "sigma"), [(8.0, 16.0), (5.0, 20.0)])
def test_most_of_a_bend_is_found(network, largest, sigma):
    field = smooth_field((256, 256), largest, sigma)
    found = bend(bent_pair(field), IDENTITY, network)
    assert error(found.transform, field) < 0.5 * error(IDENTITY, field)
    assert found.folding == 0


def test_larger_images_are_bent_on_a_finer_grid(network):
    field = smooth_field((480, 480), 14.0, 32.0)
    found = bend(bent_pair(field), IDENTITY, network)
    assert error(found.transform, field) < 0.5 * error(IDENTITY, field)
    assert found.error_scale.shape == (480, 480)


def test_what_a_global_alignment_left_is_found_too(network):
    fixed, moving = pictures()
    truth = MatrixTransform.from_params(
        rotation_degrees=0.8, translation=(1.5, -2), center=(127.5, 127.5)
    )
    pair = prepare_pair(truth.resample(fixed, fixed.shape, fill=np.nan), moving)
    field = truth.displacement((256, 256))
    assert error(bend(pair, IDENTITY, network).transform, field) < 0.4 * error(IDENTITY, field)


def test_aligned_images_stay(network):
    pair = prepare_pair(*pictures())
    assert error(bend(pair, IDENTITY, network).transform, np.zeros((256, 256, 2))) < 0.4


@pytest.mark.parametrize("shape", [(16, 16), (16, 90), (210, 64)])
def test_any_shape(network, shape):
    picture = data.camera()[: shape[0], : shape[1]]
    found = bend(prepare_pair(picture, 255 - picture), IDENTITY, network)
    assert np.isfinite(found.transform.displacement(shape)).all()
    assert found.error_scale.shape == shape


def test_the_expected_error_is_larger_where_nothing_can_be_seen(network):
    fixed, moving = (picture.copy() for picture in pictures())
    fixed[:, 140:] = moving[:, 140:] = 0.5
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 256, 256)).astype(np.float32)
    scale = bend(prepare_pair(fixed + noise[0], moving + noise[1]), IDENTITY, network).error_scale
    assert np.median(scale[:, 180:]) > np.median(scale[:, :100])


def test_same_input_same_bend(network):
    pair = bent_pair(smooth_field((128, 128), 4.0, 10.0))
    first, second = (bend(pair, IDENTITY, network).transform for _ in range(2))
    np.testing.assert_array_equal(first.displacement((128, 128)), second.displacement((128, 128)))


def test_refinement_takes_the_bend(network):
    field = smooth_field((256, 256), 8.0, 16.0)
    found = refine(bent_pair(field), IDENTITY, Run(), elastic=network)
    assert error(found, field) < 0.5 * error(IDENTITY, field)


def test_refinement_leaves_unrelated_images(network):
    noise = np.random.default_rng(0)
    pair = prepare_pair(noise.random((128, 128)), noise.random((128, 128)))
    found = refine(pair, IDENTITY, Run(), elastic=network)
    assert error(found, np.zeros((128, 128, 2))) < 0.5


def test_cancel(network):
    with pytest.raises(Cancelled):
        bend(prepare_pair(*pictures(64)), IDENTITY, network, Run(cancel=lambda: True))
