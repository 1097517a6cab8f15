"""Every text that users read in the dock, in one place."""

from __future__ import annotations

# Sections
FOLD = "Fold this part away. It stays so the next time."
UNFOLD = "Show this part."

# What a run has found so far
LIVE = "Alignment so far"
LIVE_TIP = (
    "The alignment that the run has found so far, on a small grid: fixed green, moving magenta, "
    "grey or white where they match. It can be switched off in Preferences."
)
LIVE_SIMILARITY = "Similarity {before:.2f} → {now:.2f}"
CURVE = "Similarity so far"
CURVE_TIP = (
    "How alike the images' structures are, from the images as they came on the left to what was "
    "found last. After a vertical line Auto asks another model."
)

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
MODALITY = "{side} modality"
MODALITY_TIP = "The kind of image. Guessed from the layer's name and kept in its metadata."
NO_IMAGE = "no image"
EMPTY_HINT = "Open two images of the same thing, or drop them here."
ONE_IMAGE_HINT = "Open a second image, or drop it here."
NOT_OPENED = "The file could not be opened: {error}"
NO_IMAGE_IN_FILE = "There is no image in this file."

# Method
METHOD = "Method"
MODEL = "Model"
MODEL_TIP = "Which model registers. What each is for is explained below."
AUTO_MODEL = "Auto"
AUTO_PURPOSE = "Asks several models until one is sure. Start here."
BUDGET = "Budget"
BUDGETS = {"fast": "Fast", "balanced": "Balanced", "best": "Best"}
BUDGET_TIP = (
    "How many models Auto may ask. Fast: SAS-Net, then the classical search. Balanced: RFNet, "
    "HRNet, the classical search, RegNetMamba-2, until one is sure. Best: five models, always all."
)
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
ADVANCED_TIP = "Seed and threads."
SEED = "Seed"
SEED_TIP = "The same images, device and seed give the same result."
THREADS = "CPU threads"
THREADS_TIP = "How many threads to use. Automatic leaves one core for the viewer."
AUTOMATIC = "Automatic"

