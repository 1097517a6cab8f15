"""Validation on held-out pairs: fixed seeds, the benchmark's protocols, per modality."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from napari_mmreg.nn.sampling import warp
from napari_mmreg.training.appearance import stretch
from napari_mmreg.training.batches import seed_of
from napari_mmreg.training.misalignment import Misalignment, draw_misalignment
from napari_mmreg.training.pictures import PictureStore
from napari_mmreg.training.sheet import flow_tile, grey_tile, overlay_tile, write_sheet
from napari_mmreg.training.tiers import PROTOCOLS
from napari_mmreg.training.views import Scene, render, whole_view

if TYPE_CHECKING:
    from napari_mmreg.training.pack import PackedPair

PredictFlow = Callable[[Tensor, Tensor], Tensor]

# Canvas over frame in the protocols whose name ends in "c": real content beyond the frame.
_CANVAS = 1.45


@dataclass(frozen=True, slots=True)
class ValidationConfig:
    """What is validated.

    Attributes
    ----------
    protocols : tuple of str
        A kind of `PROTOCOLS`, a frame size, and ``c`` where the moving image shows real
        content beyond the frame: ``"R256"``, ``"N192c"``.
    per_modality : int or None
        At most so many pairs of a modality, evenly spaced; None: all.
    channels : int
        Of the images.
    seed : int
        A pair's misalignment depends on its id, the protocol's kind and size, and this.
    worst : int
        Pairs on the image sheet.
    """

    protocols: tuple[str, ...] = ("R256", "R256c", "N256", "N192c", "S256", "Z256", "H192")
    per_modality: int | None = 6
    channels: int = 1
    seed: int = 0
    worst: int = 12


@dataclass(frozen=True, slots=True)
class PairScore:
    """One pair under one protocol.

    Attributes
    ----------
    re, re_identity : float
        Mean error over valid fixed pixels, in px at 256 scale; the same for doing nothing.
    ratio : float
        Predicted over true displacement (least squares); below 1: drawn to zero. NaN where
        nothing is displaced.
    """

    pair: str
    modality: str
    protocol: str
    re: float
    re_identity: float
    ratio: float


def registration_error(flow: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return the RE of each pair, (B,), in px at 256 scale: mean error over valid pixels.

    *Convention*: flows (B, 2, H, W), (x, y) in px; each axis is scaled to 256 px. Where no
    pixel is valid the mean is taken over all.
    """
    rows, cols = truth.shape[-2:]
    scale = truth.new_tensor([256.0 / cols, 256.0 / rows]).view(1, 2, 1, 1)
    error = ((flow.float() - truth) * scale).square().sum(1).sqrt()
    weight = valid[:, 0].float()
    weight = torch.where(weight.sum((1, 2), keepdim=True) > 0, weight, torch.ones_like(weight))
    return (error * weight).sum((1, 2)) / weight.sum((1, 2))


