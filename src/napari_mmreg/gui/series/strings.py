"""Every text that users read in the *Register stack or time series* dock, in one place."""

from __future__ import annotations

# Form
IMAGES = "Stacks"
HOW = "Method"
AXIS = "Planes along"
AXIS_TIP = (
    "The axis that the planes run along. Plane n of the moving stack is registered to plane n of "
    "the fixed one, or to the fixed image if that is a single one. Along other axes, what the "
    "viewer shows is looked at, and all of it is carried."
)
AXIS_CHOICE = "axis {name} · {count} planes"
AXIS_UNEQUAL = "axis {name} · {fixed} and {moving} planes"
NO_AXIS = "no stack chosen"
WAY = "Transform"
WAYS = {
    "One for all planes": "once",
    "One per plane": "each",
    "Followed over time": "follow",
}
WAY_TIP = (
    "One for all: two sensors that do not move against each other. One per plane: each plane on "
    "its own. Followed: each plane starts where the one before ended, the motion is smoothed, and "
    "planes that fail are filled in between their neighbours."
)
ABOUT_WAY = {
    "once": "For a rig that does not move: quick, and the same for every plane.",
    "each": "For planes that have nothing to do with each other, such as sections.",
    "follow": "For drift: planes that fail are filled in between their neighbours.",
}
ESTIMATE = "Estimate on"
ESTIMATES = {
    "Best of five planes": "best",
    "Plane shown": "shown",
    "First plane": "first",
    "Mean of all planes": "mean",
    "Median of planes": "median",
    "Maximum of all planes": "max",
}
ESTIMATE_TIP = (
    "Best of five: evenly spaced planes are registered, and those that hold agree on one "
    "transform; the surest way. A mean or maximum helps where single planes are dark or noisy."
)
SMOOTHING = "Smooth over"
SMOOTHING_TIP = (
    "How many planes the motion is smoothed over. It moves no plane by more than 1 px at 256-px "
    "scale, so that real jumps stay. Off for a camera that shakes."
)
SMOOTHINGS = {"5 planes": 5, "9 planes": 9, "15 planes": 15, "Off": 0}
MODEL = "Model"
MODEL_TIP = "What registers each plane; Auto is a good first choice, Classical needs no network."
AUTO = "Auto"
REFINE = "Refine locally"
REFINE_TIP = "Improve each plane's alignment; takes longer, kept only if it helps."

# Run
RUN = "Register stack"
RUN_TIP = "Align every plane of the moving stack. Your layers are not changed."
NEED = "Choose two layers of which one at least is a stack"
UNEQUAL = (
    "The fixed stack has {fixed} planes along this axis and the moving one {moving}. Choose "
    "another axis, or cut the longer one."
)
TOO_DEEP = (
    "A single moving image can only be registered to a stack of one axis. Extract that stack as a "
    "layer of its own."
)
NO_STACK = "Neither layer has planes: for two images use the “Register images” dock."
CANCELLED = (
    "Cancelled. {done} of {total} planes are done and kept: “Register stack” with the same "
    "settings goes on with the others."
)
CANCELLED_EARLY = "Cancelled. Nothing was changed."
STAGE_LAYER = "Resampling the stack"
STAGE_SAVE = "Saving"
DONE = "{ok} of {total} planes hold · {seconds:.0f} s"
DRIFT = "drift up to {drift:.1f} px"
LAZY = (
    "The stack is large: its planes are resampled when they are looked at. Save writes all of them."
)

# Results
RESULT = "Planes"
COLUMNS = ("Plane", "Status", "From", "Drift px")
COLUMNS_TIP = (
    "Click a row to see its plane. Drift: how far the moving image has moved since the first good "
    "plane, in fixed pixels, down and to the right."
)
SOURCES = {
    "registered": "own",
    "carried": "of the rig",
    "interpolated": "filled in",
    "start": "none found",
}
WAITING = "waiting"
DRIFT_CELL = "{row:+.1f}  {col:+.1f}"
CHART_TIP = (
    "Drift down (blue) and to the right (orange) over the planes, in fixed pixels; hollow where it "
    "was filled in. The dashed line is the plane shown. Click to see a plane."
)
CHART_ROW, CHART_COL = "down", "right"
SAVE = "Save…"
SAVE_TIP = (
    "Save the registered stack, the transforms, the table of planes and the report in a folder."
)
SAVE_TITLE = "Choose a folder for the results"
SAVED = "Saved in {folder}."
LAYER = "registered stack"