# Start
START = "Start"
START_FROM = "Start from"
STARTS = {
    "auto": "Automatic",
    "layers": "Positions of the layers",
    "centre": "Centre the frames",
    "mirror": "Mirrored, left to right",
}
START_TIP = (
    "Automatic: the positions of the layers (scale, translate, affine) if they are set, "
    "otherwise centred frames. Mirrored: the same, with the moving image flipped left to right."
)
BY_HAND = "Move by hand"
BY_HAND_TIP = (
    "Drag the moving image on the canvas: inside its box to move it, at the round handle to turn "
    "it, at the square ones to scale it (Shift keeps the proportions). Press again when it lies "
    "roughly right. The next run starts there."
)
IN_HAND = (
    "Drag the image; turn it at the round handle, scale it at the square ones. Zoom out if you see "
    "none."
)
FLIP = "Flip"
FLIP_TIP = "Mirror the moving layer left to right, as the start of the next run."
TURN = "Turn 90°"
TURN_TIP = "Turn the moving layer clockwise about its centre, as the start of the next run."
UNDO = "Undo"
UNDO_TIP = "Take back the last drag, flip, turn or reset of the moving layer."
RESET = "Reset"
RESET_TIP = "Put the moving layer back to where it lay, and start as before."
STARTS_LAYERS = "The next run starts from the positions of the layers."
STARTS_CENTRED = "The next run starts from centred frames."
STARTS_MIRRORED = "The moving image is flipped left to right."
STARTS_BY_HAND = "The next run starts where you put the moving image: {what}."
HAND_IGNORED = "You moved the moving image, but the next run does not start from there."
HAND_WORDS = {
    "flipped": "flipped",
    "turned": "turned by {degrees:.0f}°",
    "stretched": "scaled by {rows:.2f} in height and {columns:.2f} in width",
    "scaled": "scaled by {factor:.2f}",
    "shifted": "shifted by {length:.4g} {unit}",
}
MOVED_SLIGHTLY = "moved slightly"
NOT_IN_3D = "Show the images in 2D first: nothing can be moved by hand in 3D."
NOT_THESE_AXES = (
    "The viewer shows other axes than the last two, which are registered. Roll the axes back first."
)
NOT_COMPARABLE = (
    "The fixed layer is measured in {fixed} and the moving one in {moving}: one cannot be moved "
    "over the other. Give both the same kind of unit (layer.units) first."
)
NOT_IN_UNIT = (
    "“{name}” is measured in {own}, what is shown in {view}: napari cannot drag it then. Give all "
    "layers the same unit (layer.units); Flip and Turn 90° work all the same."
)
SIDE_BY_HAND = "by hand"
SIDE_MASK = "mask"
SIDE_REGION = "region"
FIXED_MASK = "Fixed mask"
MOVING_MASK = "Moving mask"
MASK_TIP = "A Labels layer: the image is used only where it is painted."
NO_MASK = "None"
REGION = "Region only"
REGION_TIP = (
    "A Shapes layer: only this part of the fixed image is registered, with all of the moving one. "
    "What is drawn counts as its bounding rectangle."
)
NO_REGION = "Whole image"
DRAW = "Draw"
DRAW_FIXED_TIP = "Paint on the fixed image where it may be used."
DRAW_MOVING_TIP = "Paint on the moving image where it may be used."
DRAW_REGION_TIP = "Draw a rectangle on the fixed image: only that is registered."
MASK_NAME = "mask of {name}"
REGION_NAME = "region of {name}"
PAINT = "Paint where both images show the same thing, then press Register."
DRAW_REGION = "Draw a rectangle around what to register, then press Register."
NOTHING_DRAWN = (
    "Nothing is drawn in “{name}” yet. Draw a rectangle on the fixed image, or choose "
    "“Whole image” under Start."
)
NO_REGION_HERE = "What is drawn in “{name}” lies outside the fixed image “{fixed}”."
SMALL_REGION = (
    "The region in “{name}” has {rows} × {cols} pixels of the fixed image. Draw one of at least "
    "{least} × {least}."
)
REGION_UNITS = (
    "“{name}” is measured in {unit} and the fixed image “{fixed}” in {other}: where it lies on the "
    "image is not known. Press Draw beside Region only to draw it on the image."
)
REGION_TITLE = "{name} (region)"
OF_REGION = "Only the region drawn on the fixed image was registered."

# Run
REGISTER = "Register"
CANCEL = "Cancel"
REGISTER_TIP = (
    "Align the moving image to the fixed one. Your layers are not changed. Key: Ctrl+Return; "
    "Ctrl+. cancels."
)
STAGE_LOADING = "Loading"
STAGE_LAYERS = "Building layers"
STAGE_FUSING = "Fusing"
FUSED_DONE = "Run {run} fused: {method}."
FUSED_HIDDEN = "The hidden layer “fused before” shows the images before registration."
FAILED_RUN = "No layers were added: there would be nothing new to see."
FUSED_AS_BEFORE = "The fused image shows the images before registration."
ACTIVITY = "Registering"
CANCELLED = "Cancelled. Nothing was changed."
NEED_TWO = "Choose two different images first."
UNEXPECTED = "Unexpected error: {error}. See napari's notifications for details."
OUT_OF_MEMORY = "Not enough memory for images of this size. Crop them, or use a coarser level."
STATUS_WORDS = {"ok": "OK", "doubtful": "Doubtful", "failed": "Failed"}
STATUS_COLOURS = {
    "ok": "#23804a",
    "doubtful": "#a3620d",
    "failed": "#c03a34",
    "error": "#c03a34",
    "info": "#5f6b79",
}
ERROR_WORD = "Not done"
INFO_WORD = "Stopped"
DONE_WORD = "Done"
NEXT_WORD = "Next"
SIMILARITY = "Similarity {before:.2f} → {after:.2f}"
MEAN_ERROR = "probably within {error:.1f} px"
MATCHES = "{count:.0f} matches"
SECONDS = "{seconds:.1f} s"
TIME_LEFT = "about {time} left"
MINUTES = "{minutes:.0f} min"
HOURS = "{hours:.0f} h {minutes:.0f} min"
WHOLE_SECONDS = "{seconds:.0f} s"
STARTED_FROM_LAYERS = "Started from the positions of the layers."
STARTED_MIRRORED = "The moving image is flipped left to right."
STARTED_CENTRED = "Started from centred frames."

