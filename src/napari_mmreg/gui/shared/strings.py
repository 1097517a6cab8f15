"""Every text that users read in the dock, in one place."""

from __future__ import annotations

# Images
IMAGES = "Images"
FIXED = "Fixed"
MOVING = "Moving"
FIXED_TIP = "The image that stays. Results have its grid and its place in the world."
MOVING_TIP = "The image that is brought onto the fixed one."
OPEN = "Open…"
OPEN_TIP = "Open an image file and use it here. Files and layers can also be dropped."
OPEN_TITLE = "Open the {side} image"
SWAP = "⇅ Swap"
SWAP_TIP = "Exchange fixed and moving."
MODALITY_TIP = "What the image shows. Guessed from the layer's name; kept in its metadata."
NO_IMAGE = "no image"
EMPTY_HINT = "Open two images of the same thing, or drop them here."
ONE_IMAGE_HINT = "One image is open. Open the second one, or drop it here."
NOT_OPENED = "The file could not be opened: {error}"
NO_IMAGE_IN_FILE = "There is no image in this file."

# Method
METHOD = "Method"
MODEL = "Model"
AUTO_MODEL = "Auto"
AUTO_PURPOSE = "The best shipped model for most pairs. Start here."
DEVICE = "Device"
DEVICES = {"auto": "Auto", "cpu": "CPU", "cuda": "GPU (CUDA)"}
DEVICE_TIP = "Auto takes the GPU where there is one."
NO_CUDA = "PyTorch finds no CUDA device here."
REFINE = "Refine locally"
REFINE_TIP = (
    "After the model, optimise the alignment for this very pair. "
    "Kept only where it helps; costs a few seconds."
)
FUSE = "Fuse"
NO_FUSION = "No fused image"
FUSE_TIP = (
    "After the run, also make one picture that shows what either image shows, and a hidden one of "
    "the images as they lay before: doubled edges in it are gone where the run was right."
)
CORRECT = "Correct"
CORRECT_TIP = (
    "Put the fused image right where the registered images do not quite fit (FusionRegister), and "
    "add a hidden map of where that was."
)
FUSE_NOW_TIP = (
    "Make the fused images of this run now, with the method chosen under Method; the Laplacian "
    "pyramid where none is chosen. The model does not run again."
)
ADVANCED = "Advanced"
START = "Start from"
STARTS = {
    "auto": "Automatic",
    "layers": "The layers' places in the viewer",
    "centre": "Centre the frames",
}
START_TIP = (
    "Automatic: the layers' places (scale, translate, affine) where someone set them, "
    "centred frames otherwise."
)
FIXED_MASK = "Fixed mask"
MOVING_MASK = "Moving mask"
MASK_TIP = "A Labels layer: only where it is painted, the image is used."
NO_MASK = "None"
SEED = "Seed"
SEED_TIP = "The same input, device and seed give the same result."
THREADS = "CPU threads"
THREADS_TIP = "How many threads the run may use. Automatic leaves one core to the viewer."
AUTOMATIC = "Automatic"

# Run
REGISTER = "Register"
CANCEL = "Cancel"
REGISTER_TIP = "Bring the moving image onto the fixed one. Your layers stay as they are."
STAGE_LOADING = "Loading"
STAGE_LAYERS = "Building layers"
STAGE_FUSING = "Fusing"
FUSED_DONE = "Run {run} fused: {method}."
FUSED_HIDDEN = "The hidden layer “fused before” shows the images as they lay before."
FUSED_AS_BEFORE = "The fused image shows the images as they lay before."
ACTIVITY = "Registering"
CANCELLED = "Cancelled. Nothing was changed."
NEED_TWO = "Choose two different images first."
UNEXPECTED = "Something unexpected went wrong: {error}. Details are in napari's notifications."
OUT_OF_MEMORY = (
    "There is not enough memory for images of this size. Crop them, or use a coarser level."
)
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
STARTED_FROM_LAYERS = "Started from the layers' places in the viewer."
STARTED_CENTRED = "Started from centred frames."

# Result
RESULT = "Result"
RUN = "Run"
RUN_TITLE = "{run} · {moving} → {fixed} · {model}"
SAVE = "Save…"
SAVE_TIP = (
    "Save transform, registered image, maps and report in a folder, with the fused images if the "
    "run has any."
)
SAVE_TITLE = "Choose a folder for the results"
SAVED = "Saved in {folder}."
SAVED_FUSED = "Saved in {folder}, with {names}."
LEFT_FUSED = "From an earlier save, not this one: {left}."
NOT_SAVED = "Could not save: {error}"
REMOVE = "Remove"
REMOVE_TIP = "Remove all layers of this run. Your own layers stay."
ARROWS = "Arrows"
ARROWS_TIP = "How many flow arrows across the longer side."

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
    "How fixed and moving are laid over each other in the “compare” layer. "
    "Overlay: fixed green, moving magenta, grey or white where they agree."
)
SOURCES = {"after": "Registered", "before": "Before"}
SOURCE_TIP = "Compare the fixed image with the registered one, or with the moving one before."
AMOUNTS = {
    "overlay": "Mix",
    "blend": "Mix",
    "curtain": "Curtain",
    "checkerboard": "Tile size",
    "flicker": "Interval",
}

# Cursor
CURSOR = "Cursor"
CURSOR_IDLE = "Point at the image to read displacement and risk."
CURSOR_OUTSIDE = "Outside the fixed image."
CURSOR_UNKNOWN = "No counterpart in the moving image here."
CURSOR_TEXT = "Moved {length:.1f} px (row {row:+.1f}, col {col:+.1f})"
CURSOR_PHYSICAL = "Moved {length:.1f} px = {physical:.3g} {unit} (row {row:+.1f}, col {col:+.1f})"
CURSOR_RISK = "risk {risk:.0%} (uncalibrated)"
