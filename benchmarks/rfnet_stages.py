"""What each stage of RFNet is worth on `val`: the affine, the fine field, and fusing with it.

Bare network, two looks, no refinement. The fused picture's gradients are compared with those of
fusing after the affine alone; so are those with the fine field turned round, which blurs by
resampling as much and aligns nothing. Writes ``results/rfnet-stages.md``.

Usage: MMREG_DATA=... python -m benchmarks.rfnet_stages [--per-modality 6]
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.accuracy import runner
from benchmarks.accuracy.protocols import Case, Protocol
from napari_mmreg import fuse
from napari_mmreg.evaluation.fusion_quality import gradient_length
from napari_mmreg.geometry import warp_image
from napari_mmreg.imaging import check_image, grid_to_image, prepare_pair, to_grey
from napari_mmreg.models.cascade import NetworkInput, NetworkOutput
from napari_mmreg.models.rfnet.model import RFNetModel
from napari_mmreg.nn.global_affine import affine_flow
from napari_mmreg.nn.sampling import pixel_grid
from napari_mmreg.run import Run
from napari_mmreg.training.data import find_data, read_records

RESULT = Path(__file__).parent / "results" / "rfnet-stages.md"
PROTOCOLS = ("R256", "N256", "Z256")
WANTED = ("vis_ir", "rgb_nir")
"""Groups for which the paper's claim of about 4 px is checked."""


class CoarseRFNet(RFNetModel):
    """RFNet without its fine stage."""

    def call_network(self, inputs: NetworkInput) -> NetworkOutput:
        """Ask AffineNet alone."""
        masks = (inputs.fixed_mask, inputs.moving_mask)
        _, coarse = self.network.register_coarsely(inputs.fixed, inputs.moving, masks)
        rows, cols = inputs.fixed.shape[-2:]
        flow = affine_flow(coarse.affine, rows, cols, 1)[0].permute(1, 2, 0)
        return NetworkOutput(pixel_grid(rows, cols, flow) + flow, torch.ones(rows, cols))


@dataclass(frozen=True)
class Row:
    """One pair: errors in px at 256 scale, gradients as a part of those after the affine."""

    group: str
    coarse: float
    fine: float
    gradients: float
    turned_round: float


def measure(case: Case, models: tuple[RFNetModel, RFNetModel]) -> Row:
    """Register a pair with both stages and fuse it."""
    run = Run()
    pair = prepare_pair(check_image(case.fixed, "fixed"), check_image(case.moving, "moving"))
    grid = np.stack(np.meshgrid(*map(np.arange, case.fixed.shape[:2]), indexing="ij"), axis=-1)
    coarse, fine = (grid_to_image(pair, m.predict(pair, run).transform).map(grid) for m in models)

    fixed, moving = (
        np.rint(255 * to_grey(image, (0, 255))[0]).astype(np.uint8)
        for image in (case.fixed, case.moving)
    )
    lengths = []
    for places in (coarse, fine, 2 * coarse - fine):
        placed, seen = (warp_image(image, places) for image in (moving, np.full_like(moving, 255)))
        fused = fuse(fixed, placed, "f2m", seen > 250)
        lengths.append(gradient_length(fused, (seen > 250) & case.mask))
    return Row(
        case.group,
        case.error(coarse),
        case.error(fine),
        lengths[1] / lengths[0],
        lengths[2] / lengths[0],
    )


def summary(protocol: str, rows: list[Row]) -> str:
    """Return the table's lines of one protocol."""
    lines = []
    for name, wanted in (("all", None), *((g, g) for g in WANTED)):
        part = [r for r in rows if wanted in (None, r.group)]
        coarse, fine, gradients, control = (
            np.array([getattr(r, key) for r in part])
            for key in ("coarse", "fine", "gradients", "turned_round")
        )
        lines.append(
            f"| {protocol} | {name} | {len(part)} | {np.median(coarse):.2f} / {coarse.mean():.2f} "
            f"| {np.median(fine):.2f} / {fine.mean():.2f} | {(fine < coarse).mean():.0%} "
            f"| {np.nanmedian(gradients):.3f} | {np.nanmedian(control):.3f} "
            f"| {(gradients < control).mean():.0%} |\n"
        )
    return "".join(lines)


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--per-modality", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(1)
    models = CoarseRFNet(), RFNetModel()
    records = read_records(find_data(None), ["val"], commercial_only=False)
    chosen = runner.evenly(records, args.per_modality)
    lines = [
        "# The stages of RFNet\n\n"
        f"Bare network on `val`, at most {args.per_modality} pairs a modality; RE median / mean in "
        "px at 256 scale after AffineNet alone and with F2M's fine field, and the share of pairs "
        "that the field improves. Gradients: length of the fused picture's (F2M), as a part of "
        "that without the fine field, with the field and with the field turned round (median), "
        "and the share of pairs where the former is lower. Written by "
        "`benchmarks/rfnet_stages.py`.\n\n"
        "| protocol | modality | pairs | coarse | fine | improved | gradients | turned round "
        "| lower |\n|---|---|---|---|---|---|---|---|---|\n"
    ]
    for protocol in PROTOCOLS:
        cases = runner.read_cases(chosen, Protocol.parse(protocol))
        lines.append(summary(protocol, [measure(case, models) for case in cases]))
        RESULT.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
