"""Promptable segmenters behind one protocol: the built-in region merging, and SAM."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_mmreg.evaluation.segmentation.agreement import Agreement, agreement
from napari_mmreg.evaluation.segmentation.protocol import (
    Prompt,
    Segment,
    Segmenter,
    prompt_from_mask,
)

if TYPE_CHECKING:
    from napari_mmreg.evaluation.segmentation.regions import RegionMerging
    from napari_mmreg.evaluation.segmentation.sam import SamSegmenter

BUILT_IN = "regions"

__all__ = [
    "BUILT_IN",
    "Agreement",
    "Prompt",
    "Segment",
    "Segmenter",
    "agreement",
    "load_segmenter",
    "prompt_from_mask",
]


def load_segmenter(name: str | Path, device: str = "cpu") -> RegionMerging | SamSegmenter:
    """Return the built-in segmenter for ``"regions"``, and the SAM in a folder otherwise.

    Parameters
    ----------
    name : str or Path
        ``"regions"``, or a folder with a SAM or SAM 2.
    device : str
        A torch device, for SAM.

    Raises
    ------
    ModelError
        If the folder holds no SAM that can be read.
    """
    if str(name) == BUILT_IN:
        from napari_mmreg.evaluation.segmentation.regions import RegionMerging

        return RegionMerging()
    from napari_mmreg.evaluation.segmentation.sam import SamSegmenter

    return SamSegmenter(name, device)
