"""From a trained fusion network to its folder of weights, with a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.evaluation.measures import BY_KEY
from napari_mmreg.fusion.cnn import FOLDER
from napari_mmreg.models.weights import WeightsConfig, save_weights
from napari_mmreg.training.pack import sources_used
from napari_mmreg.training.run_folder import commit, versions

if TYPE_CHECKING:
    from napari_mmreg.fusion.network import FusionNet
    from napari_mmreg.training.fusion import FusionTraining
    from napari_mmreg.training.pack import PackedPair


def export(
    network: FusionNet,
    folder: Path,
    config: FusionTraining,
    pairs: Sequence[PackedPair],
    scores: Mapping[str, Mapping[str, float]],
    held_out: int,
) -> WeightsConfig:
    """Write the weights with their card.

    Parameters
    ----------
    network : FusionNet
    folder : Path
        By custom ``weights/fusion-cnn``.
    config : FusionTraining
    pairs : sequence of PackedPair
        What was trained on.
    scores : mapping
        As `compare` returns it.
    held_out : int
        How many pairs the scores are means over.
    """
    extra = {
        "steps": config.steps,
        "commit": commit(),
        "versions": versions(),
        "licence": "BSD-3-Clause",
    }
    constructor = {"widths": list(config.widths)}
    weights = save_weights(folder, FOLDER, network.state_dict(), constructor, extra)
    sources = "\n".join(
        f"| {source.name} | {count} | {source.licence} | {source.repository} | {source.paper} |"
        for source, count in sources_used(pairs)
    )
    rows = "\n".join(
        f"| {BY_KEY[key].title} | {BY_KEY[key].better} "
        f"| {scores['laplacian'][key]:.3f} | {scores['cnn'][key]:.3f} |"
        for key in scores["cnn"]
    )
    ahead = sum(
        (scores["cnn"][key] > scores["laplacian"][key]) == (BY_KEY[key].better == "higher")
        for key in scores["cnn"]
    )
    count = sum(p.numel() for p in network.parameters())
    shown = ", ".join(f"{name} {number}" for name, number in weights.extra["versions"].items())
    text = f"""# Weights of the fusion network `cnn`

A network of {count} parameters, shaped as MMDRFuse's. Its training is ours: L1 to the brighter of
the two images (weight {config.intensity:g}), L1 to the larger gradient ({config.gradient:g}),
structural similarity with both ({config.ssim:g}).

| | |
|---|---|
| steps, batch, crops | {config.steps}, {config.batch}, {config.size} x {config.size} px |
| optimiser | Adam, {config.rate:g}, cosine |
| constructor | `{constructor}` |
| commit | {extra["commit"]} |
| versions | {shown} |
| sha256 | `{weights.sha256}` |
| licence of the weights | BSD-3-Clause |

## Data

Aligned pairs as luminance, scaled by percentiles; modalities drawn evenly, crops turned,
mirrored and their two images exchanged at random. No picture is contained in the weights' folder.

| source | pairs | licence, as its repository says | repository | paper |
|---|---|---|---|---|
{sources}

## Validation

Means over {held_out} aligned pairs of scenes that were not trained on, beside the Laplacian
pyramid, which needs no training: better in {ahead} of {len(scores["cnn"])} measures.

| measure | better | Laplacian pyramid | this network |
|---|---|---|---|
{rows}
"""
    (folder / "card.md").write_text(text, encoding="utf-8")
    return weights
