"""What becomes of one plane of a series, and what is kept of a series that was cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from napari_mmreg.errors import Cancelled
from napari_mmreg.geometry import Transform
from napari_mmreg.registration.result import Status

Source = Literal["registered", "carried", "interpolated", "start"]


class SeriesCancelled(Cancelled):
    """The user cancelled a series; what was finished is kept.

    Attributes
    ----------
    finished : tuple of PlaneResult
        The planes that were done; `register_series` goes on with them if they are handed back.
    """

    def __init__(self, finished: Sequence[PlaneResult], total: int) -> None:
        super().__init__(
            f"The run was cancelled; {len(finished)} of {total} planes are done and kept."
        )
        self.finished = tuple(finished)


@dataclass(frozen=True, slots=True, eq=False)
class PlaneResult:
    """What became of one plane.

    Attributes
    ----------
    index : int
        Which plane, from 0.
    status : {"ok", "doubtful", "failed"}
        How far to trust its transform.
    source : {"registered", "carried", "interpolated", "start"}
        Where the transform comes from: found on this plane, found on others of a fixed rig, filled
        in between neighbours, or where the run started, because nothing was found.
    reasons : tuple of str
        Sentences that say why.
    transform : Transform
        Fixed to moving pixels.
    metrics : dict of str to float
        As `RegistrationResult.metrics`, of a plane that was registered itself, and
        ``"misregistration"``, the mean of its map; of a fixed rig they describe the plane's own
        result. ``"smoothed_px"`` is how far smoothing moved the plane, and ``"surprise_px"`` how
        far its own result lay from what its neighbours say, or the one transform of a fixed rig,
        in fixed pixels.
    answer_of : str
        The model whose answer it is; empty where it is none's.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull).
    """

    index: int
    status: Status
    source: Source
    reasons: tuple[str, ...]
    transform: Transform
    metrics: dict[str, float] = field(default_factory=dict)
    answer_of: str = ""
