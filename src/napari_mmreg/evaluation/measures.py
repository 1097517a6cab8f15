"""What every number of an evaluation is called, its unit, which way is better, what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Better = Literal["higher", "lower", ""]

SIMILARITY_WARNING = (
    "Image similarity does not certify geometry. A method that smears, copies or shrinks the "
    "overlap can look more similar while every landmark is worse; RFNet's own Table 1 shows one. "
    "Trust errors at landmarks and objects first."
)


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of an evaluation.

    Attributes
    ----------
    key, title, unit : str
        For programs, for people, and ``""`` where it has none.
    better : {"higher", "lower", ""}
        Which way is better; empty where neither is.
    group : str
        A key of `GROUPS`.
    tip : str
        What it means, in a sentence or two.
    digits : int
        Decimals to show.
    """

    key: str
    title: str
    unit: str
    better: Better
    group: str
    tip: str
    digits: int = 3

    def text(self, value: float | None) -> str:
        """Return a value as people read it, without the unit."""
        if value is None or np.isnan(value):
            return "–"
        if np.isinf(value):
            return "∞" if value > 0 else "−∞"
        return f"{value:.{self.digits}f}"


GROUPS = {
    "error": "Registration error",
    "objects": "Objects",
    "geometry": "Deformation",
    "similarity": "Image similarity",
    "fusion": "Fused image",
}
"""Group to its title, in the order of trust."""

_LANDMARKS = "Distance between mapped and given landmarks, in pixels of the moving image: {}."
_RANGE = "For images of one sensor; between sensors it may mislead."

MEASURES: tuple[Measure, ...] = (
    Measure("re_rmse", "Landmarks, RMSE", "px", "lower", "error",
            _LANDMARKS.format("root of the mean square"), 2),
    Measure("re_mean", "Landmarks, mean", "px", "lower", "error", _LANDMARKS.format("mean"), 2),
    Measure("re_median", "Landmarks, median", "px", "lower", "error",
            _LANDMARKS.format("median, which RFNet calls MEE"), 2),
    Measure("re_max", "Landmarks, maximum", "px", "lower", "error",
            _LANDMARKS.format("maximum, which RFNet calls MAE"), 2),
    Measure("re_grid", "Known truth, mean", "px", "lower", "error",
            "Mean distance to the true position over the overlap, in pixels of the moving image. "
            "Only where the misalignment is known.", 2),
    Measure("object_iou", "IoU", "", "higher", "objects",
            "Intersection over union of each object's two masks, mean over the objects."),
    Measure("object_f1", "F1 (“PR”)", "", "higher", "objects",
            "Harmonic mean of precision and recall of the masks' pixels: 2 IoU / (1 + IoU) per "
            "object. It proves nothing beyond IoU."),
    Measure("object_boundary_f", "Boundary F", "", "higher", "objects",
            "The same for boundary pixels that lie within 2 px of each other."),
    Measure("objects_found", "Objects found", "%", "higher", "objects",
            "Share of the objects whose IoU reaches 0.5.", 0),
    Measure("object_iou_fused", "IoU in the fused image", "", "higher", "objects",
            "The same for the objects found in the fused image."),
    Measure("object_iou_geometry", "IoU from geometry alone", "", "higher", "objects",
            "IoU of each mask with itself, moved by the true misalignment and brought back by the "
            "registration: no segmenter takes part. Only where the misalignment is known."),
    Measure("overlap_percent", "Overlap", "%", "", "geometry",
            "Share of the fixed image that has a counterpart in the moving image.", 1),
    Measure("displacement_median", "Displacement, median", "px", "", "geometry",
            "How far pixels moved against the start, in fixed pixels.", 2),
    Measure("displacement_p95", "Displacement, 95 %", "px", "", "geometry",
            "95 % of the pixels moved less far than this, in fixed pixels.", 2),
    Measure("displacement_max", "Displacement, maximum", "px", "", "geometry",
            "The farthest any pixel moved, in fixed pixels.", 2),
    Measure("folding_percent", "Folding", "%", "lower", "geometry",
            "Share of the pixels where the transform folds the image over itself (Jacobian "
            "determinant not above 0). Anything but 0 is a defect."),
    Measure("log_jacobian_std", "Spread of log Jacobian", "", "lower", "geometry",
            "Standard deviation of the logarithm of the local change of area; 0 for a similarity."),
    Measure("inverse_consistency", "Inverse consistency", "px", "lower", "geometry",
            "Mean distance by which going to the moving image and back misses the start, in fixed "
            "pixels."),
    Measure("no_inverse_percent", "Without inverse", "%", "lower", "geometry",
            "Share of the overlap where the transform cannot be inverted.", 1),
    Measure("gradient_ncc", "Gradient NCC", "", "higher", "similarity",
            "Correlation of the gradients' lengths, [-1, 1]: whether edges lie on edges."),
    Measure("mind", "MIND distance", "", "lower", "similarity",
            "Mean difference of the MIND-SSC descriptors of local structure, [0, 1]; made for "
            "images of different sensors."),
    Measure("nmi", "NMI", "", "higher", "similarity",
            "Normalised mutual information, [1, 2]: 1 if the images say nothing of each other."),
    Measure("ncc", "NCC", "", "higher", "similarity",
            f"Normalised cross-correlation, [-1, 1]. {_RANGE}"),
    Measure("ssim", "SSIM", "", "higher", "similarity",
            f"Structural similarity, [-1, 1]. {_RANGE}"),
    Measure("psnr", "PSNR", "dB", "higher", "similarity",
            f"Peak signal-to-noise ratio. {_RANGE}", 2),
    Measure("fusion_en", "EN", "bit", "higher", "fusion",
            "Entropy of the fused image's grey values. Noise raises it too.", 2),
    Measure("fusion_sd", "SD", "", "higher", "fusion",
            "Standard deviation of the fused image's grey values of 0 to 255.", 2),
    Measure("fusion_sf", "SF", "", "higher", "fusion",
            "Spatial frequency: root mean square of neighbouring differences. Ghosts raise it too.",
            2),
    Measure("fusion_ag", "AG", "", "higher", "fusion",
            "Average gradient. Ghosts of a bad registration raise it too.", 2),
    Measure("fusion_psnr", "PSNR with the sources", "dB", "higher", "fusion",
            "Peak signal-to-noise ratio with both sources; their mean has the highest.", 2),
    Measure("fusion_mi", "MI", "bit", "higher", "fusion",
            "Mutual information of the fused image with each source, summed.", 2),
    Measure("fusion_scd", "SCD", "", "higher", "fusion",
            "Sum of the correlations of differences, [-2, 2]: how much of each source is in the "
            "fused image."),
    Measure("fusion_qabf", "Q_abf", "", "higher", "fusion",
            "How much of the sources' edges is preserved, [0, 1]."),
    Measure("fusion_ssim", "SSIM with the sources", "", "higher", "fusion",
            "Mean structural similarity of the fused image with its two sources."),
)  # fmt: skip
"""All of them, those that say most about geometry first."""

BY_KEY = {measure.key: measure for measure in MEASURES}
