"""What a transform is: matrices, displacement fields, composition, inversion, warping.

*Convention*, everywhere in this package: transforms map fixed to moving (pull), points are
``(row, col)`` in pixels, pixel centres lie at integers.
"""

from __future__ import annotations

from napari_mmreg.geometry.applying import apply
from napari_mmreg.geometry.composite import CompositeTransform
from napari_mmreg.geometry.coordinates import (
    displacement_to_flow,
    flow_to_displacement,
    resize_displacement,
)
from napari_mmreg.geometry.field import DisplacementTransform
from napari_mmreg.geometry.folding import folding_fraction, jacobian_determinant
from napari_mmreg.geometry.frame import Frame
from napari_mmreg.geometry.inversion import InverseTransform, SmoothTransform, inverse_consistency
from napari_mmreg.geometry.labels import looks_like_labels
from napari_mmreg.geometry.landmarks import (
    MINIMUM_PAIRS,
    LandmarkKind,
    aspect_ratio,
    fit_landmarks,
    orientation,
)
from napari_mmreg.geometry.lazy import LazyImage, is_lazy, resample_lazily, resample_pyramid
from napari_mmreg.geometry.matrix import MatrixTransform
from napari_mmreg.geometry.residual import (
    ResidualTransform,
    correct_transform,
    max_likelihood_smoothing,
    rbf_correction,
    wide_reach,
)
from napari_mmreg.geometry.thinplate import ThinPlateTransform
from napari_mmreg.geometry.transform import Transform, warp_points
from napari_mmreg.geometry.warp import (
    fill_value,
    inside,
    pixel_grid,
    tiles,
    warp_image,
    warp_labels,
)

__all__ = [
    "MINIMUM_PAIRS",
    "CompositeTransform",
    "DisplacementTransform",
    "Frame",
    "InverseTransform",
    "LandmarkKind",
    "LazyImage",
    "MatrixTransform",
    "ResidualTransform",
    "SmoothTransform",
    "ThinPlateTransform",
    "Transform",
    "apply",
    "aspect_ratio",
    "correct_transform",
    "displacement_to_flow",
    "fill_value",
    "fit_landmarks",
    "flow_to_displacement",
    "folding_fraction",
    "inside",
    "inverse_consistency",
    "is_lazy",
    "jacobian_determinant",
    "looks_like_labels",
    "max_likelihood_smoothing",
    "orientation",
    "pixel_grid",
    "rbf_correction",
    "resample_lazily",
    "resample_pyramid",
    "resize_displacement",
    "tiles",
    "warp_image",
    "warp_labels",
    "warp_points",
    "wide_reach",
]
