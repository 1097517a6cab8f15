"""What ``mmreg register`` leaves in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mmreg.registration import RegistrationResult

OUTPUTS = ("registered.tif", "transform.npz", "misregistration.tif", "errors.npz", "report.json")
"""What a result is saved as; the report comes last."""

FUSED = "fused.tif"

TRANSFORM_FORMATS = ("npz", "tfm", "h5")

EVERY_OUTPUT = (*OUTPUTS, FUSED, *(f"transform.{name}" for name in TRANSFORM_FORMATS[1:]))
"""All that a result's folder can hold; an earlier result is replaced as a whole."""


def write_report(result: RegistrationResult, folder: Path, *, replace: bool) -> None:
    """Write the report alone, in the place of an earlier result."""
    from napari_mmreg.io import whole_folder, write_json

    with whole_folder(folder, EVERY_OUTPUT, replace=replace) as partial:
        write_json(partial / "report.json", result.report())
