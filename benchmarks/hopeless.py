"""How often a pair that cannot be registered comes back as ``ok``.

Hopeless pairs of seven kinds, made from scikit-image's pictures and random numbers: unrelated
pictures, white noise, smooth noise, a picture and its mirror image, a picture and an almost blank
one, repeating patterns shifted by part of a period, noise in one round field of view. Prints the
status of each and the share of false ``ok``; the bar is 1 %.

Usage: python benchmarks/hopeless.py [--models classical regnetmamba2] [--pairs 100] [--size 160]
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage import color, data, transform

from napari_mmreg import register

Picture = NDArray[np.float64]
Pair = tuple[Picture, Picture]

BAR = 0.01
PICTURES = (
    "astronaut",
    "camera",
    "chelsea",
    "coffee",
    "coins",
    "immunohistochemistry",
    "moon",
    "page",
    "rocket",
    "retina",
)


def picture(rng: np.random.Generator, size: int, name: str | None = None) -> Picture:
    """Return a square part of a picture, in one of its channels or their negative."""
    image = getattr(data, name or str(rng.choice(PICTURES)))()
    grey = image if image.ndim == 2 else color.rgb2gray(image[..., :3])
    side = int(min(grey.shape) * rng.uniform(0.6, 0.95))
    row, col = (int(rng.integers(0, n - side + 1)) for n in grey.shape)
    part = transform.resize(grey[row : row + side, col : col + side].astype(float), (size, size))
    part = (part - part.min()) / np.ptp(part)
    return part if rng.random() < 0.5 else 1 - part


def unrelated(rng: np.random.Generator, size: int) -> Pair:
    """Two pictures of different things."""
    first, second = rng.choice(PICTURES, 2, replace=False)
    return picture(rng, size, str(first)), picture(rng, size, str(second))


def noise(rng: np.random.Generator, size: int) -> Pair:
    """Independent white noise."""
    first, second = rng.normal(size=(2, size, size))
    return first, second


def smooth_noise(rng: np.random.Generator, size: int) -> Pair:
    """Independent noise, smoothed."""
    first, second = ndimage.gaussian_filter(
        rng.normal(size=(2, size, size)), (0, *[rng.uniform(2, 8)] * 2)
    )
    return first, second


def mirrored(rng: np.random.Generator, size: int) -> Pair:
    """Return a picture and the mirror image of its negative."""
    image = picture(rng, size)
    return image, 1 - image[:, ::-1] ** 0.8


def blank(rng: np.random.Generator, size: int) -> Pair:
    """Return a picture, and the faint noise of a sensor that sees nothing."""
    return picture(rng, size), 0.5 + rng.normal(0, 0.005, (size, size))


def repeating(rng: np.random.Generator, size: int) -> Pair:
    """Return dots, a grid or bricks, shifted by part of a period."""
    period, kind = int(rng.integers(12, 36)), int(rng.integers(3))
    row, col = np.mgrid[: 2 * size, : 2 * size]
    if kind == 0:
        middle = (period - 1) / 2
        image = np.hypot(row % period - middle, col % period - middle) < period / 4
    elif kind == 1:
        image = (row % period < 3) | (col % period < 3)
    else:
        image = (row % period < 3) | ((col + row // period % 2 * period) % (2 * period) < 3)
    down, right = rng.integers(period // 4, period // 2 + 1, 2)
    first = image[:size, :size] + rng.normal(0, 0.03, (size, size))
    second = 1 - image[down : down + size, right : right + size]
    return first, second + rng.normal(0, 0.03, (size, size))


def one_aperture(rng: np.random.Generator, size: int) -> Pair:
    """Return two different pictures in one round field of view."""
    row, col = np.mgrid[:size, :size] - (size - 1) / 2
    inside = np.hypot(row, col) < 0.48 * size
    first, second = unrelated(rng, size)
    return np.where(inside, first + 0.1, 0.0), np.where(inside, second + 0.1, 0.0)


KINDS: tuple[Callable[[np.random.Generator, int], Pair], ...] = (
    unrelated,
    noise,
    smooth_noise,
    mirrored,
    blank,
    repeating,
    one_aperture,
)


def pairs(count: int, size: int) -> Iterator[tuple[str, Pair]]:
    """Yield as many pairs of each kind, the same in every run."""
    for index in range(count):
        kind = KINDS[index % len(KINDS)]
        yield kind.__name__, kind(np.random.default_rng(index), size)


def main() -> None:
    """Register all of them and count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--models", nargs="+", default=["classical", "regnetmamba2"])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--size", type=int, default=160, help="pixels along each side")
    options = parser.parse_args()
    for model in options.models:
        statuses: Counter[tuple[str, str]] = Counter()
        start = time.perf_counter()
        for kind, (fixed, moving) in pairs(options.pairs, options.size):
            status = register(fixed, moving, model=model).status
            statuses[kind, status] += 1
            if status == "ok":
                print(f"  {model}: a false ok on {kind}", flush=True)
        for kind in (function.__name__ for function in KINDS):
            counts = [statuses[kind, status] for status in ("ok", "doubtful", "failed")]
            print(
                f"{model:14s} {kind:14s} ok {counts[0]}, doubtful {counts[1]}, failed {counts[2]}"
            )
        wrong = sum(count for (_, status), count in statuses.items() if status == "ok")
        total = sum(statuses.values())
        verdict = "within" if wrong <= BAR * total else "ABOVE"
        seconds = time.perf_counter() - start
        print(f"{model}: {wrong} of {total} ok, {verdict} the bar; {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