def displacement_ratio(flow: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return the factor that fits the true displacement to the predicted one, (B,)."""
    weight = valid.float()
    power = (truth.square() * weight).sum((1, 2, 3))
    ratio = (flow.float() * truth * weight).sum((1, 2, 3)) / power.clamp_min(1e-9)
    return torch.where(power > 1e-3 * weight.sum((1, 2, 3)), ratio, torch.nan)


def parse_protocol(protocol: str) -> tuple[str, int, bool]:
    """Split a protocol's name into kind, frame size and whether there is a larger canvas.

    Raises
    ------
    ValueError
        If the name is not one of these.
    """
    kind, rest = protocol[:1], protocol[1:]
    canvas = rest.endswith("c")
    digits = rest.removesuffix("c")
    if kind not in PROTOCOLS or not digits.isdigit() or int(digits) < 32:
        raise ValueError(
            f"Unknown protocol {protocol!r}: use one of {', '.join(PROTOCOLS)}, then the frame "
            f"size in px, then optionally c, as in R256c."
        )
    return kind, int(digits), canvas


class Validator:
    """Scores flow predictions on fixed pairs.

    Parameters
    ----------
    pairs : sequence of PackedPair
        Pairs that the model has not seen.
    config : ValidationConfig
    device : torch device
    """

    def __init__(
        self,
        pairs: Sequence[PackedPair],
        config: ValidationConfig,
        device: torch.device | str = "cpu",
    ) -> None:
        for protocol in config.protocols:
            parse_protocol(protocol)
        self.config = config
        self.device = torch.device(device)
        self._pairs = spread(pairs, config.per_modality)
        self._store = PictureStore(self._pairs, device)

    def make(self, number: int, protocol: str) -> tuple[Scene, Misalignment]:
        """Return pair `number` under a protocol, as images a user would have."""
        kind, side, canvas = parse_protocol(protocol)
        shape = (side, side)
        seed = seed_of(self._pairs[number].id, f"{kind}{side}", self.config.seed)
        generator = torch.Generator().manual_seed(seed)
        misalignment = draw_misalignment([PROTOCOLS[kind]], shape, generator, self.device)
        never = torch.zeros(1, dtype=torch.bool)
        pictures = self._store.gather([number], never, never, self.config.channels, None)
        sizes = self._store.sizes[[number]]
        view = whole_view(sizes, shape, 1.0 / _CANVAS if canvas else 1.0).to(self.device)
        scene = render(
            pictures.fixed,
            pictures.moving,
            pictures.mask,
            pictures.limited,
            sizes,
            view,
            misalignment,
        )
        return scene, misalignment

    def run(self, predict: PredictFlow, sheet: Path | None = None) -> list[PairScore]:
        """Score all pairs under all protocols.

        Parameters
        ----------
        predict : callable
            Fixed and moving (1, C, H, W) in [0, 1] to a flow (1, 2, H, W).
        sheet : Path, optional
            Where to write an image of the worst pairs: fixed, moving, both as they are, both
            by the prediction, predicted flow, true flow.
        """
        scores: list[PairScore] = []
        places: list[tuple[int, str]] = []
        for protocol in self.config.protocols:
            for number, pair in enumerate(self._pairs):
                fixed, moving, truth, valid = self.images(number, protocol)
                flow = predict(fixed, moving)
                re = registration_error(flow, truth, valid)
                identity = registration_error(torch.zeros_like(truth), truth, valid)
                ratio = displacement_ratio(flow, truth, valid)
                scores.append(
                    PairScore(
                        pair.id, pair.modality, protocol, float(re), float(identity), float(ratio)
                    )
                )
                places.append((number, protocol))
        if sheet is not None:
            order = sorted(range(len(scores)), key=lambda i: -scores[i].re)
            self._write_worst(predict, [places[i] for i in order[: self.config.worst]], sheet)
        return scores

    def images(self, number: int, protocol: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return fixed, moving (black outside), true flow and valid mask of a pair."""
        scene, misalignment = self.make(number, protocol)
        fixed = stretch(scene.fixed, scene.fixed_mask) * scene.fixed_mask
        moving = stretch(scene.moving, scene.moving_mask) * scene.moving_mask
        return fixed, moving, misalignment.flow(), scene.valid

    def _write_worst(
        self, predict: PredictFlow, places: Sequence[tuple[int, str]], sheet: Path
    ) -> None:
        rows = []
        for number, protocol in places:
            fixed, moving, truth, valid = self.images(number, protocol)
            flow = predict(fixed, moving)
            top = float(truth.square().sum(1).sqrt().max())
            rows.append(
                [
                    grey_tile(fixed[0]),
                    grey_tile(moving[0]),
                    overlay_tile(fixed[0], moving[0]),
                    overlay_tile(fixed[0], warp(moving, flow)[0]),
                    flow_tile(flow[0], max(top, 1.0)),
                    flow_tile(torch.where(valid[0], truth[0], 0.0), max(top, 1.0)),
                ]
            )
        write_sheet(rows, sheet)


def spread(pairs: Sequence[PackedPair], count: int | None) -> list[PackedPair]:
    """Take at most `count` evenly spaced pairs of each modality, in the given order."""
    groups: dict[str, list[PackedPair]] = {}
    for pair in pairs:
        groups.setdefault(pair.modality, []).append(pair)
    chosen = []
    for group in groups.values():
        step = 1 if count is None else -(-len(group) // count)
        chosen.extend(group[::step])
    return chosen
