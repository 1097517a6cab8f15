"""The two stacks of a command: read, with the axis the planes run along, and what is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.cli.console import warn
from napari_mmreg.cli.images import COLOURS, Side
from napari_mmreg.errors import InputError

if TYPE_CHECKING:
    import argparse

    from napari_mmreg.io import Picture


@dataclass(frozen=True, eq=False)
class SideStack:
    """One of the two stacks, or a single image.

    Attributes
    ----------
    data : array_like of shape (..., H, W) or (..., H, W, C)
    axes : str
        One letter per leading axis.
    axis : int
        The one that the planes run along; 0 for a single image.
    at : tuple of int
        Index along each leading axis of what is looked at.
    rgb : bool
        Whether the last axis holds channels.
    picture : Picture
        The first image, and what the file says about all of them.
    fps : float or None
        Frames per second of a video.
    """

    data: Any
    axes: str
    axis: int
    at: tuple[int, ...]
    rgb: bool
    picture: Picture
    fps: float | None = None


def add_plane_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare along which axis the planes run, and what of the others is looked at."""
    parser.add_argument(
        "--axis",
        metavar="AXIS",
        help="what the planes run along: T, Z, C or another letter of the TIFF's axes, or their "
        "number from 0 (default: T, else Z, else the only one)",
    )
    parser.add_argument(
        "--frames",
        type=_frames,
        metavar="FROM:TO",
        help="of videos, these frames only, from 0, the last one exclusive",
    )
    for side in ("fixed", "moving"):
        parser.add_argument(
            f"--{side}-channel", type=int, metavar="N", help=f"register on one channel of {side}"
        )
        parser.add_argument(
            f"--{side}-at",
            type=_places,
            default={},
            metavar="AXIS=N,…",
            help=f"where along its other axes {side} is looked at, such as Z=4 (default: the "
            "middle, of channels the first); all of it is carried",
        )


def read_side_stack(arguments: argparse.Namespace, side: Side, path: Path) -> SideStack:
    """Read one of the two, and say what was chosen.

    Raises
    ------
    InputError
        If it cannot be read, or has no such axis.
    """
    from napari_mmreg.io import VIDEO_SUFFIXES, FolderStack, Picture, Video, read_stack

    if path.suffix.lower() in VIDEO_SUFFIXES:
        start, stop = arguments.frames or (None, None)
        video = Video(path, start, stop)
        return SideStack(video, "T", 0, (0,), True, Picture(video[0]), video.fps)
    channel = getattr(arguments, f"{side}_channel")
    if path.is_dir():
        folder = FolderStack(path, channel)
        data: Any = folder
        axes, picture = "T", folder.picture
        rgb = folder.ndim == 4
    else:
        stack = read_stack(path)
        data = stack.pages.reshape(*stack.shape, *stack.pages.shape[1:])
        axes, picture, rgb = stack.axes, stack.picture, stack.pages.ndim == 4
        if len(stack.pages) == 1:  # one image, whatever axes its file names
            data, axes = stack.pages[0], ""
        if rgb and channel is not None:
            data, rgb = data[..., _checked(channel, data.shape[-1], path)], False
    for note in picture.notes:
        warn(note)
    if rgb and data.shape[-1] > COLOURS:
        raise InputError(
            f"{path} has {data.shape[-1]} channels, which is neither grey nor colour. Choose one "
            f"with --{side}-channel N, 0 to {data.shape[-1] - 1}."
        )
    axis = _axis(arguments.axis, axes, path) if axes else 0
    lengths = data.shape[: len(axes)]
    wanted = dict(getattr(arguments, f"{side}_at"))
    if channel is not None and "C" in axes and axes.index("C") != axis:
        wanted.setdefault("C", channel)
    at = _at(wanted, axes, lengths, axis, path)
    others = [f"{axes[n]}={at[n]}" for n in range(len(axes)) if n != axis]
    if others and not wanted:
        warn(f"{path.name} is looked at where {', '.join(others)}; --{side}-at chooses")
    return SideStack(data, axes, axis, at, rgb, picture)


def _axis(asked: str | None, axes: str, path: Path) -> int:
    if asked is None:
        known = [axes.index(letter) for letter in "TZ" if letter in axes]
        return known[0] if known else 0
    if asked.isdigit() and int(asked) < len(axes):
        return int(asked)
    if len(asked) == 1 and asked.upper() in axes:
        return axes.index(asked.upper())
    if set(axes) == {"Q"} and len(axes) == 1:
        return 0  # the file does not say what its only axis is
    raise InputError(
        f"{path} has no axis {asked}: before rows and columns it has "
        f"{', '.join(f'{n} ({letter})' for n, letter in enumerate(axes))}."
    )


def _at(
    wanted: dict[str, int], axes: str, lengths: tuple[int, ...], axis: int, path: Path
) -> tuple[int, ...]:
    at = [0 if letter == "C" else n // 2 for letter, n in zip(axes, lengths, strict=True)]
    at[axis : axis + 1] = [0] if axes else []
    for name, number in wanted.items():
        place = int(name) if name.isdigit() else axes.find(name)
        if not 0 <= place < len(axes) or place == axis:
            raise InputError(f"{path} has no other axis {name}; its axes are {axes or 'none'}.")
        at[place] = _checked(number, lengths[place], path)
    return tuple(at)


def _checked(number: int, length: int, path: Path) -> int:
    if not 0 <= number < length:
        raise InputError(f"{path} has no {number} there; the numbers are 0 to {length - 1}.")
    return number


def _frames(text: str) -> tuple[int | None, int | None]:
    import argparse

    start, colon, stop = text.partition(":")
    if not colon or any(part and not part.isdigit() for part in (start, stop)):
        raise argparse.ArgumentTypeError(f"{text!r} is not as FROM:TO, such as 100:400")
    return int(start) if start else None, int(stop) if stop else None


def _places(text: str) -> dict[str, int]:
    import argparse

    places = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if not name or not number.strip().isdigit():
            raise argparse.ArgumentTypeError(f"{part!r} is not as AXIS=N, such as Z=4")
        places[name.strip().upper()] = int(number)
    return places
