"""What an image shows: the list that the dock offers, and a guess from a layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

METADATA_KEY = "napari_mmreg"
"""Where a layer's metadata keeps what this plugin knows about it."""

UNKNOWN = "other"

MODALITIES: dict[str, str] = {
    "visible": "Visible light",
    "infrared": "Infrared",
    "nir": "Near infrared",
    "thermal": "Thermal",
    "sar": "SAR (radar)",
    "depth": "Depth",
    "map": "Map",
    "he": "H&E",
    "ihc": "IHC / DAB",
    "shg": "Second harm. (SHG)",
    "fluorescence": "Fluorescence",
    "em": "Electron microscopy",
    "mri": "MRI",
    "ct": "CT",
    "pet": "PET / SPECT",
    "photoacoustic": "Photoacoustic",
    "retina": "Retina",
    UNKNOWN: "Other / unknown",
}
"""Name used in the API to the name people read."""

# Words in a layer's name, the more specific modality first.
_WORDS: tuple[tuple[str, str], ...] = (
    ("nir", r"nir|near[ _-]?infra ?red"),
    ("thermal", r"thermal|lwir|mwir|flir"),
    ("infrared", r"ir|swir|infra ?red"),
    ("photoacoustic", r"photo ?acoustic|opto ?acoustic|pa|pai|msot"),
    ("sar", r"sar|radar|sentinel[ _-]?1|s1"),
    ("depth", r"depth|disparity|lidar|dem|dsm"),
    ("he", r"h ?& ?e|h ?e|hematoxylin and eosin|haematoxylin and eosin"),
    ("ihc", r"ihc|dab|ha?ematoxylin|immuno\w*"),
    ("shg", r"shg|second harmonic"),
    ("fluorescence", r"fluo\w*|dapi|gfp|rfp|mcherry|fitc|cy[357]|alexa\w*|hoechst|fm"),
    ("em", r"em|sem|tem|fib ?sem|electron"),
    ("retina", r"retina\w*|fundus|faf|octa?|angiograph\w*"),
    ("mri", r"mri?|t1w?|t2w?|flair"),
    ("pet", r"pet|spect|fdg"),
    ("ct", r"ct|cbct"),
    ("map", r"map|osm"),
    ("visible", r"vis|visible|rgb|colou?r|optical|photo\w*|brightfield"),
)
_PATTERNS = tuple(
    (key, re.compile(rf"(?<![a-z0-9])(?:{words})(?![a-z])", re.IGNORECASE)) for key, words in _WORDS
)


def guess_modality(
    name: str, *, rgb: bool = False, metadata: Mapping[str, Any] | None = None
) -> str:
    """Guess what an image shows.

    Parameters
    ----------
    name : str
        The layer's name.
    rgb : bool
        Whether it is a colour image.
    metadata : mapping, optional
        The layer's metadata; what was chosen before, or what a sample says, wins.

    Returns
    -------
    str
        A key of `MODALITIES`.
    """
    known = dict((metadata or {}).get(METADATA_KEY) or {})
    told = known.get("modality")
    if isinstance(told, str) and told:
        return told if told in MODALITIES else _from_words(told) or UNKNOWN
    return _from_words(name) or ("visible" if rgb else UNKNOWN)


def _from_words(text: str) -> str | None:
    # Underscores count as letters for \b and would hide "vis_01"; they are spaces here.
    plain = text.replace("_", " ")
    for key, pattern in _PATTERNS:
        if pattern.search(plain):
            return key
    return None


def engine_modality(key: str) -> str | None:
    """Return what the engine is told: None where nothing is known."""
    return None if key == UNKNOWN else key
