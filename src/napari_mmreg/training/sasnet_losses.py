"""SAS-Net's losses: the paper's, with the geometry taken into account, and the supervised ones.

Qin, SAS-Net (arXiv 2602.09050) names scene consistency, cycle consistency, cross-domain
reconstruction and alignment; their exact form and weights are not public and are ours. What the
paper leaves implicit is explicit here: scenes are compared and shown in the other appearance only
after the moving one is warped by the true flow, so that neither encoder nor renderer may move
anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call

from napari_mmreg.models.sasnet.factors import EIGHTH, QUARTER, Scene
from napari_mmreg.models.sasnet.network import SASNet, SASNetOutput
from napari_mmreg.nn.mixing import fit_mixture, mix
from napari_mmreg.nn.sampling import fill_outside, warp
from napari_mmreg.training.batches import TrainingBatch
from napari_mmreg.training.fusion_losses import ssim_map
from napari_mmreg.training.losses import (
    affine_loss,
    bending,
    endpoint_loss,
    laplace_loss,
    masked_mean,
    masked_ncc,
    matching_loss,
    vote_loss,
)

EDGES, LIKENESS = 0.5, 0.5
"""Weights of the gradients' difference and of 1 - NCC against the difference of the values. Where
an image is not yet certain, absolute differences of gradients ask for one without any."""

PATCH = 16
"""Sides of the squares, in pixels, of which every other one is mixed by and all are judged."""


def cell_truth(batch: TrainingBatch) -> tuple[Tensor, Tensor]:
    """Return the true flow in cells of stride 4, and its validity there."""
    return batch.flow[..., ::QUARTER, ::QUARTER] / QUARTER, batch.valid[..., ::QUARTER, ::QUARTER]


def picture_error(made: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Difference of images (B, 1, H, W) where valid: of values, gradients, and 1 - NCC."""
    error = made - target
    alike = masked_ncc(made, target, mask)
    total = masked_mean(error.abs(), mask) + LIKENESS * (1 - alike).mean()
    for axis in (-1, -2):
        steps = mask.narrow(axis, 1, mask.shape[axis] - 1) & mask.narrow(
            axis, 0, mask.shape[axis] - 1
        )
        total = total + EDGES * masked_mean(error.diff(dim=axis).abs(), steps)
    return total


@dataclass(slots=True)
class RenderBatch:
    """What is rendered of the first samples of a batch, and what it is compared with.

    Attributes
    ----------
    fixed, moving, aligned : Tensor of shape (n, 1, H, W)
        Images; without data they show their mean.
    codes : pair of Tensor (n, code)
        Appearance of the fixed and of the moving image.
    scenes : tuple of three Tensor (n, C, H / 4, W / 4)
        Of the fixed image, of the moving one, and that warped by the true flow.
    masks : tuple of three Tensor (n, 1, H, W)
        Of the fixed image, of the moving one, and of both in the fixed frame.
    """

    fixed: Tensor
    moving: Tensor
    aligned: Tensor
    codes: tuple[Tensor, Tensor]
    scenes: tuple[Tensor, Tensor, Tensor]
    masks: tuple[Tensor, Tensor, Tensor]


def gather_renders(
    network: SASNet, both: tuple[Scene, Scene], batch: TrainingBatch, count: int
) -> RenderBatch:
    """Gather what `count` samples are rendered from."""
    masks = (batch.fixed_mask[:count], batch.moving_mask[:count], batch.valid[:count])
    pictures = (batch.fixed[:count], batch.moving[:count], batch.aligned[:count])
    fixed, moving, aligned = (
        fill_outside(picture, mask) for picture, mask in zip(pictures, masks, strict=True)
    )
    codes = network.appearance(torch.cat([fixed, moving]), torch.cat(masks[:2])).chunk(2)
    scenes = both[0].scene[:count], both[1].scene[:count]
    moved = warp(scenes[1], cell_truth(batch)[0][:count])
    return RenderBatch(
        fixed, moving, aligned, (codes[0], codes[1]), (scenes[0], scenes[1], moved), masks
    )


