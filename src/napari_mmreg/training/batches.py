"""Endless, seeded, resumable training batches, the same on every device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mmreg.errors import InputError
from napari_mmreg.training.appearance import Appearance, AppearanceConfig, NoiseBank
from napari_mmreg.training.misalignment import draw_misalignment
from napari_mmreg.training.pictures import PictureStore
from napari_mmreg.training.tiers import TIERS, Tier
from napari_mmreg.training.views import ViewConfig, draw_view, render

if TYPE_CHECKING:
    from napari_mmreg.training.pack import PackedPair


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """What batches are made of.

    Attributes
    ----------
    batch : int
        Pairs per batch.
    sizes : tuple of (int, int)
        Frame sizes (H, W); each batch takes one of them at random. More than one keeps
        networks from learning a size.
    channels : int
        1: colour images become grey with random weights; 3: grey ones are repeated.
    mono_share : float
        Share of pairs that are made of a single image; appearance makes them differ.
    swap_share : float
        Share of pairs whose fixed and moving image change roles. 0 for models that must
        know which sensor is which.
    tiers : mapping of str to float
        Weights of the tiers.
    elastic_share : float
        Share of samples with an elastic part (where the tier has one).
    wide_share, wide : float
        Share of samples (not identity) with translations of up to `wide` of the side, so that
        a pixel's place in the frame says nothing about its displacement.
    modality_weights : mapping of str to float
        Weights of modalities; those not named get the square root of their number of pairs.
    fill_black, fill_edge : float
        Where an image has no data it is black, repeats the nearest pixel, or (the rest) has
        one random grey value.
    view, appearance : ViewConfig, AppearanceConfig
    """

    batch: int = 8
    sizes: tuple[tuple[int, int], ...] = ((256, 256),)
    channels: int = 1
    mono_share: float = 0.35
    swap_share: float = 0.5
    tiers: Mapping[str, float] = field(
        default_factory=lambda: {"identity": 0.03, "mild": 0.17, "medium": 0.35, "hard": 0.45}
    )
    elastic_share: float = 0.5
    wide_share: float = 0.6
    wide: float = 0.35
    modality_weights: Mapping[str, float] = field(default_factory=dict)
    fill_black: float = 0.6
    fill_edge: float = 0.25
    view: ViewConfig = field(default_factory=ViewConfig)
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)


@dataclass(frozen=True, slots=True, eq=False)
class TrainingBatch:
    """Pairs with exact ground truth.

    Attributes
    ----------
    fixed, moving : Tensor of float32, shape (B, C, H, W)
        In [0, 1], as a network sees them.
    aligned : Tensor of float32, shape (B, C, H, W)
        The moving image in the fixed frame with the same tones, before blur, noise and
        occlusion: what a perfect registration would show.
    fixed_mask, moving_mask : Tensor of bool, shape (B, 1, H, W)
        Where the images have data.
    flow : Tensor of float32, shape (B, 2, H, W)
        The truth, fixed to moving. *Convention*: channel 0 is x, channel 1 is y, in px,
        ``align_corners=True``; ``aligned(p) = moving(p + flow(p))``.
    valid : Tensor of bool, shape (B, 1, H, W)
        Fixed pixels that both images show; elsewhere `flow` is true but nothing shows it.
    inverse_flow, inverse_valid : Tensor
        The same from moving to fixed.
    matrix : Tensor of shape (B, 3, 3)
        The global part of the truth, on (x, y, 1), fixed to moving px.
    mono : Tensor of bool, shape (B,)
        Both sides come from one image.
    modalities, tiers : tuple of str
    """

    fixed: Tensor
    moving: Tensor
    aligned: Tensor
    fixed_mask: Tensor
    moving_mask: Tensor
    flow: Tensor
    valid: Tensor
    inverse_flow: Tensor
    inverse_valid: Tensor
    matrix: Tensor
    mono: Tensor
    modalities: tuple[str, ...]
    tiers: tuple[str, ...]


def seed_of(*parts: object) -> int:
    """Return a seed that depends on nothing but the arguments."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1


