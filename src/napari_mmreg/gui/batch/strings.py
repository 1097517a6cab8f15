"""Every text of the *Batch* dock."""

PAIRS = "Pairs"
SOURCE = "Pairs from"
SOURCE_TIP = "How the dock learns which images belong together."
SOURCES = {"two folders or patterns": "patterns", "a table": "table"}
TABLE = "Table"
TABLE_TIP = (
    "CSV or Excel with a header: the columns fixed and moving name the images; id, masks, pages "
    "and channels may be there too."
)
TABLE_FILTER = "Tables (*.csv *.tsv *.txt *.xlsx)"
PATTERN = {"fixed": "Fixed", "moving": "Moving"}
PATTERN_TIP = (
    "A folder, or a pattern such as scans/*_vis.png. Files whose * stands for the same belong "
    "together; of folders, those of the same name."
)
SETTINGS = "Settings"
MODEL = "Model"
MODEL_TIP = "What registers; Auto is a good first choice."
AUTO = "Auto"
PRESET = "Preset"
PRESET_TIP = "The file batch.yaml of an earlier batch: the same settings again. Optional."
PRESET_FILTER = "Settings (*.yaml *.yml)"
WORKERS = "Workers"
WORKERS_TIP = (
    "Processes that register at the same time. With two or more, other runs in this window need "
    "not wait for the batch."
)
BROWSE = "Browse…"
OUTPUT = "Results to"
OUTPUT_TIP = "A folder; each pair gets one of its own below it. What lies there already is kept."

RUN = "Register all"
RUN_TIP = "Register all pairs that have no result yet"
NEED = "Choose images and a folder for the results first"

COLUMNS = ("Pair", "Status", "Fixed", "Moving")
WAITING = "waiting"
COUNT = "{count} pairs"
LEFT_OUT = "{count} pairs; left out, without a partner: {fixed} fixed, {moving} moving"
OPEN = "Open pair"
OPEN_TIP = "Show the selected pair: fixed, registered and risk"
PAGE = "Summary page"
PAGE_TIP = "Open summary.html in the browser: all pairs with pictures, worst first"
NO_RESULT = "The pair “{name}” has no registered image. {reasons}"
NOT_RUN = "Register it first."

CANCELLED = "The batch was cancelled; pairs that are done are kept."
DONE = "{ok} ok, {doubtful} doubtful, {failed} failed, {error} not done"
REUSED = " · {count} were there already"
STAGE_OPENING = "Opening"
LAYER_FIXED, LAYER_REGISTERED, LAYER_RISK = "{name}", "{name} registered", "{name} risk"
