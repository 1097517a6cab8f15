"""Images, transforms and landmarks on disk."""

from __future__ import annotations

from napari_mmreg.io.bigwarp import write_bigwarp
from napari_mmreg.io.images import read_image, read_mask, write_image
from napari_mmreg.io.landmark_table import LandmarkPairs
from napari_mmreg.io.landmarks import read_landmarks, write_landmarks
from napari_mmreg.io.transforms import (
    ITK_FIELDS,
    ITK_TRANSFORMS,
    load_transform,
    save_transform,
)

__all__ = [
    "ITK_FIELDS",
    "ITK_TRANSFORMS",
    "LandmarkPairs",
    "load_transform",
    "read_image",
    "read_landmarks",
    "read_mask",
    "save_transform",
    "write_bigwarp",
    "write_image",
    "write_landmarks",
]
