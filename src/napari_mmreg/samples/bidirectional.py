"""A simulated bidirectional scan, from an image inside scikit-image's wheel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, Transform
from napari_mmreg.geometry.scanlines import direction_grid
from napari_mmreg.samples.misalignment import crop, misalign

NAME = "vessels_bidirectional_simulated"
TITLE = "Vessels, SIMULATED bidirectional scan"

SIDE, MARGIN = 384, 32
"""Rows and columns of the image, and what the canvas holds beyond it."""

LAG, BOW, DRIFT = 7.0, 3.0, 1.5
"""Pixels by which backward lines lag behind, bow in their middle, and drift over the image."""


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """An interlaced image and what it should be.

    Attributes
    ----------
    image : ndarray of float32, shape (H, W)
        Even rows scanned forward, odd ones backward; in [0, 1].
    aligned : ndarray of float32, shape (H, W)
        What both directions would show without lag and domain shift.
    truth : Transform
        Fixed to moving: pixels of the forward rows to those of the backward rows, each as an
        image of its own, see `napari_mmreg.imaging.interlaced`.
    notes : str
    """

    image: NDArray[np.float32]
    aligned: NDArray[np.float32]
    truth: Transform
    notes: str


def bidirectional_scan(seed: int = 5) -> Scan:
    """Simulate an optical-resolution photoacoustic scan whose directions differ.

    Vessels are those of a retinal photograph. Backward lines lag (constant, bowed along the
    line, drifting from line to line), are blurred and shown with another gain, offset and
    gamma; both directions have noise of their own.

    Parameters
    ----------
    seed : int
        Of the noise.
    """
    canvas = _vessels()
    truth = _lag()
    margin = (MARGIN, MARGIN)
    random = np.random.default_rng(seed)
    forward = crop(canvas, margin)
    backward = ndimage.gaussian_filter(misalign(canvas, margin, truth), (0.0, 0.8))
    backward = 0.08 + 0.7 * np.clip(backward, 0, 1) ** 1.4
    image = forward.copy()
    image[1::2] = backward[1::2]
    image += 0.02 * random.standard_normal(image.shape, np.float32)
    rows = truth.compose(direction_grid(0))
    return Scan(
        image=np.clip(image, 0, 1),
        aligned=forward,
        truth=direction_grid(1).inverse().compose(rows),
        notes=(
            "SIMULATED, no measurement: vessels of a retinal photograph (M. Häggström, CC0, from "
            "scikit-image), scanned to and fro; backward lines lag by "
            f"{LAG - DRIFT:g} to {LAG + BOW + DRIFT:g} pixels and have other tones."
        ),
    )


def _vessels() -> NDArray[np.float32]:
    """Return the amplitude that absorbing vessels give, in [0, 1], on the canvas."""
    from skimage import data
    from skimage.transform import downscale_local_mean

    green = downscale_local_mean(data.retina()[..., 1].astype(np.float32), (2, 2))
    first = (np.array(green.shape) - SIDE - 2 * MARGIN) // 2
    side = SIDE + 2 * MARGIN
    green = green[first[0] : first[0] + side, first[1] : first[1] + side]
    dark = ndimage.gaussian_filter(green, 14) - ndimage.gaussian_filter(green, 0.6)
    low, high = np.percentile(dark, (40, 99.5))
    amplitude: NDArray[np.float32] = np.clip((dark - low) / (high - low), 0, 1).astype(np.float32)
    return amplitude


def _lag() -> DisplacementTransform:
    """Return where a pixel of a forward line is found in a backward one, in image pixels."""
    # The canvas has a lag, too: lines begin before the frame does.
    whole = SIDE + 2 * MARGIN
    place = np.linspace(-whole / SIDE, whole / SIDE, whole)
    rows, cols = np.meshgrid(place, place, indexing="ij")
    field = np.zeros((whole, whole, 2), np.float32)
    field[..., 1] = LAG + BOW * (1 - cols**2) + DRIFT * np.sin(3 * rows)
    return DisplacementTransform(field, MatrixTransform.translation((-MARGIN, -MARGIN)))
