"""The samples built from images inside scikit-image's wheel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_mmreg.samples.misalignment import Misalignment, crop, misalign
from napari_mmreg.samples.sample import Sample, SampleInfo, spread_landmarks


def aligned_to_sample(
    info: SampleInfo,
    fixed: NDArray[Any],
    moving: NDArray[Any],
    margin: tuple[int, int],
    misalignment: Misalignment,
    *,
    order: int = 3,
) -> Sample:
    """Misalign two aligned canvases of the same size."""
    frame = crop(fixed, margin)
    height, width = frame.shape[:2]
    # The truth has an inverse on the whole moving frame, also where the canvas ends before.
    truth = misalignment.transform((height, width), (height // 4, width // 4))
    warped = misalign(moving, margin, truth, order=order)
    fixed_points, moving_points = spread_landmarks(truth, frame, warped)
    return Sample(
        name=info.name,
        title=info.title,
        fixed_name=info.fixed_name,
        moving_name=info.moving_name,
        fixed_modality=info.fixed_modality,
        moving_modality=info.moving_modality,
        notes=info.notes,
        fixed=frame,
        moving=warped,
        truth=truth,
        fixed_points=fixed_points,
        moving_points=moving_points,
    )


def picture(name: str) -> Any:
    """Return what `skimage.data` offers under a name; only images inside its wheel."""
    from skimage import data

    return getattr(data, name)()


def ihc_two_stain(info: SampleInfo) -> Sample:
    """Build two stains of one section: colon, haematoxylin against DAB.

    The colour image is split by colour deconvolution (Ruifrok and Johnston 2001,
    `skimage.color.rgb2hed`) into the nuclear counterstain and the FHL2 antibody's brown.
    """
    from skimage import color

    stains = color.rgb2hed(picture("immunohistochemistry"))
    return aligned_to_sample(
        info,
        to_uint8(stains[..., 0]),
        to_uint8(stains[..., 2]),
        (64, 64),
        Misalignment(
            rotation_degrees=5.0,
            scale=1.03,
            translation=(13.0, -17.0),
            elastic=4.0,
            wavelength=110.0,
            seed=3,
        ),
    )


def motorcycle_rgb_depth(info: SampleInfo) -> Sample:
    """Build a colour photograph against its disparity map, from the Middlebury 2014 benchmark.

    The disparity belongs to the left image; where the benchmark has none it is NaN.
    """
    left, _, disparity = picture("stereo_motorcycle")
    return aligned_to_sample(
        info,
        left,
        np.where(np.isfinite(disparity), disparity, np.nan).astype(np.float32),
        (40, 60),
        Misalignment(
            rotation_degrees=-4.0,
            scale=0.97,
            translation=(-22.0, 28.0),
            perspective=(0.01, -0.015),
            elastic=5.0,
            wavelength=170.0,
            seed=5,
        ),
        order=1,  # a spline would ring at the depth's steps
    )


def visible_thermal_simulated(info: SampleInfo) -> Sample:
    """Build a photograph against a SIMULATED thermal image of it.

    The thermal image is made from the photograph: a tone curve that rises and falls, the blur
    of a small detector, vignetting, stripes and noise. It is no measurement.
    """
    from skimage import color

    photograph = picture("coffee")
    sample = aligned_to_sample(
        info,
        photograph,
        _warmth(color.rgb2gray(photograph)).astype(np.float32),
        (44, 66),
        Misalignment(
            rotation_degrees=6.0,
            scale=1.05,
            translation=(-14.0, -20.0),
            perspective=(-0.01, 0.01),
            elastic=4.0,
            wavelength=120.0,
            seed=7,
        ),
    )
    # What the detector adds belongs to its own frame, so it comes after the warp.
    return replace(sample, moving=_detector(sample.moving))


def to_uint8(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """Stretch values between their 0.5 and 99.5 percentiles to 0 ... 255."""
    low, high = np.percentile(values, (0.5, 99.5))
    stretched: NDArray[np.uint8] = np.rint(
        np.clip((values - low) / (high - low), 0, 1) * 255
    ).astype(np.uint8)
    return stretched


def _warmth(grey: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map grey values in [0, 1] to simulated warmth in [0, 1], neither rising nor falling."""
    smooth = ndimage.gaussian_filter(grey, 1.5)
    curve = ((0.0, 0.15, 0.35, 0.6, 0.8, 1.0), (0.45, 0.15, 0.4, 0.95, 0.7, 0.25))
    return np.asarray(np.interp(smooth, *curve))


def _detector(warmth: NDArray[np.float32], seed: int = 11) -> NDArray[np.uint16]:
    """Return 14-bit counts with vignetting, column stripes and noise; no data becomes zero."""
    random = np.random.default_rng(seed)
    height, width = warmth.shape
    rows = np.linspace(-1, 1, height)[:, None]
    cols = np.linspace(-1, 1, width)[None, :]
    seen = warmth * (1 - 0.12 * (rows**2 + cols**2))
    seen = seen + 0.008 * random.standard_normal((1, width))
    seen = seen + 0.015 * random.standard_normal((height, width))
    counts = np.rint(np.clip(np.nan_to_num(seen), 0, 1) * 8000 + 4000)
    return np.where(np.isnan(warmth), 0, counts).astype(np.uint16)
