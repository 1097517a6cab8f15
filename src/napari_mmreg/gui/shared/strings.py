"""Every text that users read in the dock, in one place."""

from __future__ import annotations

# Images
IMAGES = "Images"
FIXED = "Fixed"
MOVING = "Moving"
FIXED_TIP = "The image that stays in place. Results share its pixel grid and position."
MOVING_TIP = "The image that is aligned to the fixed one."
OPEN = "Open…"
OPEN_TIP = "Open an image file and use it here. You can also drop a file or a layer."
OPEN_TITLE = "Open the {side} image"
SWAP = "⇅ Swap"
SWAP_TIP = "Swap fixed and moving."
MODALITY_TIP = "The kind of image. Guessed from the layer's name and kept in its metadata."
NO_IMAGE = "no image"
EMPTY_HINT = "Open two images of the same thing, or drop them here."
ONE_IMAGE_HINT = "Open a second image, or drop it here."
NOT_OPENED = "The file could not be opened: {error}"
NO_IMAGE_IN_FILE = "There is no image in this file."

# Method
METHOD = "Method"
MODEL = "Model"
AUTO_MODEL = "Auto"
AUTO_PURPOSE = "The best model for most pairs. Start here."
DEVICE = "Device"
DEVICES = {"auto": "Auto", "cpu": "CPU", "cuda": "GPU (CUDA)"}
DEVICE_TIP = "Auto uses the GPU if there is one."
NO_CUDA = "PyTorch does not find a CUDA device."
REFINE = "Refine locally"
REFINE_TIP = (
    "Improve the model's alignment on this pair. Takes a few seconds; kept only if it helps."
)
FUSE = "Fuse"
NO_FUSION = "No fused image"
FUSE_TIP = (
    "After the run, also combine both images into one. A hidden layer shows the same from before "
    "registration, for comparison: double edges should be gone."
)
CORRECT = "Correct"
CORRECT_TIP = (
    "Correct the fused image where the registered images do not quite match (FusionRegister), and "
    "add a hidden map of these places."
)
FUSE_NOW_TIP = (
    "Fuse the images of this run with the method chosen under Method, or with the Laplacian "
    "pyramid if none is chosen. The registration is not repeated."
)
ADVANCED = "Advanced"
START = "Start from"
STARTS = {
    "auto": "Automatic",
    "layers": "Positions of the layers",
    "centre": "Centre the frames",
}
START_TIP = (
    "Automatic: the positions of the layers (scale, translate, affine) if they are set, "
    "otherwise centred frames."
)
FIXED_MASK = "Fixed mask"
MOVING_MASK = "Moving mask"
MASK_TIP = "A Labels layer: the image is used only where it is painted."
NO_MASK = "None"
SEED = "Seed"
SEED_TIP = "The same images, device and seed give the same result."
THREADS = "CPU threads"
THREADS_TIP = "How many threads to use. Automatic leaves one core for the viewer."
AUTOMATIC = "Automatic"

# Run
REGISTER = "Register"
CANCEL = "Cancel"
REGISTER_TIP = "Align the moving image to the fixed one. Your layers are not changed."
STAGE_LOADING = "Loading"
STAGE_LAYERS = "Building layers"
STAGE_FUSING = "Fusing"
FUSED_DONE = "Run {run} fused: {method}."
FUSED_HIDDEN = "The hidden layer “fused before” shows the images before registration."
FUSED_AS_BEFORE = "The fused image shows the images before registration."
ACTIVITY = "Registering"
CANCELLED = "Cancelled. Nothing was changed."
NEED_TWO = "Choose two different images first."
UNEXPECTED = "Unexpected error: {error}. See napari's notifications for details."
OUT_OF_MEMORY = "Not enough memory for images of this size. Crop them, or use a coarser level."
STATUS_WORDS = {"ok": "OK", "doubtful": "Doubtful", "failed": "Failed"}
STATUS_COLOURS = {
    "ok": "#2f9e5b",
    "doubtful": "#d08a1d",
    "failed": "#d0453e",
    "error": "#d0453e",
    "info": "#6b7785",
}
ERROR_WORD = "Not done"
INFO_WORD = "Stopped"
DONE_WORD = "Done"
SIMILARITY = "Similarity {before:.2f} → {after:.2f}"
MATCHES = "{count:.0f} matches"
SECONDS = "{seconds:.1f} s"
STARTED_FROM_LAYERS = "Started from the positions of the layers."
STARTED_CENTRED = "Started from centred frames."

# Result
RESULT = "Result"
RUN = "Run"
RUN_TITLE = "{run} · {moving} → {fixed} · {model}"
SAVE = "Save…"
SAVE_TIP = (
    "Save the transform, registered image, maps and report in a folder, and the fused images if "
    "there are any."
)
SAVE_TITLE = "Choose a folder for the results"
SAVED = "Saved in {folder}."
SAVED_FUSED = "Saved in {folder}, with {names}."
LEFT_FUSED = "Still there from an earlier save: {left}."
NOT_SAVED = "Could not save: {error}"
REMOVE = "Remove"
REMOVE_TIP = "Remove all layers of this run. Your own layers are kept."
ARROWS = "Arrows"
ARROWS_TIP = "Number of flow arrows along the longer side."

# Compare
COMPARE = "Compare"
SHOW = "Show"
MODES = {
    "off": "Off",
    "overlay": "Overlay",
    "blend": "Blend",
    "curtain": "Curtain",
    "checkerboard": "Checkerboard",
    "flicker": "Flicker",
}
MODE_TIP = (
    "How the “compare” layer combines fixed and moving. "
    "Overlay: fixed green, moving magenta, grey or white where they match."
)
SOURCES = {"after": "Registered", "before": "Before"}
SOURCE_TIP = "Compare the fixed image with the registered image or the moving image before."
AMOUNTS = {
    "overlay": "Mix",
    "blend": "Mix",
    "curtain": "Curtain",
    "checkerboard": "Tile size",
    "flicker": "Interval",
}

# Cursor
CURSOR = "Cursor"
CURSOR_IDLE = "Move the mouse over the image to see displacement and risk."
CURSOR_OUTSIDE = "Outside the fixed image."
CURSOR_UNKNOWN = "Outside the moving image."
CURSOR_TEXT = "Moved {length:.1f} px (row {row:+.1f}, col {col:+.1f})"
CURSOR_PHYSICAL = "Moved {length:.1f} px = {physical:.3g} {unit} (row {row:+.1f}, col {col:+.1f})"
CURSOR_RISK = "risk {risk:.0%} (uncalibrated)"

# Transforms that layers carry
NO_TRANSFORM = (
    "None of the selected layers carries a registration. Select a layer of a run, or the arrows of "
    "a transform that was opened."
)
SEVERAL_TRANSFORMS = (
    "The selected layers belong to different registrations. Select layers of one, and save again."
)
TWO_UNITS = (
    "The rows and columns of “{name}” are measured in different units. Give both the same "
    "(layer.units)."
)
