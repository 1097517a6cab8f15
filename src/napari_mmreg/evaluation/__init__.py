"""What is measured, defined once: registration error, similarity, objects, fusion, a report."""

from __future__ import annotations

from napari_mmreg.evaluation.assessment import Evaluation, evaluate
from napari_mmreg.evaluation.landmarks import (
    LandmarkError,
    corner_error,
    endpoint_error,
    grid_error,
    landmark_error,
    recall_auc,
    success_rate,
)
from napari_mmreg.evaluation.objects import ObjectScore, compare_labels, compare_masks
from napari_mmreg.evaluation.segmentation import load_segmenter
from napari_mmreg.evaluation.similarity import gradient_ncc, mind_distance, ncc, nmi, psnr, ssim

__all__ = [
    "Evaluation",
    "LandmarkError",
    "ObjectScore",
    "compare_labels",
    "compare_masks",
    "corner_error",
    "endpoint_error",
    "evaluate",
    "gradient_ncc",
    "grid_error",
    "landmark_error",
    "load_segmenter",
    "mind_distance",
    "ncc",
    "nmi",
    "psnr",
    "recall_auc",
    "ssim",
    "success_rate",
]
