"""Small series with a known motion."""

from __future__ import annotations

import numpy as np

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.samples import load_sample
from results import make_result, off

SHAPE = (96, 112)


def scene(shape=SHAPE):
    """A grey cut of a sample, float32 in [0, 1], at half its resolution."""
    image = load_sample("visible_thermal_simulated").fixed.astype(np.float32)
    image = image.mean(axis=-1) if image.ndim == 3 else image
    rows, cols = (n // 2 * 2 for n in image.shape)
    image = image[:rows, :cols].reshape(rows // 2, 2, cols // 2, 2).mean(axis=(1, 3))
    top, left = ((n - m) // 2 for n, m in zip(image.shape, shape, strict=True))
    cut = image[top : top + shape[0], left : left + shape[1]]
    return (cut - cut.min()) / np.ptp(cut)


def drifting(drift, shape=SHAPE):
    """A fixed image, the inverted stack that drifts from it, and the truth, fixed to moving."""
    margin = 16
    large = scene((shape[0] + 2 * margin, shape[1] + 2 * margin))
    truths = [MatrixTransform.translation(step) for step in drift]
    planes = []
    for truth in truths:
        pull = MatrixTransform.translation((margin, margin)).compose(truth.inverse())
        planes.append(1 - pull.resample(large, shape, order=1))
    fixed = large[margin:-margin, margin:-margin]
    return fixed, np.stack(planes).astype(np.float32), truths


def error(transform, truth, shape=SHAPE):
    """Mean registration error over the frame, in moving pixels."""
    away = transform.displacement(shape) - truth.displacement(shape)
    return float(np.linalg.norm(away, axis=-1).mean())


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
            grid_errors=off(np.full(fixed.shape[:2], risk)),
        )
