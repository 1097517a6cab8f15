"""What the commands say, how they show progress, and how Ctrl-C reaches them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_mmreg.run import Progress


def say(text: str = "") -> None:
    """Write a line of the command's answer to standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def warn(text: str) -> None:
    """Write a line about the command itself to standard error."""
    sys.stderr.write(f"mmreg: {text}\n")
    sys.stderr.flush()


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Say a table whose columns are as wide as their longest cell; numbers align right."""
    columns = list(zip(header, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    right = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    for line in (header, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if at_right else cell.ljust(width)
            for cell, width, at_right in zip(line, widths, right, strict=True)
        ]
        say("  ".join(cells).rstrip())


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit()


@contextmanager
def progress_bar(*, quiet: bool = False, left: bool = False) -> Iterator[Progress]:
    """Show the stage and the fraction done on standard error, where that is a terminal.

    With `left` also about how long it will still take.
    """
    from tqdm import tqdm

    with tqdm(
        total=100,
        # None hides the bar where standard error is a file or a pipe.
        disable=True if quiet else None,
        leave=False,
        bar_format="{desc:<17} {percentage:3.0f} %|{bar}| {elapsed}"
        + (", {remaining} left" if left else ""),
    ) as bar:

        def show(stage: str, fraction: float) -> None:
            bar.set_description_str(stage, refresh=False)
            bar.update(100 * fraction - bar.n)

        yield show


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Make the first Ctrl-C a polite request to stop; a second one interrupts at once.

    Yields
    ------
    callable
        Returns True once Ctrl-C was pressed; hand it to the engine as ``cancel``.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set  # only the main thread may set signal handlers
        return
    former = signal.getsignal(signal.SIGINT)

    def note(*_: object) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, former)
