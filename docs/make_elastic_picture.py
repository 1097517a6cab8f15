"""Make the picture of the elastic stage: one bent pair before, after global, after elastic.

    python docs/make_elastic_picture.py [--out FILE]

Needs matplotlib (extra ``bench``). The pair is built at run time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image
from skimage import color, data
from skimage.transform import ProjectiveTransform, resize

from napari_mmreg import register
from napari_mmreg.geometry import DisplacementTransform, MatrixTransform, Transform, pixel_grid
from napari_mmreg.samples.misalignment import smooth_field

PICTURE = Path(__file__).parent / "pictures" / "elastic.png"
SIDE, BEND, WAVELENGTH, SEED = 384, 14.0, 80.0, 3
EVERY = 24
"""Pixels between the lines of the grid."""


def main() -> None:
    """Register, and draw three steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PICTURE)
    out = parser.parse_args().out
    fixed, moving, truth = bent_pair()
    found = register(fixed, moving, model="hrnet", device="cpu").transform
    matrix = global_part(found)
    steps = [
        ("Before registration", MatrixTransform.identity()),
        ("After the global alignment", matrix),
        ("After the elastic stage", found),
    ]
    figure, axes = plt.subplots(1, len(steps), figsize=(12, 4.6), layout="constrained")
    for axis, (title, transform) in zip(axes, steps, strict=True):
        error = np.linalg.norm(transform.displacement(fixed.shape) - truth, axis=-1)
        draw(axis, fixed, transform.resample(moving, fixed.shape, fill=0.0))
        draw_grid(axis, transform)
        axis.set_title(f"{title}\nmean error {np.nanmean(error):.1f} px")
    figure.savefig(out, dpi=72)
    Image.open(out).convert("RGB").quantize(160).save(out, optimize=True)  # a third of the size


def bent_pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two stains of one section, the second one turned and bent; and the true displacement."""
    stains = color.rgb2hed(data.immunohistochemistry())
    pictures = [resize(stains[..., i], (SIDE, SIDE), anti_aliasing=True) for i in (0, 2)]
    fixed, other = (stretch(picture) for picture in pictures)
    turn = MatrixTransform.from_params(
        rotation_degrees=3, translation=(6, -8), center=(SIDE / 2, SIDE / 2)
    )
    bend = DisplacementTransform(smooth_field((SIDE, SIDE), BEND, WAVELENGTH, SEED))
    truth = turn.compose(bend)
    moving = truth.inverse().resample(other, other.shape, fill=0.0)
    return fixed, moving, truth.displacement(fixed.shape)


def stretch(picture: np.ndarray) -> np.ndarray:
    """Bring a picture to [0, 1] by its percentiles."""
    low, high = np.percentile(picture, (2, 98))
    return np.clip((picture - low) / (high - low), 0, 1).astype(np.float32)


def global_part(transform: Transform) -> MatrixTransform:
    """Return the homography closest to a transform."""
    inner = slice(8, SIDE - 8)
    points = pixel_grid(inner, inner)[::16, ::16].reshape(-1, 2)
    mapped = transform.map(points)
    known = np.isfinite(mapped).all(axis=1)
    return MatrixTransform(ProjectiveTransform.from_estimate(points[known], mapped[known]).params)


def draw(axis: plt.Axes, fixed: np.ndarray, registered: np.ndarray) -> None:
    """Show the fixed image in magenta and the other one in green."""
    axis.imshow(np.clip(np.stack([fixed, registered, fixed], -1), 0, 1))
    axis.set_axis_off()


def draw_grid(axis: plt.Axes, transform: Transform) -> None:
    """Draw where lines of the moving image come to lie on the fixed one."""
    back = transform.inverse()
    along = np.arange(0, SIDE, 4.0)
    for place in range(EVERY // 2, SIDE, EVERY):
        for points in (
            np.column_stack([np.full_like(along, place), along]),
            np.column_stack([along, np.full_like(along, place)]),
        ):
            rows, cols = back.map(points).T
            axis.plot(cols, rows, color="white", linewidth=0.6, alpha=0.7)
    axis.set_xlim(-0.5, SIDE - 0.5)
    axis.set_ylim(SIDE - 0.5, -0.5)


if __name__ == "__main__":
    main()
