"""Training of the small fusion network on aligned pairs.

Not a recipe: nothing is misaligned here and there is no flow to validate, so the one trainer's
batches and scores would not fit. What it minimises (weights are ours): L1 to the brighter image,
L1 to the larger gradient, and the structural similarity with both.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_mmreg.errors import InputError
from napari_mmreg.evaluation.fusion_quality import fusion_measures
from napari_mmreg.fusion.laplacian import LaplacianFusion
from napari_mmreg.fusion.network import FusionNet
from napari_mmreg.imaging import to_grey
from napari_mmreg.imaging.normalise import normalise
from napari_mmreg.run import Run
from napari_mmreg.training.fusion_losses import gradient_loss, intensity_loss, ssim_loss

if TYPE_CHECKING:
    from napari_mmreg.training.pack import PackedPair

log = logging.getLogger(__name__)

_LEAST_VALID = 0.9
"""Share of a crop that must have data."""

_WARM_UP = 50


@dataclass(frozen=True, slots=True)
class FusionTraining:
    """How the network is trained.

    Attributes
    ----------
    widths : tuple of int
        Channels of the hidden layers.
    steps, batch, size : int
        Steps, pairs a step, side of the square crops in pixels.
    rate : float
        Peak learning rate of Adam; rises over 50 steps and falls by a cosine.
    intensity, gradient, ssim : float
        Weights of the losses.
    seed : int
    """

    widths: tuple[int, ...] = (4,)
    steps: int = 1200
    batch: int = 4
    size: int = 96
    rate: float = 3e-3
    intensity: float = 1.0
    gradient: float = 10.0
    ssim: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class GreyPair:
    """An aligned pair as fusion methods see it.

    Attributes
    ----------
    modality : str
    fixed, moving : ndarray of float32, shape (H, W)
        In [0, 1], by percentiles.
    mask : ndarray of bool, shape (H, W)
        Where both have data.
    """

    modality: str
    fixed: NDArray[np.float32]
    moving: NDArray[np.float32]
    mask: NDArray[np.bool_]


def grey_pairs(pairs: Sequence[PackedPair]) -> list[GreyPair]:
    """Turn aligned pairs into grey values; pairs without any contrast are left out."""
    found = []
    for pair in pairs:
        (fixed, fixed_mask), (moving, moving_mask) = to_grey(pair.fixed), to_grey(pair.moving)
        mask = fixed_mask & moving_mask
        if pair.mask is not None:
            mask &= pair.mask
        try:
            images = normalise(fixed, mask, "fixed"), normalise(moving, mask, "moving")
        except InputError:
            continue
        found.append(GreyPair(pair.modality, *images, mask))
    return found


def crops(
    pairs: Sequence[GreyPair], config: FusionTraining, generator: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images (B, 2, s, s) and masks (B, 1, s, s) without end.

    Modalities are drawn evenly; crops are turned, mirrored, and their two images exchanged at
    random, since a sensor may be on either side.
    """
    groups: dict[str, list[GreyPair]] = {}
    for pair in pairs:
        if min(pair.mask.shape) >= config.size:
            groups.setdefault(pair.modality, []).append(pair)
    if not groups:
        raise InputError(f"No pair is larger than the crops of {config.size} px; lower --size.")
    names = sorted(groups)
    while True:
        chosen: list[NDArray[np.float32]] = []
        while len(chosen) < config.batch:
            group = groups[names[generator.integers(len(names))]]
            crop = _crop(group[generator.integers(len(group))], config.size, generator)
            if crop[2].mean() >= _LEAST_VALID:
                chosen.append(crop)
        stack = torch.from_numpy(np.ascontiguousarray(chosen))
        yield stack[:, :2], stack[:, 2:]


def _crop(pair: GreyPair, size: int, generator: np.random.Generator) -> NDArray[np.float32]:
    rows, cols = pair.mask.shape
    row, col = generator.integers(rows - size + 1), generator.integers(cols - size + 1)
    part = np.s_[row : row + size, col : col + size]
    images = [pair.fixed[part], pair.moving[part]]
    if generator.random() < 0.5:
        images.reverse()
    stack = np.stack([*images, pair.mask[part].astype(np.float32)])
    crop: NDArray[np.float32] = np.rot90(stack, int(generator.integers(4)), (1, 2))
    return crop[..., ::-1] if generator.random() < 0.5 else crop


def train(pairs: Sequence[GreyPair], config: FusionTraining) -> FusionNet:
    """Train a network on the CPU; the same pairs and configuration give the same weights."""
    torch.manual_seed(config.seed)
    network = FusionNet(config.widths)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.rate)
    batches = crops(pairs, config, np.random.default_rng(config.seed))
    began = time.monotonic()
    for step in range(config.steps):
        optimiser.param_groups[0]["lr"] = config.rate * _schedule(step, config.steps)
        images, mask = next(batches)
        terms = losses(network, images, mask, config)
        total = torch.stack(list(terms.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if (step + 1) % 200 == 0:
            shown = ", ".join(
                f"{name} {float(value.detach()):.4f}" for name, value in terms.items()
            )
            log.info("step %d, %.0f s: %s", step + 1, time.monotonic() - began, shown)
    return network.eval()


def losses(
    network: nn.Module, images: Tensor, mask: Tensor, config: FusionTraining
) -> dict[str, Tensor]:
    """Return the weighted losses of a batch, as `crops` yields it."""
    one, other = images[:, :1], images[:, 1:]
    fused = network(one, other)
    return {
        "intensity": config.intensity * intensity_loss(fused, one, other, mask),
        "gradient": config.gradient * gradient_loss(fused, one, other, mask),
        "ssim": config.ssim * ssim_loss(fused, one, other, mask),
    }


def _schedule(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / _WARM_UP)
    return warm * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))


def compare(network: FusionNet, pairs: Sequence[GreyPair]) -> dict[str, dict[str, float]]:
    """Return the mean of each measure over the pairs, of the Laplacian pyramid and the network."""
    laplacian, run = LaplacianFusion(), Run()
    found: dict[str, list[dict[str, float]]] = {"laplacian": [], "cnn": []}
    for pair in pairs:
        fixed, moving = (torch.from_numpy(i)[None, None] for i in (pair.fixed, pair.moving))
        with torch.inference_mode():
            answer = network(fixed, moving)[0, 0].numpy()
        fused = {
            "laplacian": laplacian.fuse(pair.fixed, pair.moving, pair.mask, run),
            "cnn": answer,
        }
        for name, image in fused.items():
            one, two, both = (255 * np.clip(i, 0, 1) for i in (pair.fixed, pair.moving, image))
            found[name].append(fusion_measures(one, two, both, pair.mask))
    return {
        name: {key: float(np.nanmean([row[key] for row in rows])) for key in rows[0]}
        for name, rows in found.items()
    }