# Runs
RUNS = "Runs"
OPEN_RESULT = "Open result…"
OPEN_RESULT_TIP = (
    "Read a folder that Save… wrote, for the images chosen above, and show it as a run. Nothing is "
    "registered again."
)
OPEN_RESULT_TITLE = "Choose the folder of a saved result"
OPENED = "Opened {folder}."
SAVED_FAILED = (
    "The result in “{folder}” is of a run that failed: it holds the images as they were. Register "
    "them again."
)
WRONG_SIZES = (
    "This result belongs to a fixed image of {fixed} and a moving image of {moving} pixels. Open "
    "these two images, then open the result again."
)
OTHER_IMAGES = (
    "But the saved registered image does not look like this moving image: choose the images that "
    "were registered, and open the result again."
)
OTHER_SIZE = (
    "{name} is of another size than the fixed image. Take it out of the folder, and open the "
    "result again."
)
RUN_LIST = "Finished runs"
RUN_LIST_TIP = (
    "The chosen run is shown, the others are hidden. Tick one to keep it visible next to others; "
    "double-click to rename it."
)
RUN_TITLE = "{run} · {model} · {moving} → {fixed}"
NAMED_RUN = "{run} · {name}"
RUN_NAME = "Name of run {run}"
OF_SLICE = (
    "Of slice {slice} only: its layers are seen in that slice. “Register stack or time series” "
    "does all slices."
)
RUN_TILES = " · tiles"
RUN_SLICE = " · slice {slice}"
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
SHARE = "Share"
SHARE_TIP = "A picture of the comparison, an animation, or this run as Python code."
SHARING = {
    "copy_figure": "Copy figure",
    "export_figure": "Export figure…",
    "export_animation": "Export before/after animation…",
    "copy_script": "Copy as script",
}
SAVED_FILE = "Saved as {path}."
COPIED_FIGURE = "The figure is on the clipboard."
COPIED_SCRIPT = "The Python code that repeats this run is on the clipboard."
NO_SCRIPT = (
    "This run was made with landmarks, which code cannot mark again. Save its transform instead, "
    "and apply that."
)
SAVE_FIRST = "Save the array of the layer {name} first, with np.save."
SAVE_FINEST = "Save the finest level of the layer {name} first, with np.save."
FIGURE_FILES = "PNG image (*.png);;SVG drawing (*.svg)"
ANIMATION_FILES = "Animated GIF (*.gif)"
NO_COMPARISON = "Choose a comparison first (Compare, Show): that is what a figure is made of."

# Layers of the shown run
LAYERS = "Layers"
KINDS = {
    "registered": ("Registered", "The moving image on the fixed image's pixels."),
    "arrows": (
        "Arrows",
        "From places in the fixed image to where their counterparts lay before. Only where the "
        "moving image has data.",
    ),
    "colour": (
        "Colour",
        "The same motion as colours: hue says the direction, saturation the length.",
    ),
    "amount": ("Amount", "How far each place moved."),
    "grid": ("Grid", "A square grid bent by the whole transform, outside the moving image too."),
    "risk": (
        "Risk",
        "How likely the result is off by more than the tolerance; on the white line it is as "
        "likely as not.",
    ),
    "before": ("Risk before", "The same for the pair as it came, by the same measurements."),
    "localised": ("Located", "Where the model itself found the pair misregistered as it came."),
    "matches": ("Matches", "The single matches that the model's answer was made from."),
    "fused": ("Fused", "Both images combined into one."),
    "rendered": ("Rendered", "The moving image as the fixed sensor would show it."),
    "excluded": ("Left out", "What was found to be border or drawing, and not used."),
}
MOTION = "Motion"
MOTIONS = {"whole": "Whole motion", "beyond": "Beyond the best affine"}
MOTION_TIP = (
    "What arrows, colour and amount show: all of the motion, or what is left of it when the affine "
    "map that fits it best (least squares, ours) is taken out. A global shift hides the bend."
)
NOTHING_BENDS = "Beyond the best affine map nothing moves by more than {still:g} px."
ARROWS = "Arrows"
ARROWS_TIP = "Number of flow arrows along the longer side."
TOLERANCE = "Tolerance"
TOLERANCE_TIP = (
    "Risk is the probability that the result is off by more than this, in pixels of the fixed "
    "image. At first 2 px at 256-px scale."
)

