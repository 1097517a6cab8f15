"""Texts of what only the *Register* dock has: queue, preview, refinement in tiles, and the tour."""

ADD = "Add to queue"
ADD_TIP = (
    "Register the images chosen above, with the settings as they are now, when the runs before "
    "them are done. Key: Ctrl+Return."
)
QUEUE = "Queue"
QUEUE_TIP = "What runs now and what waits, in this order. Delete removes the chosen row."
WAITING = "{count} waiting"
WAITING_TITLE = "{model} · {moving} → {fixed}"
FUSE_TITLE = "Fuse run {run}"
TILES_TITLE = "Refine run {run} in tiles"
OPEN_TITLE = "Open result · {folder}"
RUNS_NOW = "Now: {title}"
REMOVE_WAITING = "Remove {title} from the queue"
REMOVE_WAITING_TIP = "Remove this from the queue."
CANCEL_ALL = "Cancel all"
CANCEL_ALL_TIP = "Cancel what runs and empty the queue. Finished runs stay."
CANCELLED_ALL = "The run was cancelled and the queue emptied. Finished runs stay."
RUNS_ALREADY = "These images are being registered with these settings already."
WAITS_ALREADY = "These images are waiting in the queue with these settings already."
OF_PAIR = "Run: {title}."
MISSED = "Before it, {title}: {problem}"
DROPPED = "{title} was removed from the queue, as its layer “{layer}” was removed."

TILES = "Refine in tiles"
TILES_TIP = (
    "For large images: refine the shown run at a higher resolution, in overlapping tiles, and add "
    "it as a new run. The menu says how many tiles there are; a tile takes seconds."
)
TILES_FULL = "At full resolution · {tiles} tiles"
TILES_PART = "At 1/{factor} of the resolution · {tiles} tiles"
TILES_SMALL = "Of no use here: up to {side:,} pixels a side, a run sees what tiles would"
TILES_TOO_SMALL = (
    "Tiles are of no use for this run: of images of up to {side:,} pixels a side, a run sees all "
    "that tiles would."
)
TILES_AGAIN = "This run was refined in tiles already. Choose the run it came from."
TILES_DONE = "Run {run} refined in tiles."
TILES_ROUND = "{where}: {refined} of {tiles} tiles refined{left}."
TILES_AT_FULL = "Full resolution"
TILES_AT_PART = "1/{factor} of the resolution"
TILES_LEFT = "; left alone: {reasons}"
TILES_GOOD = "{count} as good as they get"
TILES_FLAT = "{count} without structure or data in both images"
TILES_LOST = "{count} too far off for tiles"
TILES_CONTRADICTED = "{count} that neighbours contradict"
TILES_NOTHING = "No tile was refined, so no run was added: the result of run {run} stays."
TILES_COMPARE = "Compare it with run {run} under Compare, With."

TOUR_BUTTON = "Tour"
TOUR_BUTTON_TIP = "What the parts of this panel are for, in five steps."
TOUR_PLACE = "{place} of {count}: {title}"
TOUR_SAMPLE = "Open a sample"
TOUR_NEXT, TOUR_BACK, TOUR_END, TOUR_DONE = "Next", "Back", "End tour", "Done"
TOUR = (
    (
        "Two images",
        "Choose the image that stays (fixed) and the one that is aligned to it (moving). "
        "Is nothing open yet? The sample is a section with two stains.",
    ),
    (
        "Register",
        "Press the button; it takes some seconds and cancels as well. Your own layers are never "
        "changed.",
    ),
    (
        "Look",
        "The moving image now lies over the fixed one. Hold the button “Hold: before” to see them "
        "as they lay, or choose another way to compare, such as a curtain.",
    ),
    (
        "Trust it?",
        "OK, doubtful or failed: the sentences below the button say why, and how far off the "
        "result probably is. Risk shows where, and Worst place takes you there.",
    ),
    (
        "Keep it",
        "Save writes the image, the transform and a report; Share makes a figure or a script. "
        "Layers > Transform > Apply registration carries other layers along. More in the "
        '<a style="color: #3b8de0" href="https://napari-mmreg.github.io/napari-mmreg">documentation</a>.',
    ),
)
"""Title and text of every stop."""
