import pytest
import torch

from napari_mmreg.nn.sampling import pixel_grid, warp
from napari_mmreg.training.misalignment import Misalignment, draw_misalignment, inside
from napari_mmreg.training.tiers import TIERS, Tier
from napari_mmreg.training.views import ViewConfig, draw_view, render, whole_view

SHAPE = (96, 120)


def stack(pictures):
    return torch.stack([torch.from_numpy(p)[None] / 255.0 for p in pictures]).float()


def rendered(pictures, tier=TIERS["hard"], part=1.0, mask=None, limited=(False, False)):
    moving = stack(pictures)
    count = len(moving)
    generator = torch.Generator().manual_seed(1)
    one = draw_misalignment([tier] * count, SHAPE, generator)
    sizes = torch.tensor([[160, 128]] * count)
    view = whole_view(sizes, SHAPE, part)
    mask = torch.ones_like(moving) if mask is None else mask
    bounds = torch.tensor([limited] * count)
    return render(1 - moving, moving, mask, bounds, sizes, view, one), one


def core(valid, by=2):
    """Valid pixels whose neighbours are valid too; beyond the frame nothing is."""
    missing = torch.nn.functional.pad(1 - valid.float(), (by, by, by, by), value=1.0)
    missing = torch.nn.functional.max_pool2d(missing, 2 * by + 1, 1)
    return missing == 0


@pytest.mark.parametrize("part", [1.0, 0.7])
@pytest.mark.parametrize("tier", ["identity", "medium", "hard"])
def test_warping_by_the_truth_gives_the_aligned_picture(pictures, tier, part):
    scene, one = rendered(pictures, TIERS[tier], part)
    inner = core(scene.valid)
    assert float(inner.float().mean()) > 0.2
    error = (warp(scene.moving, one.flow()) - scene.aligned).abs()[inner]
    before = (scene.moving - scene.aligned).abs()[inner]
    if tier == "identity":
        assert float(error.max()) < 1e-4
    else:
        # What is left is that of a second interpolation.
        assert float(error.mean()) < 0.2 * float(before.mean())
        assert float(error.mean()) < 0.025
    assert torch.allclose(scene.fixed, 1 - scene.aligned, atol=1e-5)


def test_inverse_flow_gives_the_moving_picture_back(pictures):
    scene, one = rendered(pictures)
    inner = core(scene.inverse_valid)
    error = (warp(scene.aligned, scene.inverse_flow) - scene.moving).abs()[inner]
    assert float(error.mean()) < 0.025
    grid = pixel_grid(*SHAPE, one.matrix)
    there = grid + scene.inverse_flow.permute(0, 2, 3, 1)
    assert float((one.forward(there) - grid).abs().max()) < 2e-3


def test_a_cut_image_ends_at_the_frame_and_an_uncut_one_does_not(pictures):
    cut, _ = rendered(pictures, part=1.0)
    real, _ = rendered(pictures, part=0.6)
    assert float(cut.moving_mask.float().mean()) < 0.9
    assert float(real.moving_mask.float().mean()) > 0.97
    assert float(real.fixed_mask.float().mean()) == 1.0


def test_the_mask_limits_the_picture_it_belongs_to(pictures):
    mask = torch.ones(len(pictures), 1, 128, 160)
    mask[..., :80] = 0
    scene, _ = rendered(pictures, TIERS["identity"], 1.0, mask, (False, True))
    assert bool(scene.fixed_mask.all())
    assert not bool(scene.moving_mask[..., :58].any())
    assert bool(scene.moving_mask[..., 62:].all())
    assert torch.equal(scene.valid, scene.moving_mask)
    swapped, _ = rendered(pictures, TIERS["identity"], 1.0, mask, (True, False))
    assert bool(swapped.moving_mask.all())
    assert torch.equal(swapped.valid, swapped.fixed_mask)


def test_valid_pixels_point_to_data(pictures):
    scene, one = rendered(pictures)
    there = warp(scene.moving_mask.float(), one.flow())
    assert float(there[core(scene.valid)].min()) > 0.999


RIGID = TIERS["hard"].rigid()


def drawn(config, tier=RIGID, count=300, seed=0):
    generator = torch.Generator().manual_seed(seed)
    one = draw_misalignment([tier] * count, SHAPE, generator)
    sizes = torch.tensor([[320, 240]] * count)
    view = draw_view(sizes, one.matrix, SHAPE, config, generator)
    pictures = torch.zeros(1, 1, 240, 320).expand(count, -1, -1, -1)
    free = torch.zeros(count, 2, dtype=torch.bool)
    scene = render(pictures, pictures, pictures + 1, free, sizes, view, one)
    return view, scene


def test_half_of_the_views_are_cut():
    view, _ = drawn(ViewConfig(cut_share=0.5))
    assert float(view.cut.float().mean()) == pytest.approx(0.5, abs=0.08)


def test_uncut_views_show_real_content_nearly_everywhere():
    _, scene = drawn(ViewConfig(cut_share=0.0, rotated_share=0.3))
    assert float(scene.moving_mask.float().mean()) > 0.97
    assert float(scene.fixed_mask.float().mean()) > 0.97


def test_cut_views_end_at_the_frame_even_where_the_picture_goes_on():
    config = ViewConfig(cut_share=1.0, whole_share=0.0, smallest=0.4, rotated_share=0.0)
    _, scene = drawn(config, count=60)
    grid = pixel_grid(*SHAPE, scene.inverse_flow)
    there = grid + scene.inverse_flow.permute(0, 2, 3, 1)
    assert not bool((scene.moving_mask & ~inside(there, SHAPE)).any())
    assert float(scene.moving_mask.float().mean()) < 0.9


def test_views_take_all_parts_of_a_picture_and_are_mirrored_in_all_ways():
    config = ViewConfig(cut_share=0.0, rotated_share=0.0)
    view, _ = drawn(config, Tier())
    signs = {(bool(a > 0), bool(b > 0)) for a, b in view.matrix.diagonal(dim1=1, dim2=2)[:, :2]}
    assert len(signs) == 4
    centre = torch.tensor([59.5, 47.5, 1.0])
    place = (view.matrix @ centre)[:, :2]
    assert float(place.std(0).min()) > 10
    plain, _ = drawn(ViewConfig(flips=False))
    assert bool((plain.matrix.diagonal(dim1=1, dim2=2)[:, :2] > 0).all())


def test_shrinking_a_picture_does_not_alias():
    stripes = (torch.arange(320) % 2).float().expand(1, 1, 240, 320)
    sizes = torch.tensor([[320, 240]])
    one = Misalignment(torch.eye(3)[None], None, (60, 80))
    free = torch.zeros(1, 2, dtype=torch.bool)
    view = whole_view(sizes, (60, 80))
    scene = render(stripes, stripes, torch.ones_like(stripes), free, sizes, view, one)
    assert float(scene.fixed[..., 3:-3].std()) < 0.02
