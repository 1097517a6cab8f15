"""How far the built-in segmenter sees the same objects in two sensors' images, as measured.

The numbers are in ``agreement.json``, which ``benchmarks/segmenter_agreement.py`` writes from
pairs that are aligned. They say where the masks' IoU can tell a good registration from a bad one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

LEAST_FALL = 0.05
"""IoU that a shift of 8 px must cost; where it costs less, the masks do not see it."""

_FILE = "agreement.json"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was measured on aligned pairs of one kind.

    Attributes
    ----------
    group : str
        The kind of pairs, e.g. ``"vis_ir"``.
    pairs, objects : int
        How many it was measured on.
    aligned, shifted : float
        Mean IoU of the objects in the aligned pairs, and 8 px off.
    """

    group: str
    pairs: int
    objects: int
    aligned: float
    shifted: float

    @property
    def meaningful(self) -> bool:
        """Whether a misalignment of 8 px shows in the IoU."""
        return self.aligned - self.shifted >= LEAST_FALL


_GROUPS: dict[str, frozenset[str]] = {
    "vis_ir": frozenset({"visible", "thermal"}),
    "optical_sar": frozenset({"visible", "sar"}),
    "rgb_depth": frozenset({"visible", "depth"}),
    "optical_map": frozenset({"visible", "map"}),
    "rgb_nir": frozenset({"visible", "nir"}),
    "shg_he": frozenset({"he", "shg"}),
}
_SAME = {"infrared": "thermal", "mri": "medical", "ct": "medical", "pet": "medical"}


def agreement(fixed: str | None, moving: str | None) -> Agreement | None:
    """Return what was measured for two modalities; None where nothing was.

    Parameters
    ----------
    fixed, moving : str or None
        Modalities as in `napari_mmreg.register`.
    """
    names = {_SAME.get(str(name), str(name)) for name in (fixed, moving)}
    if fixed == moving == "visible":
        return _measured().get("optical_optical")
    if names == {"medical"}:
        return _measured().get("medical")
    return next((_measured().get(g) for g, members in _GROUPS.items() if members == names), None)


@cache
def _measured() -> dict[str, Agreement]:
    text = (files("napari_mmreg.evaluation.segmentation") / _FILE).read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return {
        group: Agreement(group, row["pairs"], row["objects"], row["iou"]["0"], row["iou"]["8"])
        for group, row in data["groups"].items()
    }
