"""From a run to a folder of weights with a card that says where they come from."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.models.weights import WeightsConfig, save_weights
from napari_mmreg.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint
from napari_mmreg.training.run_folder import read_run

if TYPE_CHECKING:
    from napari_mmreg.training.scores import Scores


def load_result(run: Path, which: str = "best") -> Checkpoint:
    """Read a run's ``"best"`` weights (by validation) or its ``"last"`` ones.

    Raises
    ------
    InputError
        If the run has none.
    """
    found = list_checkpoints(run / ("best" if which == "best" else "checkpoints"))
    if not found:
        raise InputError(f"{run} has no {which} checkpoint yet; train longer, or take the other.")
    return load_checkpoint(found[-1])


def export(
    run: str | Path,
    folder: str | Path,
    scores: Scores,
    *,
    which: str = "best",
    licence: str = "BSD-3-Clause",
) -> WeightsConfig:
    """Write a folder of weights: the moving average, ``config.json``, ``card.md``, the curves.

    Parameters
    ----------
    run : path
        A training run's folder.
    folder : path
        Where to; by custom ``weights/<model>``.
    scores : Scores
        Of these very weights.
    which : {"best", "last"}
    licence : str
        Of the weights.
    """
    run, folder = Path(run), Path(folder)
    entries = read_run(run)
    checkpoint = load_result(run, which)
    extra = {
        "step": checkpoint.state["step"],
        "hours": round(checkpoint.state["seconds"] / 3600, 3),
        "commit": entries["commit"],
        "versions": entries["versions"],
        "licence": licence,
        **scores.headline,
    }
    config = save_weights(
        folder, entries["recipe"], checkpoint.average, entries["constructor"], extra
    )
    if (run / "curves.png").is_file():
        shutil.copyfile(run / "curves.png", folder / "curves.png")
    text = card(entries, config, scores, curves=(run / "curves.png").is_file())
    (folder / "card.md").write_text(text, encoding="utf-8")
    return config


def card(
    entries: Mapping[str, Any],
    config: WeightsConfig,
    scores: Scores,
    *,
    curves: bool,
) -> str:
    """Return the model card: what was trained on what, how, and how well it does."""
    sources = "\n".join(
        f"| {s['name']} | {s['pairs']} | {s['licence']} | {s['repository']} | {s['paper']} |"
        for s in entries["sources"]
    )
    versions = ", ".join(f"{name} {number}" for name, number in entries["versions"].items())
    curve = "\n## Learning curve\n\n![Learning curve](curves.png)\n" if curves else ""
    return f"""# Weights of `{config.model}`

{entries["notes"]}

| | |
|---|---|
| steps | {config.extra["step"]} |
| hours | {config.extra["hours"]} |
| device | {entries["options"].get("device", "unknown")} |
| batch, sizes | {entries["batches"]["batch"]}, {entries["batches"]["sizes"]} |
| constructor | `{dict(config.constructor)}` |
| commit | {entries["commit"]} |
| versions | {versions} |
| sha256 | `{config.sha256}` |
| licence of the weights | {config.extra["licence"]} |

## Data

{entries["data"]} No picture is
contained in the weights' folder.

| source | pairs | licence, as its repository says | repository | paper |
|---|---|---|---|---|
{sources}

## Validation

{scores.table}{curve}"""
