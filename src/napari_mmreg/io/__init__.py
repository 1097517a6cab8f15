"""Images, transforms and landmarks on disk."""

from __future__ import annotations

from napari_mmreg.geometry.files import FileKind, file_kinds, register_file_kind
from napari_mmreg.io.bigwarp import write_bigwarp
from napari_mmreg.io.choice import SeveralImagesError
from napari_mmreg.io.folders import FolderStack
from napari_mmreg.io.images import (
    Picture,
    common_nodata,
    read_image,
    read_mask,
    read_picture,
    write_image,
)
from napari_mmreg.io.landmark_table import LandmarkPairs
from napari_mmreg.io.landmarks import read_landmarks, write_landmarks
from napari_mmreg.io.levels import Description
from napari_mmreg.io.marks import MARK_SUFFIXES, MarkFile, read_marks
from napari_mmreg.io.points import Points, read_landmark_files, read_points
from napari_mmreg.io.pyramids import (
    Pyramid,
    is_pyramid_name,
    open_pyramid,
    write_pyramid,
)
from napari_mmreg.io.stacks import Stack, holds_stack, read_stack, write_stack
from napari_mmreg.io.tiff import Georeference
from napari_mmreg.io.transforms import (
    load_transform,
    save_transform,
)
from napari_mmreg.io.video import VIDEO_SUFFIXES, Video, write_video
from napari_mmreg.io.whole import check_folder, whole_folder, write_json, write_text

__all__ = [
    "MARK_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Description",
    "FileKind",
    "FolderStack",
    "Georeference",
    "LandmarkPairs",
    "MarkFile",
    "Picture",
    "Points",
    "Pyramid",
    "SeveralImagesError",
    "Stack",
    "Video",
    "check_folder",
    "common_nodata",
    "file_kinds",
    "holds_stack",
    "is_pyramid_name",
    "load_transform",
    "open_pyramid",
    "read_image",
    "read_landmark_files",
    "read_landmarks",
    "read_marks",
    "read_mask",
    "read_picture",
    "read_points",
    "read_stack",
    "register_file_kind",
    "save_transform",
    "whole_folder",
    "write_bigwarp",
    "write_image",
    "write_json",
    "write_landmarks",
    "write_pyramid",
    "write_stack",
    "write_text",
    "write_video",
]
