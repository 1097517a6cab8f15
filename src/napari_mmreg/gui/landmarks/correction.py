"""A run that corrects: the landmarks' transform as a result with layers like any other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from napari_mmreg.gui.shared.job import Register, RegistrationJob
from napari_mmreg.gui.shared.loading import load_torch
from napari_mmreg.landmarks import FitSettings, LandmarkPair, Measurement

if TYPE_CHECKING:
    from napari_mmreg.geometry import Transform
    from napari_mmreg.gui.shared.run_record import RunRecord
    from napari_mmreg.gui.shared.snapshot import Snapshot

ALONE = "landmarks"


class CorrectionJob(RegistrationJob):
    """Examines a transform and builds its layers, in a worker thread.

    Parameters
    ----------
    snapshot : Snapshot
    transform : Transform
        Fixed to moving.
    history : dict
        Where it comes from; see `history_of`.
    """

    def __init__(self, snapshot: Snapshot, transform: Transform, history: dict[str, Any]) -> None:
        super().__init__(snapshot)
        self._transform = transform
        self._history = history

    def engine(self) -> Register:
        """Return what makes the result instead of a model."""
        load_torch()
        from napari_mmreg.registration import assess

        def correct(fixed: Any, moving: Any, **options: Any) -> Any:
            del options["model"], options["budget"], options["refine"]
            name = str(self._history["name"])
            return assess(
                fixed, moving, self._transform, model=name, history=self._history, **options
            )

        return correct


def is_correction(run: RunRecord) -> bool:
    """Whether a run was made here."""
    return str(run.bundle.result.model).endswith(ALONE)


def history_of(
    base: RunRecord | None,
    pairs: Sequence[LandmarkPair],
    settings: FitSettings,
    measurement: Measurement,
) -> dict[str, Any]:
    """Return the history of a corrected transform: its parents, ready for JSON.

    The result that was corrected with its own provenance, the landmarks that were used, how,
    and their errors.
    """
    parent = None
    if base is not None:
        result = base.bundle.result
        parent = {"run": base.number, "model": result.model, "provenance": dict(result.provenance)}
    how: dict[str, Any]
    if base is None:
        how = {"kind": settings.kind, "smoothing": settings.spline_smoothing}
    else:
        how = {
            "strength": settings.strength,
            "reach_px": settings.reach,
            "smoothing": "automatic" if settings.smoothing is None else settings.smoothing,
        }
    errors = {
        name: None if column is None else column.errors.tolist()
        for name, column in (
            ("before", measurement.before),
            ("after", measurement.after),
            ("left_out", measurement.left_out),
        )
    }
    return {
        "name": ALONE if parent is None else f"{parent['model']} + {ALONE}",
        "parent": parent,
        "landmarks": {
            "convention": "(row, col) in pixels of each image",
            "settings": how,
            "errors": errors,
            "error_unit": None if measurement.before is None else measurement.before.unit,
            "pairs": [
                {
                    "name": pair.name,
                    "fixed": pair.fixed,
                    "moving": pair.moving,
                    "source": pair.source,
                }
                for pair in pairs
                if pair.used
            ],
        },
    }
