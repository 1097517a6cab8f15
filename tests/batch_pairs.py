"""Pairs of files that the classical model registers in a fraction of a second."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_mmreg.batch import ImagePair
from napari_mmreg.io.images import write_image


def make_pair(folder, name, seed, shift=(2, -3)):
    """Write a picture and its shifted negative; return the pair."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((96, 96)), 2)
    picture = ((noise - noise.min()) / np.ptp(noise) * 255).astype(np.uint8)
    row, col = shift
    write_image(folder / f"{name}_vis.tif", picture[16:80, 16:80])
    write_image(folder / f"{name}_ir.tif", 255 - picture[16 - row : 80 - row, 16 - col : 80 - col])
    return ImagePair(name, folder / f"{name}_vis.tif", folder / f"{name}_ir.tif")
