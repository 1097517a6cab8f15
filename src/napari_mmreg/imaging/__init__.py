"""Any two images to a model-ready `Pair`: dtype, colour, NaN and masks, spacing, size."""

from __future__ import annotations

from napari_mmreg.imaging.checks import check_image, check_mask, check_spacing
from napari_mmreg.imaging.field_of_view import apertures, black_border
from napari_mmreg.imaging.grey import to_grey
from napari_mmreg.imaging.grid import initial_transform, working_grid
from napari_mmreg.imaging.multiscale import Level, pick_level
from napari_mmreg.imaging.normalise import fill_invalid, normalise
from napari_mmreg.imaging.pair import Pair
from napari_mmreg.imaging.prepare import prepare_pair
from napari_mmreg.imaging.regridding import change_grid, downsample, grid_to_image, image_to_grid

__all__ = [
    "Level",
    "Pair",
    "apertures",
    "black_border",
    "change_grid",
    "check_image",
    "check_mask",
    "check_spacing",
    "downsample",
    "fill_invalid",
    "grid_to_image",
    "image_to_grid",
    "initial_transform",
    "normalise",
    "pick_level",
    "prepare_pair",
    "to_grey",
    "working_grid",
]
