"""A pair on disk, and an engine that answers at once with the status asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_mmreg.geometry import MatrixTransform
from napari_mmreg.io.images import write_image
from results import make_result, off

SHIFT = (4.0, -6.0)


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Files fixed.tif and moving.tif; the moving picture is shifted by `SHIFT`."""
    monkeypatch.chdir(tmp_path)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((96, 112)), 2)
    picture = ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)
    write_image("fixed.tif", picture)
    write_image("moving.tif", np.roll(picture, (4, -6), axis=(0, 1)))
    return tmp_path


@pytest.fixture
def engine(monkeypatch):
    """Stand in for `register`: remembers its calls and answers with the true shift.

    Set ``engine.status`` to choose the answer's status, ``engine.during`` to run code in it.
    """

    class Engine:
        status = "ok"
        reasons: tuple[str, ...] = ()
        transform = MatrixTransform.translation(SHIFT)
        during = None
        matches: float | None = None

        def __init__(self):
            self.calls = []

        def __call__(self, fixed, moving, **options):
            self.calls.append({"fixed": fixed, "moving": moving, **options})
            options["progress"]("Global alignment", 0.5)
            if self.during is not None:
                self.during(options)
            shape = fixed.shape[:2]
            certain = np.zeros(shape, np.float32)
            extra = {} if self.matches is None else {"matches": self.matches}
            return make_result(
                fixed,
                moving,
                self.transform,
                status=self.status,
                reasons=self.reasons,
                metrics={
                    "similarity_before": 0.25,
                    "similarity_after": 0.5,
                    "folding_percent": 0.0,
                    "overlap_percent": 91.5,
                    "displacement_median_px": 7.21,
                    "displacement_max_px": 7.21,
                    **extra,
                },
                grid_errors=off(certain),
                grid_errors_before=off(certain),
                timings={"Global alignment": 0.25},
                provenance={"device": "cpu"},
            )

    double = Engine()
    monkeypatch.setattr("napari_mmreg.registration.register", double)
    return double
