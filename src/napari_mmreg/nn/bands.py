"""Images in bands of rows, where the feature maps of the whole would take too much memory."""

from __future__ import annotations

from collections.abc import Iterator

ROWS = 128
"""Rows of a band. Few enough for the processor's cache, many enough for little to be done twice."""


def bands(rows: int, reach: int) -> Iterator[tuple[slice, slice, slice]]:
    """Divide the rows of an image.

    Parameters
    ----------
    rows : int
        How many there are.
    reach : int
        How far away a row may be to count for the result at another one.

    Yields
    ------
    core, around, inner : slice
        The rows of a band; those with what acts on them; the former within the latter.
    """
    for top in range(0, rows, ROWS):
        stop = min(top + ROWS, rows)
        first, last = max(0, top - reach), min(stop + reach, rows)
        yield slice(top, stop), slice(first, last), slice(top - first, stop - first)