# Compare
COMPARE = "Compare"
SHOW = "Show"
WITH = "With"
SOURCE_NAME = "What the fixed image is compared with"
MODES = {
    "off": "Off",
    "overlay": "Overlay",
    "blend": "Blend",
    "curtain": "Curtain",
    "checkerboard": "Checkerboard",
    "flicker": "Flicker",
    "beside": "Side by side",
}
MODE_TIP = (
    "How the “compare” layer combines fixed and moving. "
    "Overlay: fixed green, moving magenta, grey or white where they match. "
    "Curtain: drag its line on the canvas. Side by side: two linked views, a cross at the same "
    "place of both."
)
BESIDE = ("compare: fixed", "compare: other")
CROSS = "cross"
SOURCES = {"after": "Registered", "before": "Before"}
OTHER_RUN = "Run {title}"
SOURCE_TIP = (
    "Compare the fixed image with the registered image or with the moving image before, or this "
    "run's registered image (green) with another run's (magenta)."
)
AMOUNTS = {
    "overlay": "Mix",
    "blend": "Mix",
    "curtain": "Curtain",
    "checkerboard": "Tile size",
    "flicker": "Interval",
}
AMOUNT_TIP = "How the two images are combined: mix, place of the curtain, tile size or interval."
CURTAIN_HINT = "Drag its line on the canvas."
HOLD = "Hold: before"
HOLD_TIP = "Shows the images as they lay before for as long as it is held. Key: {key}, held."

# Next steps after a run that did not work
NEXT = "What to try:"
TRY_MODEL = "Try {title}"
TRY_OTHER = "Try another model"
TRY_MODEL_TIP = "Run again with another model."
TRY_FLIP = "Flip left to right"
TRY_FLIP_TIP = "Run again with the moving image mirrored. Your layer is not changed."
TRY_HAND_TIP = "Drag and turn the moving image roughly into place, then register from there."
TRY_LANDMARKS = "Start from landmarks"
TRY_LANDMARKS_TIP = "Mark a few places that correspond, in the Landmarks dock."
TRY_MASK = "Draw a mask"
TRY_MASK_TIP = "Paint what both images show; only that is used of the fixed image."

# Cursor
CURSOR = "Cursor"
CURSOR_IDLE = "Move the mouse over the image to see displacement and risk."
WORST = "Worst place"
WORST_TIP = "Looks at the place with the highest risk; again for the next one. Key: {key}"
WORST_SAID = "Place {index} of {count}: risk {risk:.0%}"
NO_WORST = "There is no place whose risk stands out."
CURSOR_OTHER_SLICE = "This run is of slice {slice}; nothing is known of the one shown."
CURSOR_OUTSIDE = "Outside the fixed image."
CURSOR_UNKNOWN = "Outside the moving image."
CURSOR_TEXT = "Moved {length:.1f} px (row {row:+.1f}, col {col:+.1f})"
CURSOR_PHYSICAL = "Moved {length:.1f} px = {physical:.3g} {unit} (row {row:+.1f}, col {col:+.1f})"
CURSOR_RISK = "Probably within {within:.1f} px (risk {risk:.0%})"

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
