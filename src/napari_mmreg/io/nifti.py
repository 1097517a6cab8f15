"""Whether a NIfTI file is whole: ITK reads zeros where its data ends early."""

from __future__ import annotations

import gzip
import math
import struct
from typing import TYPE_CHECKING, BinaryIO

from napari_mmreg.errors import TransformError

if TYPE_CHECKING:
    from pathlib import Path

_LAYOUTS = {348: (40, "8h", 72, 108, "f"), 540: (16, "8q", 14, 168, "q")}
"""By the header's size (NIfTI-1 and 2): where the sizes, the bits of a value and the data's start
are, and how sizes and start are written."""

_BLOCK = 1 << 20


def check_whole(path: Path) -> None:
    """Raise `TransformError` if a NIfTI file holds less than its header says.

    What is no NIfTI is left to its reader; compressed data that is damaged ends in whatever
    `gzip` raises.
    """
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as stream:
        header = stream.read(540)
        claimed = _claimed(header)
        if claimed is None:
            return
        held = len(header) + _length(stream, claimed)
    if held < claimed:
        raise TransformError(
            f"{path} is cut short: it holds {held} of {claimed:.0f} bytes. Copy or write it again."
        )


def _claimed(header: bytes) -> float | None:
    for order in "<>":
        size = struct.unpack_from(f"{order}i", header)[0] if len(header) >= 348 else 0
        if size not in _LAYOUTS or len(header) < size:
            continue
        dims_at, dims_as, bits_at, start_at, start_as = _LAYOUTS[size]
        count, *dims = struct.unpack_from(order + dims_as, header, dims_at)
        bits = struct.unpack_from(f"{order}h", header, bits_at)[0]
        start = struct.unpack_from(order + start_as, header, start_at)[0]
        if not (0 < count <= 7 and math.isfinite(start)):
            return None
        return float(start + math.prod(dims[:count]) * bits / 8)
    return None


def _length(stream: BinaryIO | gzip.GzipFile, enough: float) -> int:
    """Return how many bytes are left, read to the end so that checksums are compared."""
    length = 0
    while block := stream.read(_BLOCK):
        length += len(block)
        if length > 2 * enough + _BLOCK:
            break
    return length
