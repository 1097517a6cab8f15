"""What a registration of a set hands back: one member an image."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.geometry import Transform, fill_value
from napari_mmreg.io.images import write_image
from napari_mmreg.io.whole import whole_folder, write_json, write_text
from napari_mmreg.registration.report import plain
from napari_mmreg.registration.result import Status

SetWay = Literal["direct", "chain"]

REGISTERED, TRANSFORMS, TABLE, REPORT = "registered", "transforms", "members.csv", "set.json"

FILES = (REGISTERED, TRANSFORMS, TABLE, REPORT)
"""What a set is saved as."""

COLUMNS = ("image", "name", "status", "registered_to", "apart_px", "transform", "reasons")


@dataclass(frozen=True, slots=True, eq=False)
class SetMember:
    """What became of one image of a set.

    Attributes
    ----------
    index : int
        Which image, from 0.
    name : str
    status : {"ok", "doubtful", "failed"}
        How far to trust its transform; of a chain, the worst of its links.
    reasons : tuple of str
        Sentences that say why.
    transform : Transform
        Pixels of the reference to pixels of this image.
    neighbour : int or None
        The image that it was registered to; None for the reference.
    metrics : dict of str to float
        As `RegistrationResult.metrics`, of the link to the neighbour.
    apart_px : float or None
        How far the direct way and the chain lie apart: RMS over a grid of places, in pixels of the
        reference. None where nothing was compared.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers.
    """

    index: int
    name: str
    status: Status
    reasons: tuple[str, ...]
    transform: Transform
    neighbour: int | None
    metrics: dict[str, float] = field(default_factory=dict)
    apart_px: float | None = None


@dataclass(frozen=True, eq=False)
class SetResult:
    """Several images on the grid of one of them.

    Attributes
    ----------
    members : tuple of SetMember
        In the order of the images.
    reference : int
    way : {"direct", "chain"}
    shape : (int, int)
        Rows and columns of the reference.
    images : sequence of array_like
        As given, not copied.
    order : {0, 1, 3} or None
        How images are interpolated; None for what suits them.
    provenance : dict
        Versions, model, weights, parameters; serialisable as JSON.
    """

    members: tuple[SetMember, ...]
    reference: int
    way: SetWay
    shape: tuple[int, int]
    images: Sequence[Any]
    order: int | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[SetMember]:
        return iter(self.members)

    @property
    def status(self) -> Status:
        """``"failed"`` if no image could be registered, ``"doubtful"`` if not all hold."""
        others = {m.status for m in self.members if m.index != self.reference}
        if others == {"failed"}:
            return "failed"
        return "ok" if others == {"ok"} else "doubtful"

    def registered(self, index: int) -> NDArray[Any]:
        """Return an image on the grid of the reference: (H, W) or (H, W, C), in its own dtype.

        Outside of the image it is NaN in floating point, else 0.
        """
        image = np.asarray(self.images[index])
        return self.members[index].transform.resample(
            image, self.shape, self.order, fill_value(image.dtype)
        )

    def report(self) -> dict[str, Any]:
        """Return all numbers, ready for JSON."""
        report: dict[str, Any] = plain(
            {
                "format": "napari-mmreg set",
                "format_version": 1,
                "convention": "reference to member, (row, col) in pixels, centres at integers",
                "status": self.status,
                "way": self.way,
                "reference": self.reference,
                "shape": self.shape,
                "members": [
                    {
                        "index": member.index,
                        "name": member.name,
                        "status": member.status,
                        "reasons": member.reasons,
                        "registered_to": member.neighbour,
                        "apart_px": member.apart_px,
                        "metrics": member.metrics,
                        "transform": f"{TRANSFORMS}/{self._file(member)}.npz",
                    }
                    for member in self.members
                ],
                "provenance": self.provenance,
            }
        )
        return report

    def save(self, folder: str | Path, *, replace: bool = True) -> Path:
        """Write the result to a folder, which appears when all is written, or not at all.

        ``registered`` holds the images on the reference's grid (those that failed are left out),
        ``transforms`` their transforms, ``members.csv`` the table, ``set.json`` the report.

        Raises
        ------
        InputError
            If the folder cannot be written to, or `replace` is False and it holds a result.
        """
        with whole_folder(folder, FILES, replace=replace) as partial:
            (partial / REGISTERED).mkdir()
            (partial / TRANSFORMS).mkdir()
            for member in self.members:
                name = self._file(member)
                told = member.transform.with_provenance(self.provenance)
                told.save(partial / TRANSFORMS / f"{name}.npz")
                if member.status != "failed":
                    image = self.registered(member.index)
                    write_image(partial / REGISTERED / f"{name}.tif", image)
            write_text(partial / TABLE, self._table())
            write_json(partial / REPORT, self.report())
        return Path(folder)

    def _file(self, member: SetMember) -> str:
        digits = max(2, len(str(len(self.members))))
        safe = re.sub(r"[^\w.-]+", "_", member.name)[:80]
        number = f"{member.index:0{digits}d}"
        return number if safe == str(member.index) else f"{number}_{safe}"

    def _table(self) -> str:
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for member in self.members:
            apart = math.nan if member.apart_px is None else member.apart_px
            writer.writerow(
                [
                    *(member.index, member.name, member.status),
                    "" if member.neighbour is None else member.neighbour,
                    f"{apart:.4f}" if math.isfinite(apart) else "",
                    f"{TRANSFORMS}/{self._file(member)}.npz",
                    " ".join(member.reasons),
                ]
            )
        return text.getvalue()
