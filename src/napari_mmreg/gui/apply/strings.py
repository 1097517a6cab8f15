"""Every text that users read in the *Apply registration* dock, in one place."""

from __future__ import annotations

# Form
REGISTRATION = "Registration"
REGISTRATION_TIP = (
    "A finished run of this window, a layer that carries a transform, such as a transform file "
    "that was opened, or a transform from a file."
)
FROM_FILE = "Transform from a file…"
FILE = "File"
FILE_TIP = (
    "A transform that maps fixed to moving pixels: .npz, ITK, elastix, or the numbers of a 3x3 "
    "matrix."
)
FILE_FILTER = (
    "Transforms (*.npz *.tfm *.txt *.h5 *.mat *.nii.gz *.nii *.mha *.mhd *.nrrd *.csv *.npy)"
)
FIXED = "Fixed"
MOVING = "Moving"
SIDE_TIP = "The image that the transform calls {side}. It says how large its pixels are and where."
MATRIX = "Matrix on"
MATRIX_TIP = (
    "What a plain 3x3 matrix acts on, if the file does not say it itself: (x, y, 1) or "
    "(row, col, 1)."
)
MATRIX_ORDERS = {"as the file says": None, "(x, y)": "xy", "(row, col)": "rowcol"}
LAYERS = "Layers"
LAYERS_TIP = "Which layers are carried: images, labels, points, shapes, vectors, tracks, surfaces."
DIRECTION = "Direction"
DIRECTIONS = {"Moving to fixed": "fixed", "Fixed to moving": "moving"}
DIRECTION_TIP = (
    "Moving to fixed: the layers belong to the moving image and are laid onto the fixed one. "
    "Fixed to moving: the other way round."
)
GRID = "Grid"
GRIDS = {"Of the target image": "target", "Each layer's own": "own"}
GRID_TIP = (
    "In which pixels the results are: those of the image that they are laid onto (the target), or "
    "the layer's own, of the same size at the same place. Both lie right in the viewer."
)
INTERPOLATION = "Interpolation"
INTERPOLATIONS = {"Automatic": None, "Nearest neighbour": 0, "Linear": 1, "Cubic": 3}
INTERPOLATION_TIP = (
    "For images. Automatic is linear, and nearest neighbour for label images. Labels layers always "
    "keep their labels."
)

# Buttons
APPLY = "Apply"
APPLY_TIP = "Add the carried layers as new ones. Yours are not changed."
NEED = "Register two images first, or open or choose a transform file; then select layers."
INSTEAD = "Without resampling"
MOVE = "Move the layers instead"
MOVE_TIP = (
    "Write the registration into the layers' own affine: nothing is resampled, and the layers "
    "themselves are at the registered place."
)
UNDO = "Undo the move"
UNDO_TIP = "Put the layers back that were moved last."
MOVE_HINT = "Only an affine registration can move a layer; one that bends has to resample it."

# Outcomes
DONE = "{layers} on {grid}, {seconds:.1f} s."
ONE_LAYER = "1 layer"
MANY_LAYERS = "{count} layers"
ON_TARGET = "the pixels of {name}"
ON_OWN = "their own pixels"
LOST = {
    "points": "{lost} of {total} points of “{name}” have no place there and were left out.",
    "shapes": "{lost} of {total} shapes of “{name}” have no place there and were left out.",
    "vectors": "{lost} of {total} vectors of “{name}” have no place there and were left out.",
    "tracks": "{lost} of {total} places of “{name}” have no place there and were left out.",
    "surface": "{lost} of {total} vertices of “{name}” and their faces were left out.",
}
WAS_FAILED = "The registration had failed: what was applied is where it started."
MOVED = "{layers} moved. “Undo the move” puts back."
UNDONE = "{layers} put back."
NOT_PUT_BACK = "“{name}” was moved again since and stays where it is."
STAGE = "Applying to “{name}”"
NAMES = {"fixed": "{name} on {target}", "moving": "{name} on {target}"}

# Errors
NO_LAYERS = "Select at least one layer in the list."
NO_FILE = "Choose the file of the transform."
NO_SIDES = "Choose the fixed and the moving image that the transform is between."
NO_TRANSFORM = "“{name}” carries no transform any more. Choose another registration."
BENDS = (
    "This registration bends the image, which no affine of a layer can say. Use Apply, or register "
    "without local refinement."
)
ALREADY_MOVED = "“{name}” has already been moved by this registration. Undo the move first."
ONE_AXIS = "The layer “{name}” has one axis only and cannot be carried."
TILTED = (
    "The layer “{name}” is turned or sheared against its stack axis, so that its planes do not lie "
    "in the plane of the registration. Reset its transform, or extract the plane."
)
NOTHING_LEFT = "Nothing of “{name}” has a place in the other image."
