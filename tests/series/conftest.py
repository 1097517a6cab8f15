"""A stand-in for the engine that knows the truth of each plane."""

from __future__ import annotations

import numpy as np
import pytest

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.series import engine
from results import make_result


class Oracle:
    """Answers with the shift that a moving plane's first pixel names; keeps what it was asked.

    A plane is made by `plane(number)`; `answers` says what is found on it: (row, col, status).
    """

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.starts = []

    def plane(self, number, shape=(40, 48), channels=()):
        image = np.random.default_rng(number).random((*shape, *channels)).astype(np.float32)
        image[0, 0] = number
        return image

    def stack(self, answers, **options):
        """Return as many planes as there are answers; None stands for a plane without structure."""
        self.answers = dict(enumerate(answers))
        return np.stack([self.plane(n, **options) for n in range(len(answers))])

    def __call__(self, _model, images, options, run, *, refine):
        fixed, moving = images
        run.check()
        number = round(float(moving[0, 0].ravel()[0]))
        self.asked.append(number)
        self.starts.append(options.initial)
        row, col, status = self.answers[number]
        found = MatrixTransform.translation((row, col))
        if status == "failed":
            found = MatrixTransform.identity()
        risk = {"ok": 0.05, "doubtful": 0.4, "failed": 0.9}[status]
        return make_result(
            fixed,
            moving,
            found,
            status=status,
            reasons=(f"said of {number}",),
            grid_misregistration=np.full(fixed.shape[:2], risk, np.float32),
        )


@pytest.fixture
def oracle(monkeypatch):
    """The stand-in, in the engine's place."""
    stand_in = Oracle()
    monkeypatch.setattr(engine, "register_pair", stand_in)
    return stand_in
