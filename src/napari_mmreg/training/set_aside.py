"""A part of the training scenes that no network learns from: thresholds are chosen on it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    from napari_mmreg.training.pack import PackedPair

SHARE = 0.1
LARGEST = 0.5


def set_aside(
    pairs: Sequence[PackedPair], share: float = SHARE
) -> tuple[list[PackedPair], list[PackedPair]]:
    """Split training pairs into those to learn from and those to choose thresholds on.

    Whole scenes are set aside, chosen by a hash of their names, so that the split is the same
    on every machine. A modality that shows one scene only is split by pair.

    Parameters
    ----------
    pairs : sequence of PackedPair
        Of the split ``"train"``.
    share : float
        Least share of each modality's pairs that is set aside; 0 sets nothing aside. No more
        than half of the scenes are.

    Returns
    -------
    learned, aside : list of PackedPair
        In the given order.

    Raises
    ------
    InputError
        If the share is not in [0, 0.5].
    """
    if not 0 <= share <= LARGEST:
        raise InputError(f"The share set aside has to be from 0 to {LARGEST}, not {share}.")
    chosen: set[str] = set()
    for modality in {pair.modality for pair in pairs}:
        members = [pair for pair in pairs if pair.modality == modality]
        scenes = {pair.scene for pair in members}
        groups: dict[str, list[str]] = {}
        for pair in members:
            groups.setdefault(pair.scene if len(scenes) > 1 else pair.id, []).append(pair.id)
        wanted, found = share * len(members), 0
        for name in sorted(groups, key=_order)[: len(groups) // 2]:
            if found >= wanted:
                break
            chosen.update(groups[name])
            found += len(groups[name])
    learned = [pair for pair in pairs if pair.id not in chosen]
    return learned, [pair for pair in pairs if pair.id in chosen]


def _order(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
