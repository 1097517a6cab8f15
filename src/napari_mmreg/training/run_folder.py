"""What a run was started with, kept beside its checkpoints."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.registration.provenance import versions
from napari_mmreg.training.pack import PackedPair, sources_used

if TYPE_CHECKING:
    from napari_mmreg.training.recipe import Recipe

_FILE = "run.json"


def commit() -> str:
    """Return the commit of the checkout this code lies in; ``"unknown"`` outside of one."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def write_run(
    out: Path,
    recipe: Recipe,
    constructor: Mapping[str, Any],
    pairs: Sequence[PackedPair],
    options: Mapping[str, Any],
) -> None:
    """Write ``run.json``: recipe, constructor, batches, sources with licences, versions."""
    sources = [{**asdict(source), "pairs": count} for source, count in sources_used(pairs)]
    modalities: dict[str, int] = {}
    for pair in pairs:
        modalities[pair.modality] = modalities.get(pair.modality, 0) + 1
    entries = {
        "recipe": recipe.name,
        "constructor": dict(constructor),
        "notes": recipe.notes,
        "data": recipe.data,
        "batches": asdict(recipe.batches),
        "optimisation": asdict(recipe.optimisation),
        "options": dict(options),
        "sources": sources,
        "modalities": modalities,
        "commit": commit(),
        "versions": versions(),
    }
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(entries, indent=2, default=str) + "\n"
    (out / _FILE).write_text(text, encoding="utf-8")


def read_run(out: Path) -> dict[str, Any]:
    """Read ``run.json``.

    Raises
    ------
    InputError
        If the folder is not one of a training run.
    """
    path = out / _FILE
    if not path.is_file():
        raise InputError(f"{out} is not the folder of a training run ({_FILE} is missing).")
    entries: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return entries
