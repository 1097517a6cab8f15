"""Videos: frames read and written one at a time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from napari_mmreg.errors import InputError, MissingExtraError
from napari_mmreg.io import Video, write_video

pytest.importorskip("av", reason="needs the extra video")


def grey(n, shape=(48, 64)):
    """A frame whose brightness names it, with a brighter corner."""
    frame = np.full((*shape, 3), 5 * n, np.uint8)
    frame[:16, :16] = 255
    return frame


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    with write_video(path, 30000 / 1001) as write:
        for n in range(20):
            write(grey(n))
    return path


def number(frame):
    return round(float(frame[24:, 24:].mean()) / 5)


def test_frames_are_read_in_any_order(film):
    video = Video(film)
    assert (video.shape, video.dtype, len(video)) == ((20, 48, 64, 3), np.uint8, 20)
    assert video.fps == pytest.approx(29.97, abs=1e-3)
    order = [0, 1, 2, 7, 19, 3, 4, 11, -1]
    assert [number(video[n]) for n in order] == [n % 20 for n in order]
    assert video[3, :16, :16].mean() > 245
    with pytest.raises(IndexError):
        video[20]
    video.close()
    assert number(video[5]) == 5
    video.close()


def test_some_of_the_frames(film):
    video = Video(film, 5, 9)
    assert [number(video[n]) for n in range(len(video))] == [5, 6, 7, 8]
    video.close()
    with pytest.raises(InputError, match="20 frames, none of them from 30"):
        Video(film, 30)


def test_odd_sizes_and_grey_frames_are_written(tmp_path):
    with write_video(tmp_path / "odd.mp4", 10) as write:
        for n in range(3):
            write(grey(n, (33, 35))[..., 0])
    video = Video(tmp_path / "odd.mp4")
    assert video.shape == (3, 34, 36, 3)
    assert number(video[2]) == 2
    video.close()


def test_a_video_that_breaks_off_is_not_there(tmp_path):
    def broken():
        with write_video(tmp_path / "x.mp4", 10) as write:
            write(grey(1))
            raise InputError("stop")

    with pytest.raises(InputError, match="stop"):
        broken()
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_video_is_said(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no file"):
        Video(tmp_path / "missing.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError, match="cannot be read or written as a video"):
        Video(tmp_path / "text.mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"napari-mmreg\[video\]"):
        Video(tmp_path / "text.mp4")
