"""`napari_mmreg.correct_fusion`: what goes in and out; the network's own tests are elsewhere."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from skimage import data

import napari_mmreg
from napari_mmreg.errors import Cancelled, InputError
from napari_mmreg.fusion import fuse
from napari_mmreg.models import registry
from napari_mmreg.models.fusionregister.model import FusionRegisterModel
from napari_mmreg.registration import correct_fusion

COFFEE = data.coffee()[40:200, 100:300]
GREY, OTHER = COFFEE[..., 0], 255 - COFFEE[..., 2]


bare = partial(correct_fusion, refine=False)


@pytest.fixture(autouse=True)
def network(monkeypatch):
    """Random weights: what is tested here does not hang on them."""
    torch.manual_seed(0)
    network = FusionRegisterModel.build_network({}).eval().requires_grad_(False)
    for weights in network.parameters():  # those that start at zero, too
        weights.add_(0.05 * torch.randn_like(weights))
    entries = dict(registry._MODELS.entries)
    entries["fusionregister"] = FusionRegisterModel.info, lambda: FusionRegisterModel(network)
    monkeypatch.setattr(registry._MODELS, "entries", entries)
    return network


def test_it_is_public():
    assert napari_mmreg.correct_fusion is correct_fusion


@pytest.mark.parametrize(
    ("fixed", "moving"), [(GREY, OTHER), (COFFEE, OTHER), (GREY, COFFEE), (GREY / 300.0, OTHER)]
)
def test_the_result_is_like_the_fused_image(fixed, moving):
    fused = fuse(fixed, moving)
    found = bare(fixed, moving)
    assert found.fused.shape == fused.shape
    assert found.fused.dtype == fused.dtype
    assert found.displacement.shape == (160, 200, 2)
    assert found.displacement.dtype == np.float32
    assert 0 <= found.misregistered.min() <= found.misregistered.max() <= 1
    assert found.misregistered.shape == (160, 200)


def test_a_fused_image_of_any_method_can_be_given():
    fused = fuse(GREY, OTHER)
    np.testing.assert_array_equal(bare(GREY, OTHER, fused).fused, bare(GREY, OTHER).fused)
    as_float = bare(GREY, OTHER, fused / np.float32(255)).fused
    assert as_float.dtype == np.float32
    np.testing.assert_allclose(255 * as_float, bare(GREY, OTHER, fused).fused, atol=0.6)


def test_where_the_moving_image_has_no_data_the_fused_one_stays():
    valid = np.ones(GREY.shape, bool)
    valid[:, :40] = False
    fused = fuse(GREY, OTHER, valid=valid)
    found = bare(GREY, OTHER, valid=valid)
    np.testing.assert_array_equal(found.fused[:, :40], fused[:, :40])
    assert (found.fused != fused).any()


def test_colour_of_the_moving_image_goes_along(network, monkeypatch):
    calls = []

    def shifted(network, fixed, registered, fused, valid, run, known):
        from napari_mmreg.models.fusionregister.correct import Correction

        calls.append(fused)
        displacement = np.zeros((*fused.shape, 2), np.float32)
        displacement[..., 1] = 3.0
        return Correction(np.full_like(fused, 0.5), displacement, displacement, fused)

    monkeypatch.setattr("napari_mmreg.models.fusionregister.correct.correct", shifted)
    fused = fuse(GREY, COFFEE) / 255.0
    colour = chroma(fused)
    found = bare(GREY, COFFEE, fused.astype(np.float32)).fused - 0.5
    inner = np.s_[10:-10, 10:-10]
    np.testing.assert_allclose(
        found[inner], np.clip(np.roll(colour, -3, axis=1), -0.5, 0.5)[inner], atol=1e-5
    )
    own = bare(COFFEE, OTHER).fused / 255.0 - 0.5
    wanted = np.clip(chroma(fuse(COFFEE, OTHER) / 255.0), -0.5, 0.5)
    np.testing.assert_allclose(own, wanted, atol=0.003)
    assert len(calls) == 2


def chroma(image):
    return image - (image @ np.array([0.299, 0.587, 0.114]))[..., None]


def test_what_cannot_be_used_is_refused():
    with pytest.raises(InputError, match="on one grid"):
        bare(GREY, OTHER, fuse(GREY, OTHER)[:-1])
    with pytest.raises(InputError, match="floating point in"):
        bare(GREY, OTHER, GREY.astype(np.uint16))
    with pytest.raises(InputError, match="fixed grid"):
        bare(GREY, OTHER[:-1])


def test_progress_rises_to_one_and_it_can_be_cancelled():
    heard = []
    bare(GREY, OTHER, progress=lambda stage, fraction: heard.append(fraction))
    assert heard == sorted(heard)
    assert heard[-1] == 1
    with pytest.raises(Cancelled):
        bare(GREY, OTHER, cancel=lambda: True)


@pytest.fixture
def registered(monkeypatch):
    """What the registration of the two images says."""
    said = SimpleNamespace(
        status="ok", reasons=("why",), displacement=np.zeros((160, 200, 2), np.float32)
    )
    monkeypatch.setattr(
        "napari_mmreg.registration.post_registration.register_pair", lambda *args, **options: said
    )
    return said


def test_what_fits_stays_as_it_is(registered):
    fused = fuse(COFFEE, OTHER)
    found = correct_fusion(COFFEE, OTHER, fused)
    np.testing.assert_array_equal(found.fused, fused)
    assert (found.status, found.reasons) == ("ok", ("why",))


def test_the_certified_displacement_is_what_moves_the_image(registered):
    registered.displacement[:, 100:, 1] = 4.0
    fused = fuse(GREY, OTHER)
    found = correct_fusion(GREY, OTHER, fused)
    np.testing.assert_allclose(found.displacement, registered.displacement)
    np.testing.assert_array_equal(found.fused[:, :100], fused[:, :100])
    assert (found.fused[:, 100:] != fused[:, 100:]).mean() > 0.5


@pytest.mark.parametrize("likely", [0.4, 0.6])
def test_without_a_certificate_the_map_decides(registered, monkeypatch, likely):
    from napari_mmreg.models.fusionregister import correct as module

    def correct(*args):
        found = module.Correction(*[np.zeros(GREY.shape, np.float32)] * 4)
        return replace(
            found,
            displacement=np.ones((*GREY.shape, 2), np.float32),
            misregistered=np.full(GREY.shape, likely, np.float32),
        )

    monkeypatch.setattr(module, "correct", correct)
    registered.status = "doubtful"
    fused = fuse(GREY, OTHER)
    found = correct_fusion(GREY, OTHER, fused)
    assert found.status == "doubtful"
    if likely < 0.5:
        np.testing.assert_array_equal(found.fused, fused)
        assert found.displacement.max() == 0
    else:
        assert found.fused.max() == 0
        assert found.displacement.min() == 1


def test_what_the_method_can_do_itself_it_does_again(registered):
    registered.displacement[..., 1] = 4.0
    found = correct_fusion(GREY, OTHER)
    there = np.broadcast_to(np.arange(200) < 196, GREY.shape)
    expected = fuse(GREY, np.where(there, np.roll(OTHER, -4, 1), 0), valid=there)
    np.testing.assert_array_equal(found.fused, expected)


def test_a_known_displacement_is_not_looked_for(monkeypatch):
    monkeypatch.setattr("napari_mmreg.registration.post_registration.register_pair", None)
    known = np.zeros((160, 200, 2))
    known[..., 0] = 2.0
    found = correct_fusion(GREY, OTHER, fuse(GREY, OTHER), displacement=known)
    np.testing.assert_allclose(found.displacement, known)
    with pytest.raises(InputError, match="two finite numbers"):
        correct_fusion(GREY, OTHER, displacement=known[..., 0])


def test_a_real_registration_of_images_that_fit_changes_nothing():
    fused = fuse(GREY, OTHER)
    np.testing.assert_array_equal(correct_fusion(GREY, OTHER, fused).fused, fused)


def test_without_any_overlap_there_is_nothing_to_correct():
    nowhere = np.zeros(GREY.shape, bool)
    found = correct_fusion(GREY, OTHER, valid=nowhere)
    np.testing.assert_array_equal(found.fused, fuse(GREY, OTHER, valid=nowhere))
    assert found.status == "doubtful"