def mixture_error(channels: Tensor, source: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Difference, NCC and SSIM of an image mixed of channels and of the source (ours).

    It is mixed by every other square and judged in all: channels that know no more than what
    happens to lie there would not do.
    """
    rows, cols = (torch.arange(n, device=mask.device) // PATCH for n in mask.shape[-2:])
    known = mask * ((rows[:, None] + cols) % 2 == 0)
    every = torch.cat([channels, source], 1)
    made = mix(every, *fit_mixture(every, target, known))
    alike = masked_ncc(made, target, mask).mean() + masked_mean(ssim_map(made, target), mask)
    return masked_mean((made - target).abs(), mask) + LIKENESS * (2 - alike)


def rendering_losses(
    network: SASNet, renders: RenderBatch
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Reconstruction, and cross-domain reconstruction after the geometry is undone.

    Returns
    -------
    reconstruction, cross, mixture : Tensor
        Each scene in its own appearance; the warped moving scene in the fixed appearance, and
        the fixed scene in the moving one, by their codes and by mixing.
    translated : Tensor of shape (n, 1, H, W)
        The fixed scene in the moving appearance.
    """
    still, gone, moved = renders.scenes
    here, there = renders.codes
    painting = network.renderer(
        torch.cat([still, gone, moved, still]), torch.cat([here, there, here, there])
    )
    made, channels = painting.picture.chunk(4), painting.channels.chunk(4)
    targets = (renders.fixed, renders.moving, renders.fixed, renders.aligned)
    masks = (*renders.masks, renders.masks[2])
    errors = [picture_error(*parts) for parts in zip(made, targets, masks, strict=True)]
    valid = renders.masks[2]
    mixture = mixture_error(channels[2], renders.aligned, renders.fixed, valid) + mixture_error(
        channels[3], renders.fixed, renders.aligned, valid
    )
    return errors[0] + errors[1], errors[2] + errors[3], mixture, made[3]


def cycle_loss(network: SASNet, renders: RenderBatch, translated: Tensor) -> Tensor:
    """Show a fixed image as the moving sensor would, and that as the fixed one: nothing changed."""
    count = len(translated)
    scene = network.scene(translated, renders.masks[0][:count]).scene
    again = network.renderer(scene, renders.codes[0][:count]).picture
    return picture_error(again, renders.fixed[:count], renders.masks[0][:count])


def scene_loss(both: tuple[Scene, Scene], batch: TrainingBatch) -> Tensor:
    """Scene consistency: |s_f - s_m o flow|, the moving scene warped by the truth."""
    truth, valid = cell_truth(batch)
    return masked_mean((both[0].scene - warp(both[1].scene, truth)).abs(), valid)


def redundancy_loss(both: tuple[Scene, Scene]) -> Tensor:
    """Mean squared correlation between the scene's channels (ours).

    Channels that all say one and the same are the easiest way to consistent scenes.
    """
    values = torch.cat([scene.scene.float() for scene in both]).flatten(2)
    correlation = values @ values.transpose(1, 2) / values.shape[-1]
    channels = correlation.shape[-1]
    apart = 1 - torch.eye(channels, device=correlation.device)
    return (correlation * apart).square().sum((1, 2)).mean() / (channels * (channels - 1))


def equivariance_loss(network: SASNet, renders: RenderBatch) -> Tensor:
    """|E(I o T) - E(I) o T| of the moving image: the encoder sees, but does not move, things."""
    seen = network.scene(renders.aligned, renders.masks[2]).scene
    valid = renders.masks[2][..., ::QUARTER, ::QUARTER]
    return masked_mean((seen - renders.scenes[2]).abs(), valid)


def matching_losses(
    network: SASNet, output: SASNetOutput, batch: TrainingBatch
) -> tuple[Tensor, Tensor]:
    """Cross-entropies: all cells to all at stride 8, and the steps' correlations at stride 4."""
    coarse = matching_loss(
        output.fixed.eighth,
        output.moving.eighth,
        batch.flow,
        batch.valid,
        stride=EIGHTH,
        offset=0.0,
        temperature=network.head.log_temperature.exp(),  # type: ignore[arg-type]
    )
    truth = cell_truth(batch)
    votes = [vote_loss(step.logits, step.start, *truth) for step in output.geometry.steps]
    return coarse, torch.stack(votes).mean()


def flow_losses(output: SASNetOutput, batch: TrainingBatch) -> dict[str, Tensor]:
    """Errors of the affine and of the flow, its bending, and its expected error."""
    truth, valid = cell_truth(batch)
    size = (batch.fixed.shape[-2], batch.fixed.shape[-1])
    flows = [step.flow.float() for step in output.geometry.steps]
    return {
        "affine": affine_loss(output.geometry.affine, batch.matrix, size),
        "flow": torch.stack([endpoint_loss(flow, truth, valid) for flow in flows]).mean(),
        "smooth": torch.stack([bending(flow) for flow in flows]).mean(),
        "error": laplace_loss(QUARTER * (flows[-1] - truth), output.geometry.log_scale, valid),
    }


def likeness_loss(
    network: SASNet, output: SASNetOutput, renders: RenderBatch, batch: TrainingBatch
) -> Tensor:
    """1 - NCC of the fixed image and the moving scene, warped as found, in its appearance.

    The flow alone learns from it: the scene is detached, and the renderer must not make up for
    errors of the geometry.
    """
    count = len(renders.fixed)
    flow = output.flow[:count].float()
    known = warp(batch.moving_mask[:count].to(flow), flow, padding="zeros")
    moved = warp(output.moving.scene[:count].detach(), output.geometry.flow[:count].float())
    fixed_weights = {name: weight.detach() for name, weight in network.renderer.named_parameters()}
    made = functional_call(network.renderer, fixed_weights, (moved, renders.codes[0].detach()))
    return 1 - masked_ncc(made.picture, renders.fixed, known * renders.masks[0].to(flow)).mean()
