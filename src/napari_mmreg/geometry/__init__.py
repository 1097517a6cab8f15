"""What a transform is: matrices, displacement fields, composition, inversion, warping.

*Convention*, everywhere in this package: transforms map fixed to moving (pull), points are
``(row, col)`` in pixels, pixel centres lie at integers.
"""

from __future__ import annotations

from napari_mmreg.geometry.field import DisplacementTransform
from napari_mmreg.geometry.inversion import InverseTransform, SmoothTransform, inverse_consistency
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
    "CompositeTransform",
    "DisplacementTransform",
    "InverseTransform",
    "MatrixTransform",
    "SmoothTransform",
    "Transform",
    "inside",
    "inverse_consistency",
    "pixel_grid",
    "tiles",
    "warp_image",
    "warp_labels",
    "warp_points",
]
