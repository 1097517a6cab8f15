"""Every text that users read about transform files, in one place."""

from __future__ import annotations

NO_VIEWER = "Open napari first."

LAYER_NAME = "transform {name}"
OPENED = "Opened {name}."
OPENED_FOR = "Opened {name} for pixels of {spacing}."
OTHER_PIXELS = "If the images have others, use File > IO Utilities > Import a transform… instead."
ARROWS = "The arrows point from fixed to moving places."
APPLY = "Layers > Transform > Apply registration carries other layers along."

EXPORT_TITLE = "Export the registration of “{name}”"
EXPORTED = "Wrote {path}: {title}."
IMPORT_TITLE = "Import a transform"
ALL_KINDS = "All transforms"

QUESTIONS_TITLE = "Import {name}"
FIXED = "Fixed image"
MOVING = "Moving image"
UNIT = "Lengths in the file"
ORDER = "Matrix on"
NO_IMAGE = "none (pixels of size 1)"
SAME_UNIT = "in the fixed image's unit"
FIXED_TIP = "The transform starts from this image's pixels. Its size and pixel size are used."
MOVING_TIP = "The transform ends in this image's pixels. Its pixel size is used."
UNIT_TIP = "ITK, ANTs and elastix do not write units; most of their files are in millimetres."
ORDER_TIP = "What the numbers of a plain matrix act on, if the file does not say so."
AS_STATED = "as the file states"
ORDERS = {"xy": "(x, y, 1): OpenCV, scikit-image", "rowcol": "(row, col, 1): numpy, scipy"}
UNITS = ("millimeter", "micrometer", "nanometer", "meter", "pixel")
