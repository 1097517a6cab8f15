"""What is measured, defined once: registration error at points and grids, image similarity."""

from __future__ import annotations

from napari_mmreg.evaluation.landmarks import (
    LandmarkError,
    corner_error,
    endpoint_error,
    grid_error,
    landmark_error,
    recall_auc,
    success_rate,
)
from napari_mmreg.evaluation.similarity import gradient_ncc, mind_distance, ncc, nmi, psnr, ssim

__all__ = [
    "LandmarkError",
    "corner_error",
    "endpoint_error",
    "gradient_ncc",
    "grid_error",
    "landmark_error",
    "mind_distance",
    "ncc",
    "nmi",
    "psnr",
    "recall_auc",
    "ssim",
    "success_rate",
]
