"""What a transform is: matrices, displacement fields, composition, inversion, warping.

*Convention*, everywhere in this package: transforms map fixed to moving (pull), points are
``(row, col)`` in pixels, pixel centres lie at integers.
"""

from __future__ import annotations

from napari_mmreg.geometry.coordinates import (
    displacement_to_flow,
    flow_to_displacement,
    resize_displacement,
)
from napari_mmreg.geometry.field import DisplacementTransform
from napari_mmreg.geometry.folding import folding_fraction, jacobian_determinant
from napari_mmreg.geometry.inversion import InverseTransform, SmoothTransform, inverse_consistency
from napari_mmreg.geometry.landmarks import (
    MINIMUM_PAIRS,
    LandmarkKind,
    correct_transform,
    fit_landmarks,
)
from napari_mmreg.geometry.thinplate import ThinPlateTransform
from napari_mmreg.geometry.transform import CompositeTransform, MatrixTransform, Transform
from napari_mmreg.geometry.warp import (
    inside,
    pixel_grid,
    tiles,
    warp_image,
    warp_labels,
    warp_points,
)

__all__ = [
    "MINIMUM_PAIRS",
    "CompositeTransform",
    "DisplacementTransform",
    "InverseTransform",
    "LandmarkKind",
    "MatrixTransform",
    "SmoothTransform",
    "ThinPlateTransform",
    "Transform",
    "correct_transform",
    "displacement_to_flow",
    "fit_landmarks",
    "flow_to_displacement",
    "folding_fraction",
    "inside",
    "inverse_consistency",
    "jacobian_determinant",
    "pixel_grid",
    "resize_displacement",
    "tiles",
    "warp_image",
    "warp_labels",
    "warp_points",
]
