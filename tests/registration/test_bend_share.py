"""How much of a bend is taken."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage import data
from skimage.transform import resize

from napari_mmreg.alignment.elastic.estimate import bend_pair
from napari_mmreg.alignment.levels import build_level, pair_tensors
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.models.elastic import load_elastic
from napari_mmreg.registration.bend_share import bend_evidence, share_of
from napari_mmreg.registration.refine import FINE
from napari_mmreg.run import Run

IDENTITY = MatrixTransform.identity()


def pictures():
    """Green, and blue turned round: two sensors that show one thing."""
    coffee = resize(data.coffee()[:, 100:500], (256, 256), anti_aliasing=True)
    return coffee[..., 1].astype(np.float32), (1 - coffee[..., 2]).astype(np.float32)


def examine(fixed, moving, start=IDENTITY):
    tensors = pair_tensors(prepare_pair(fixed, moving), "cpu")
    with torch.inference_mode():
        bend = bend_pair(tensors, start, load_elastic(), Run())
        return bend, bend_evidence(build_level(tensors, FINE), bend)


def bent(image, largest):
    noise = np.random.default_rng(0).standard_normal((*image.shape, 2))
    field = ndimage.gaussian_filter(noise, (16, 16, 0), mode="reflect")
    field *= largest / np.linalg.norm(field, axis=-1).max()
    return DisplacementTransform(field.astype(np.float32)).resample(image, image.shape)


def test_a_bent_pair_is_bent_and_an_aligned_one_is_not():
    fixed, moving = pictures()
    _, of_bent = examine(bent(fixed, 8.0), moving)
    aligned, of_aligned = examine(fixed, moving)
    assert share_of(of_bent) > 0.8
    moved = aligned.part(share_of(of_aligned)).displacement(fixed.shape)
    assert np.linalg.norm(moved, axis=-1).mean() < 0.3


def test_a_share_of_a_bend():
    fixed, moving = pictures()
    start = MatrixTransform.translation((1.0, -2.0))
    bend, _ = examine(bent(fixed, 6.0), moving, start)
    shape = fixed.shape
    np.testing.assert_allclose(bend.part(0).displacement(shape), start.displacement(shape))
    whole = bend.transform.displacement(shape)
    np.testing.assert_allclose(bend.part(1).displacement(shape), whole)
    half = (whole + start.displacement(shape)) / 2
    np.testing.assert_allclose(bend.part(0.5).displacement(shape), half, atol=1e-4)


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_more_evidence_is_a_larger_share(scale):
    weak = np.array([-0.02, 0.01])
    strong = weak + scale * np.array([-0.05, 0.05])
    assert 0 <= share_of(weak) < share_of(strong) <= 1


def test_next_to_nothing_is_nothing():
    assert share_of(np.array([0.1, -0.02])) == 0
