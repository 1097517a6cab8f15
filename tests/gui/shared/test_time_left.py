"""What is said of the time that a job will still take."""

from __future__ import annotations

import pytest

from napari_mmreg.gui.shared.time_left import TimeLeft, in_words


def test_it_is_said_only_when_it_can_be_known():
    now = [100.0]
    left = TimeLeft(lambda: now[0])
    assert left.say(0.5) == ""  # nothing has been seen yet
    now[0] += 60
    assert left.say(0.01) == ""
    assert left.say(0.25) == "about 3 min left"
    assert left.say(1.0) == ""
    left.restart()
    assert left.say(0.25) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "5 s"),
        (33, "35 s"),
        (58, "1 min"),
        (200, "3 min"),
        (3600, "1 h 0 min"),
        (5000, "1 h 23 min"),
    ],
)
def test_words(seconds, words):
    assert in_words(seconds) == words
