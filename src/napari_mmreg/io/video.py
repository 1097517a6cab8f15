"""Videos as stacks of frames that are read one at a time, and written one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_mmreg.errors import InputError, MissingExtraError, RegistrationError
from napari_mmreg.io.whole import whole_file

VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm"})

CODEC = "libx264"

_COLOURS = 3


class WriteFrame(Protocol):
    """Takes the next frame of a video."""

    def __call__(self, frame: NDArray[np.uint8]) -> None:
        """Write a frame: uint8, (H, W) or (H, W, 3)."""


class Video:
    """The frames of a video, as a stack that is read a frame at a time.

    Frames are decoded forwards, the only way that always finds the right one: those that are asked
    for in order cost nothing extra, going back starts from the first one.

    Parameters
    ----------
    path : str or Path
        Anything that FFmpeg reads.
    start, stop : int, optional
        Only these frames, as a slice does.

    Attributes
    ----------
    shape : tuple of int
        (n, H, W, 3).
    dtype : dtype
        uint8.
    fps : float
        Frames per second; 25 where the file does not say it.

    Raises
    ------
    MissingExtraError
        If videos cannot be read here.
    InputError
        If the file is missing, damaged, or has no such frames.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, path: str | Path, start: int | None = None, stop: int | None = None) -> None:
        self._path = Path(path)
        if not self._path.is_file():
            raise InputError(f"There is no file {self._path}; check the path.")
        self._frames: Iterator[Any] | None = None
        self._file: Any = None
        self._next = 0
        with _explained(self._path):
            opened = self._open()
            about = opened.properties(index=...)
            self.fps = float(opened.metadata().get("fps") or 25.0)
            total = int(about.n_images or 0) or self._count()
        rows, cols = (int(n) for n in about.shape[1:3])
        chosen = range(total)[slice(start, stop)]
        if not chosen:
            raise InputError(
                f"{self._path} has {total} frames, none of them from {start} to {stop}."
            )
        self._first = chosen.start
        self.shape = (len(chosen), rows, cols, _COLOURS)

    @property
    def ndim(self) -> int:
        """Four: frames, rows, columns, colours."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        number, *rest = index if isinstance(index, tuple) else (index,)
        place = int(number) + (len(self) if number < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f"There is no frame {number} among {len(self)}.")
        frame = self._read(self._first + place)
        return np.asarray(frame[tuple(rest)])

    def close(self) -> None:
        """Let go of the file; it is opened again where it is needed."""
        opened, self._file, self._frames = self._file, None, None
        if opened is not None:
            opened.close()

    def _read(self, place: int) -> NDArray[np.uint8]:
        with _explained(self._path):
            if self._frames is None or place < self._next:
                self.close()
                self._frames = self._open().iter(thread_type="FRAME")
            assert self._frames is not None  # noqa: S101  # just opened
            frame = next(islice(self._frames, place - self._next, None), None)
        if frame is None:
            self.close()
            raise InputError(
                f"{self._path} ends before frame {place}, though it says that it is longer. "
                "Convert it, or choose the frames that it has."
            )
        self._next = place + 1
        return np.asarray(frame, dtype=np.uint8)

    def _open(self) -> Any:
        import av  # noqa: F401  # imageio does not say what is missing
        import imageio.v3 as iio

        self._file = iio.imopen(self._path, "r", plugin="pyav")
        self._next = 0
        return self._file

    def _count(self) -> int:
        """Return the number of frames of a file that does not say it, by decoding all of them."""
        number = sum(1 for _ in self._file.iter(thread_type="FRAME"))
        self.close()
        return number


@contextmanager
def write_video(path: str | Path, fps: float) -> Iterator[WriteFrame]:
    """Write an H.264 video frame by frame; the file appears when all of it is written.

    Parameters
    ----------
    path : str or Path
        ``.mp4``, or another container that holds H.264.
    fps : float
        Frames per second.

    Yields
    ------
    callable
        Takes one frame after the other, of one size. Odd sizes get another row or column, which
        repeats the last one: the codec needs even ones.

    Raises
    ------
    MissingExtraError
        If videos cannot be written here.
    InputError
        If the file cannot be written.
    """
    with whole_file(path) as partial, _explained(Path(path)):
        import av  # noqa: F401
        import imageio.v3 as iio

        with iio.imopen(partial, "w", plugin="pyav") as stream:
            stream.init_video_stream(CODEC, fps=float(fps))

            def write(frame: NDArray[np.uint8]) -> None:
                colour = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=-1)
                odd = [(0, n % 2) for n in colour.shape[:2]]
                stream.write_frame(np.pad(colour[..., :3], [*odd, (0, 0)], mode="edge"))

            yield write


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the decoder raises into sentences."""
    try:
        yield
    except RegistrationError:
        raise
    except ImportError as error:
        raise MissingExtraError(
            "Videos need PyAV: pip install 'napari-mmreg[video]'. Or save the frames as a TIFF "
            "stack or as images in a folder."
        ) from error
    except (OSError, ValueError, RuntimeError, IndexError, LookupError) as error:
        raise InputError(
            f"{path} cannot be read or written as a video ({error}). Convert it to MP4, or save "
            "its frames as a TIFF stack."
        ) from error
