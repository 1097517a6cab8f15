"""Every text that users read in the Evaluate dock, in one place."""

from __future__ import annotations

WHAT = "Registration"
WHAT_TIP = "What is evaluated: a run of the Register dock, or two layers as they lie in the viewer."
AS_THEY_LIE = "Two layers, as they lie in the viewer"

OBJECTS = "Objects"
SEGMENTER = "Found by"
SEGMENTERS = {
    "regions": "Region merging (built in)",
    "sam": "SAM, from a folder…",
    "none": "Nothing (only my masks)",
}
SEGMENTER_TIP = (
    "Looks for the same objects in both images, by the same points. "
    "The built-in one needs no download; it is no SAM."
)
CHOOSE_SAM = "Choose folder…"
CHOOSE_SAM_TIP = "A folder with config.json and model.safetensors of a SAM or SAM 2."
CHOOSE_SAM_TITLE = "Choose the folder of a SAM"
FETCH_SAM = "Download…"
FETCH_SAM_TIP = "Fetch a SAM from Hugging Face, only now and only if you agree."
FETCH_SAM_TITLE = "Download a SAM"
FETCH_SAM_ASK = "About to be fetched from huggingface.co (safetensors only):"
FETCHED = "Downloaded to {folder}; sha256 of the weights {sha256}."
FREE = "Free memory"
FREE_TIP = "Forget the network and the pictures' embeddings; they are computed anew when needed."
FREED = "Memory freed."
NO_SAM = "Choose the folder of a SAM first."
FIXED_LABELS = "Fixed masks"
MOVING_LABELS = "Moving masks"
LABELS_TIP = (
    "A Labels layer with your objects as the truth. With masks of both images (same number: same "
    "object) no segmenter takes part."
)
NO_LABELS = "None"
FIXED_POINTS = "Fixed points"
MOVING_POINTS = "Moving points"
POINTS_TIP = "Points layers with landmarks, in the same order, that the registration did not use."
MEASURED = (
    "Measured on {pairs} aligned pairs of this kind: IoU {aligned:.2f} when aligned, {shifted:.2f} "
    "when 8 px off."
)
NOT_MEANINGFUL = " It does not show misalignment here: use masks of your own or landmarks."
SAM_CHOSEN = "SAM in “{name}”. Not measured on such pairs; see the fall of the IoU in the report."
NOT_MEASURED = "Not measured for this kind of pair; see the fall of the IoU in the report."

EVALUATE = "Evaluate"
EVALUATE_TIP = "Measure how good the registration is. Your layers stay as they are."
ACTIVITY_NAME = "the evaluation"
COMPARE_NAME = "the comparison of models"
FETCH_NAME = "the download of a SAM"
NOTHING = "Choose a registration, or two different images."

NUMBERS = "Numbers"
COLUMNS = ("", "before", "after", "")
WORST = "Objects, worst first"
OBJECT_COLUMNS = ("", "IoU before", "IoU", "F1", "bound. F")
OBJECT_TIP = "Select a row to see the object."
REPORT = "Report…"
REPORT_TIP = (
    "Write one HTML file with pictures, numbers and provenance, and JSON and CSV beside it."
)
REPORT_TITLE = "Choose a folder for the report"
REPORT_SAVED = "Report: {path}"
NOT_SAVED = "Could not save: {error}"
REPORT_NAME = "{moving} onto {fixed}"

COMPARE = "Compare models"
COMPARE_TIP = "Register the two images with every ticked model and evaluate each."
UNREFINED = "{title}, not refined"
NONE_TICKED = "Tick at least one model."
COMPARE_COLUMNS = ("", "status", "RE px", "IoU", "MIND", "time s")
KEEP = "Keep the layers of the selected one"
KEEP_TIP = (
    "Add its registered image, flow and maps to the viewer, as a run of the Register dock does."
)
CHART_BY = "Plot"

FIXED_OBJECTS = "objects, fixed"
BEFORE_OBJECTS = "objects, before"
AFTER_OBJECTS = "objects, registered"
FUSED_OBJECTS = "objects, fused image"
