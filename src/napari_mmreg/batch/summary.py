"""What became of a batch, as a table and as a page with images."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from napari_mmreg.batch.outcome import WORST_FIRST, Outcome
from napari_mmreg.batch.work import PREVIEW
from napari_mmreg.io import write_text
from napari_mmreg.io.html import page_template

if TYPE_CHECKING:
    from napari_mmreg.batch.table import ImagePair

TABLE, PAGE = "summary.csv", "summary.html"

NUMBERS = {
    "risk": "mean probability of misregistration",
    "similarity_before": "similarity before",
    "similarity_after": "similarity after",
    "displacement_median_px": "median displacement, fixed px",
    "overlap_percent": "overlap, %",
    "folding_percent": "folding, %",
}


def write_summary(
    folder: Path, pairs: Sequence[ImagePair], outcomes: Mapping[str, Outcome]
) -> None:
    """Write ``summary.csv``, in the order of the pairs, and ``summary.html``, worst first.

    Parameters
    ----------
    folder : Path
        Of the batch.
    pairs : sequence of ImagePair
        All of them; those without an outcome are listed as not done.
    outcomes : mapping of str to Outcome
        By the pairs' ids.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "status", *NUMBERS, "seconds", "reused", "reasons", "fixed", "moving"])
    for pair in pairs:
        writer.writerow([*_cells(pair.id, outcomes.get(pair.id)), pair.fixed, pair.moving])
    write_text(folder / TABLE, text.getvalue())
    counts = Counter(outcome.status for outcome in outcomes.values())
    page = page_template("batch", "summary.html.jinja").render(
        counts=[(status, counts[status]) for status in reversed(WORST_FIRST)],
        waiting=len(pairs) - len(outcomes),
        outcomes=sorted(outcomes.values(), key=lambda outcome: outcome.order),
        preview=lambda name: _preview(folder, name),
        numbers=NUMBERS,
    )
    write_text(folder / PAGE, page)


def _cells(name: str, outcome: Outcome | None) -> list[object]:
    if outcome is None:
        return [name, "not done", *("" for _ in NUMBERS), "", "", ""]
    numbers = [f"{outcome.numbers[key]:.4g}" if key in outcome.numbers else "" for key in NUMBERS]
    seconds = f"{outcome.seconds:.2f}"
    return [
        name, outcome.status, *numbers, seconds, outcome.reused, " ".join(outcome.reasons),
    ]  # fmt: skip


def _preview(folder: Path, name: str) -> str | None:
    """Return the address of a pair's preview, relative to the page, if there is one."""
    return quote(f"{name}/{PREVIEW}") if (folder / name / PREVIEW).is_file() else None
