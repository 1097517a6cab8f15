"""Writing a run into a folder, with its fused images."""

from __future__ import annotations

from napari_mmreg.errors import InputError, RegistrationError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.fused import save_fused
from napari_mmreg.gui.shared.run_record import RunRecord


def save_run(run: RunRecord, folder: str) -> str:
    """Write a run's result and fused images; return what was done, as a sentence.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        run.bundle.result.save(folder)
        written, left = save_fused(run.layers, folder)
    except (OSError, RegistrationError) as error:
        raise InputError(strings.NOT_SAVED.format(error=error)) from error
    sentence = strings.SAVED_FUSED if written else strings.SAVED
    if left:
        sentence += " " + strings.LEFT_FUSED
    return sentence.format(folder=folder, names=" and ".join(written), left=" and ".join(left))