class BatchGenerator:
    """Makes batch after batch; batch number `n` depends on the seed and `n` only.

    Parameters
    ----------
    pairs : sequence of PackedPair
        Aligned pairs.
    config : BatchConfig
    seed : int
    device : torch device
        Where batches are made and live. Random numbers are drawn on the CPU, so that CPU and
        GPU give the same batches up to rounding.
    change : callable, optional
        What is done to each batch in the end, see `cross_rendering`.

    Raises
    ------
    InputError
        If there are no pairs, or a tier is unknown.
    """

    def __init__(
        self,
        pairs: Sequence[PackedPair],
        config: BatchConfig,
        seed: int = 0,
        device: torch.device | str = "cpu",
        change: Callable[[TrainingBatch], TrainingBatch] | None = None,
    ) -> None:
        if not pairs:
            raise InputError("There are no pairs to train on; check the data and its splits.")
        unknown = set(config.tiers) - set(TIERS)
        if unknown:
            raise InputError(f"Unknown tiers {sorted(unknown)}; there are {sorted(TIERS)}.")
        self.config = config
        self.seed = seed
        self.index = 0
        self.device = torch.device(device)
        self._change = change
        self._store = PictureStore(pairs, self.device)
        self._bank = NoiseBank(device=self.device)
        self._weights = _pair_weights(pairs, config.modality_weights)

    def __iter__(self) -> Iterator[TrainingBatch]:
        return self

    def __next__(self) -> TrainingBatch:
        batch = self.make(self.index)
        self.index += 1
        return batch

    def state_dict(self) -> dict[str, int]:
        """Return what `load_state_dict` needs to go on with the next batch."""
        return {"seed": self.seed, "index": self.index}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict` was taken."""
        self.seed, self.index = int(state["seed"]), int(state["index"])

    def make(self, index: int) -> TrainingBatch:
        """Make batch number `index`, whatever was made before."""
        config = self.config
        generator = torch.Generator().manual_seed(seed_of("batch", self.seed, index))
        count = config.batch

        def chance(share: float) -> Tensor:
            return torch.rand(count, generator=generator) < share

        shape = config.sizes[int(torch.randint(len(config.sizes), (1,), generator=generator))]
        chosen = torch.multinomial(
            self._weights, count, replacement=True, generator=generator
        ).tolist()
        mono, swap = chance(config.mono_share), chance(config.swap_share)
        names, tiers = self._draw_tiers(generator)
        misalignment = draw_misalignment(tiers, shape, generator, self.device)
        sizes = self._store.sizes[chosen]
        view = draw_view(sizes, misalignment.matrix, shape, config.view, generator)
        pictures = self._store.gather(chosen, mono, swap, config.channels, generator)
        scene = render(
            pictures.fixed,
            pictures.moving,
            pictures.mask,
            pictures.limited,
            sizes,
            view.to(self.device),
            misalignment,
        )
        look = [
            Appearance(count, config.appearance, generator, mono & first, self.device)
            for first in (chance(0.5), torch.ones(count, dtype=torch.bool))
        ]
        tones = torch.cat([scene.moving, scene.aligned], 2)
        masks = torch.cat([scene.moving_mask, scene.valid], 2)
        moving, aligned = torch.split(look[1].tone(tones, masks), shape[0], 2)
        fixed = look[0].degrade(look[0].tone(scene.fixed, scene.fixed_mask), self._bank)
        moving = look[1].degrade(moving, self._bank)
        batch = TrainingBatch(
            fixed=self._fill(fixed, scene.fixed_mask, generator),
            moving=self._fill(moving, scene.moving_mask, generator),
            aligned=aligned,
            fixed_mask=scene.fixed_mask,
            moving_mask=scene.moving_mask,
            flow=misalignment.flow(),
            valid=scene.valid,
            inverse_flow=scene.inverse_flow,
            inverse_valid=scene.inverse_valid,
            matrix=misalignment.matrix,
            mono=mono.to(self.device),
            modalities=tuple(self._store.modalities[i] for i in chosen),
            tiers=names,
        )
        return self._change(batch) if self._change else batch

    def _draw_tiers(self, generator: torch.Generator) -> tuple[tuple[str, ...], list[Tier]]:
        config = self.config
        table = list(config.tiers)
        weights = torch.tensor([config.tiers[name] for name in table])
        picks = torch.multinomial(weights, config.batch, replacement=True, generator=generator)
        elastic = torch.rand(config.batch, generator=generator) < config.elastic_share
        wide = torch.rand(config.batch, generator=generator) < config.wide_share
        names = tuple(table[i] for i in picks.tolist())
        tiers = []
        for name, bend, far in zip(names, elastic.tolist(), wide.tolist(), strict=True):
            tier = TIERS[name] if bend else TIERS[name].rigid()
            tiers.append(tier.wide(config.wide) if far and name != "identity" else tier)
        return names, tiers

    def _fill(self, image: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Paint what has no data, most often black; some images keep the repeated pixels."""
        kind = torch.rand(len(image), generator=generator)
        grey = torch.rand(len(image), generator=generator)
        black = self.config.fill_black
        edge = (kind >= black) & (kind < black + self.config.fill_edge)
        value = torch.where(kind < black, torch.zeros_like(grey), grey).to(self.device)
        keep = mask | edge.to(self.device).view(-1, 1, 1, 1)
        return torch.where(keep, image, value.view(-1, 1, 1, 1))


def _pair_weights(pairs: Sequence[PackedPair], weights: Mapping[str, float]) -> Tensor:
    """Return the probability of each pair; inside a modality all pairs are alike."""
    counts: dict[str, int] = {}
    for pair in pairs:
        counts[pair.modality] = counts.get(pair.modality, 0) + 1
    share = {m: weights.get(m, n**0.5) / n for m, n in counts.items()}
    values = torch.tensor([share[pair.modality] for pair in pairs], dtype=torch.float64)
    if float(values.sum()) <= 0:
        raise InputError("All modality weights are zero; give at least one a positive weight.")
    return values / values.sum()
