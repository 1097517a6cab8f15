"""Every text that users read in the *Landmarks* dock, in one place."""

from __future__ import annotations

IMAGES = "Images"

# Pairs
PAIRS = "Pairs"
MARK = "Mark pairs"
MARK_STOP = "Stop marking"
MARK_TIP = (
    "Click a place in the fixed image, then the same place in the moving one, and so on. "
    "Drag a landmark to move it; drag elsewhere to pan."
)
ACCEPT = "Accept"
ACCEPT_TIP = "Use the suggested position as the moving landmark (Enter)."
SKIP = "Later"
SKIP_TIP = "Leave this pair half-finished and mark the next one (Escape)."
UNDO = "Undo"
REDO = "Redo"
UNDO_TIP = "Undo: {label} (Ctrl+Z)"
REDO_TIP = "Redo: {label} (Ctrl+Shift+Z)"
NOTHING_TO_UNDO = "Nothing to undo"
NOTHING_TO_REDO = "Nothing to redo"
DELETE = "Delete"
DELETE_TIP = "Delete the selected pairs (Del)."
SEED = "Propose"
SEED_TIP = (
    "Find clear matches close to the chosen result, and add them as pairs. "
    "Check them: a match can be wrong."
)
SEED_MATCHES_TIP = (
    "Add the best, well-spread matches as pairs, out of the {all} that the chosen result was made "
    "from. Press again for more. Check them: a match can be wrong."
)
NO_SEEDS = "No clear matches were found. Mark the first pairs by hand."
SEEDED = "Added {count} proposed pairs. Check them, then correct."
SEEDED_MATCHES = "Added {count} of the result's {all} matches. Check them, then correct."
NO_MATCHES_LEFT = "All matches of the result are pairs already."
SHOWS = {"one": "One image", "both": "Both images"}
SHOW_TIP = (
    "What is visible while you mark pairs: the image to click, or both. Visibility is restored "
    "afterwards."
)
HINT_NO_IMAGES = "Open two images first."
HINT_IDLE = "Press “Mark pairs” and click the same place in both images, pair by pair."
HINT_FIXED = "Pair {name}: click a place in the fixed image."
HINT_MOVING = "Pair {name}: click the same place in the moving image."
HINT_GHOST = (
    "Pair {name}: accept the yellow marker (Enter), drag it, or click the right place in the "
    "moving image."
)
GHOST_MATCHED = "The marker was matched to the image."
COUNT = "{used} of {all} pairs used"
COUNT_ONE = "{used} of 1 pair used"
COUNT_HALF = "{half} half-finished"
COUNT_MORE = "{more} more needed for {kind}"

# Table
COLUMNS = {
    "name": ("Pair", "Name; double-click to rename. The check mark: used for fits and errors."),
    "fixed": ("Fixed", "Row, column in the fixed image, in pixels."),
    "moving": ("Moving", "Row, column in the moving image, in pixels."),
    "before": ("Before", "Registration error of the chosen result at this pair."),
    "after": (
        "After",
        "Error after the correction, which used these pairs: see Left out.",
    ),
    "left_out": (
        "Left out",
        "Error of a correction made from all other pairs: the error to expect between landmarks.",
    ),
    "source": ("Source", "Who placed it: you, a model's match, or a file."),
}
SOURCES = {"manual": "hand", "model": "match", "file": "file"}
NOT_MARKED = "–"

# Errors
ERRORS = "Registration error"
UNIT = "Unit"
UNIT_TIP = "Pixels of the moving image, or the unit of its calibration."
UNIT_PX = "px (moving image)"
COLOUR = "Colour by"
COLOURS = {"before": "Before", "after": "After", "left_out": "Left out"}
COLOUR_TIP = "Which error colours the landmarks: green is good, red is twice the limit or more."
LIMIT = "Limit"
LIMIT_TIP = "A pair succeeds up to this error."
SUMMARY_HEAD = ("", "RE", "RMSE", "median", "max", "≤ {limit:g} {unit}")
SUMMARY_TIP = (
    "RE: mean registration error. RMSE: root mean square, which weighs large errors more. "
    "RFNet's “MAE” is the maximum and its “MEE” the median."
)
HISTOGRAM_TIP = "Number of pairs per error; the last bar holds everything beyond the scale."

# Fit
TRANSFORM = "Correction"
BASE = "Start from"
BASE_ALONE = "Landmarks alone"
BASE_TIP = "The result to correct, or none: the landmarks alone then define the transform."
KIND = "Fit"
KINDS = {
    "translation": "Shift",
    "rigid": "Rigid",
    "similarity": "Similarity",
    "affine": "Affine",
    "homography": "Homography",
    "tps": "Thin plate",
}
KIND_TIP = "The simpler the fit, the less a misplaced landmark matters."
SMOOTHING = "Smoothing"
SPLINE_TIP = "0: passes through every pair. Larger values bend less."
STRENGTH = "Strength"
STRENGTH_TIP = "How much of the correction is applied."
REACH = "Reach"
REACH_TIP = "How far a landmark acts, as a fraction of the moving image's diagonal."
REACH_ALL = "everywhere"
AUTOMATIC = "automatic"
SMOOTHING_TIP = (
    "How far the correction may miss a pair. Automatic: pairs that agree with their "
    "neighbours are trusted, others are treated as noise."
)
PREVIEW = "Live preview"
PREVIEW_TIP = "Show the corrected moving image at reduced resolution while you edit."
PREVIEW_NAME = "[landmarks] preview"
CORRECT = "Correct"
CORRECT_ALONE = "Register from landmarks"
CORRECT_TIP = "Make a new result with its own layers. Earlier results are kept."
STOP = "Cancel"

# Files
OPEN = "Open…"
OPEN_TIP = (
    "Open landmark pairs: our CSV, or BigWarp's CSV or JSON. Replaces the table (can be undone)."
)
OPEN_TITLE = "Open landmark pairs"
OPEN_FILTER = "Landmarks (*.csv *.json);;All files (*)"
SAVE = "Save…"
SAVE_TIP = "Save the table as CSV or for BigWarp, or the transform defined by the pairs."
SAVE_TITLE = "Save landmark pairs or their transform"
SAVE_CSV = "Landmarks (*.csv)"
SAVE_BIGWARP_CSV = "BigWarp landmarks (*.csv)"
SAVE_BIGWARP_JSON = "BigWarp landmarks (*.json)"
SAVE_TRANSFORM = "Transform (*.npz)"
SAVED = "Saved {path}."
OPENED = "Opened {count} pairs from {path}."
CALIBRATED = "Its coordinates are in the layers' units."
RESTORED = "Restored {count} pairs from the last session. Undo empties the table."
NO_TRANSFORM = "The pairs do not define a transform yet. {problem}"

LOUPE_TIP = "Close-up of the selected pair. Ring: the landmark. Cross: its corrected position."
LOUPE_EMPTY = "Select a pair to see it close up."
