"""Throw generated input at everything that users call: right answers or typed errors, no more.

Every case is made from its own seed, so that a failure is repeated by ``--first SEED --count 1``.
Counted as a failure: any exception that is not of `napari_mmreg.errors`, any warning, an input
that changed, a wrong answer, and anything over 60 seconds.

    python benchmarks/property_campaign.py --count 10000
"""

from __future__ import annotations

import argparse
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import napari_mmreg
from napari_mmreg.errors import RegistrationError
from napari_mmreg.geometry import (
    CompositeTransform,
    DisplacementTransform,
    Frame,
    MatrixTransform,
    ResidualTransform,
    ThinPlateTransform,
    Transform,
    looks_like_labels,
)
from napari_mmreg.geometry.files import FileOptions
from napari_mmreg.io import (
    load_transform,
    read_image,
    read_landmarks,
    read_mask,
    read_points,
    save_transform,
    write_bigwarp,
    write_image,
    write_landmarks,
)

SLOWEST = 60.0

DTYPES = [
    "u1",
    "i1",
    "u2",
    ">u2",
    "i2",
    "u4",
    "i4",
    "i8",
    "u8",
    "f2",
    "f4",
    ">f4",
    "f8",
    "g",
    "?",
    "c8",
]

ODD: list[Any] = [
    None,
    "text",
    b"bytes",
    {},
    {"a": 1},
    [],
    [[1, 2], [3]],
    3,
    float("nan"),
    object(),
    np.array("text"),
    np.array([{}], dtype=object),
    np.ma.masked_array(np.ones((20, 20)), mask=np.eye(20)),
    Path("file.tif"),
    lambda: 1,
]

MODELS = [model.name for model in napari_mmreg.list_models()]

Random = np.random.Generator


def image(rng: Random, low: int = 1, high: int = 60) -> Any:
    """Return an image of any shape, dtype and values, or something odd."""
    if rng.random() < 0.1:
        return ODD[int(rng.integers(len(ODD)))]
    shape = tuple(int(n) for n in rng.integers(low, high, 2))
    if rng.random() < 0.3:
        shape = (*shape, int(rng.integers(0, 7)))
    if rng.random() < 0.05:
        shape = (int(rng.integers(0, 5)), *shape)
    dtype = np.dtype(DTYPES[int(rng.integers(len(DTYPES)))])
    values = rng.random(shape)
    kind = rng.integers(6)
    if kind == 0:
        values = np.round(values * 3)
    elif kind == 1:
        values = values * 10.0 ** float(rng.integers(-300, 300))
    elif kind == 2:
        values = np.zeros(shape) + values.ravel()[:1].sum()
    else:
        values = values * 250
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = values.astype(dtype)
    if dtype.kind == "f" and array.size and rng.random() < 0.3:
        array.ravel()[rng.integers(0, array.size, 3)] = rng.choice([np.nan, np.inf, -np.inf])
    return array


def transform(rng: Random, depth: int = 0) -> Transform:
    """Return a transform of any kind."""
    kind = int(rng.integers(6 if depth < 2 else 4))
    if kind == 0:
        matrix = np.eye(3) + rng.normal(0, 0.1, (3, 3)) * (1, 1, 20)
        matrix[2] = (*rng.normal(0, 1e-4, 2), 1)
        made: Transform = MatrixTransform(matrix)
    elif kind == 1:
        made = DisplacementTransform(rng.normal(0, 1, (*rng.integers(2, 20, 2), 2)))
    elif kind == 2:
        points = rng.uniform(0, 50, (6, 2))
        made = ThinPlateTransform(points, points + rng.normal(0, 1, (6, 2)), 0.1)
    elif kind == 3:
        made = ResidualTransform(rng.uniform(0, 50, (4, 2)), rng.normal(0, 1, (4, 2)), 30, 0.1)
    elif kind == 4:
        made = CompositeTransform([transform(rng, depth + 1), transform(rng, depth + 1)])
    else:
        made = transform(rng, depth + 1)
        made = made if isinstance(made, CompositeTransform) else made.inverse()
    if rng.random() < 0.3:
        made = made.with_frames(Frame((40, 50)), Frame((30, 60), (0.5, 0.5), "mm"))
    return made


def damaged(content: bytes, rng: Random) -> bytes:
    """Return a file's content with some bytes changed, perhaps cut short."""
    data = bytearray(content)
    for _ in range(int(rng.integers(0, 6))):
        data[int(rng.integers(len(data)))] = int(rng.choice([0, 1, 127, 255, rng.integers(256)]))
    return bytes(data[: int(rng.integers(len(data) + 1))] if rng.random() < 0.3 else data)


def try_transform_file(rng: Random, folder: Path) -> None:
    """Write a transform, damage the file or not, read it."""
    made = transform(rng)
    path = folder / "t.npz"
    made.save(path)
    if rng.random() < 0.3:
        loaded = Transform.load(path)
        points = rng.uniform(0, 30, (5, 2))
        np.testing.assert_array_equal(loaded.map(points), made.map(points))
        assert (loaded.fixed_frame, loaded.moving_frame) == (made.fixed_frame, made.moving_frame)
        return
    content = damaged(path.read_bytes(), rng)
    path.write_bytes(content)
    Transform.load(path).map([[1.0, 2.0]])


def try_itk_file(rng: Random, folder: Path) -> None:
    """Write a transform for ITK, damage the file or not, read it."""
    made = transform(rng)
    path = folder / f"t{rng.choice(['.tfm', '.h5', '.mat', '.nii', '.nii.gz', '.mha', '.nrrd'])}"
    save_transform(path, made, fixed_shape=(12, 15))
    if rng.random() < 0.3:
        points = rng.integers(1, 10, (5, 2))
        fixed, moving = FileOptions().completed(made).spacings  # such files state none
        loaded = load_transform(path, fixed_spacing=fixed, moving_spacing=moving)
        np.testing.assert_allclose(loaded.map(points), made.map(points), atol=1e-3)
        return
    path.write_bytes(damaged(path.read_bytes(), rng))
    load_transform(path, fixed_shape=(12, 15)).map([[1.0, 2.0]])


def try_text_file(rng: Random, folder: Path) -> None:
    """Read a damaged matrix, elastix or landmark file."""
    points = rng.uniform(0, 50, (5, 2))
    choice = int(rng.integers(5))
    names = ("m.txt", "t.txt", "p.csv", "b.json", "n.csv")
    path = folder / names[choice]
    if choice == 0:
        np.savetxt(path, np.eye(3) + rng.normal(0, 0.1, (3, 3)), header="(x, y)")
    elif choice == 1:
        path.write_text(
            '(Transform "AffineTransform")\n(NumberOfParameters 6)\n'
            "(TransformParameters 1 0 0 1 3 4)\n(CenterOfRotationPoint 5 6)\n(Size 30 40)\n"
        )
    elif choice == 2:
        write_landmarks(path, points, points + 1)
    elif choice == 3:
        write_bigwarp(path, points, points + 1, list("abcde"), [True] * 5)
    else:
        lines = [f"{n},{row},{col}" for n, (row, col) in enumerate(points)]
        path.write_text("\n".join(["index,axis-0,axis-1", *lines]))
    path.write_bytes(damaged(path.read_bytes(), rng))
    reader: Callable[[Path], Any] = (
        load_transform if choice < 2 else read_landmarks if choice < 4 else read_points
    )
    reader(path)


def try_image_file(rng: Random, folder: Path) -> None:
    """Write an image, damage the file or not, read it."""
    array = image(rng, 1, 40)
    suffix = str(rng.choice([".tif", ".npy", ".png", ".jpg", ".bmp"]))
    path = folder / f"i{suffix}"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "buif":
        array = rng.integers(0, 255, (9, 12)).astype(np.uint8)
    write_image(path, array)
    if rng.random() < 0.3:
        read = read_image(path)
        if suffix != ".jpg" and array.ndim == 2 and array.dtype.kind in "ui":
            np.testing.assert_array_equal(read, array)
        return
    path.write_bytes(damaged(path.read_bytes(), rng))
    (read_mask if rng.random() < 0.2 else read_image)(path)


def try_apply(rng: Random, folder: Path) -> None:  # noqa: ARG001
    """Resample an image; labels stay labels, and no data stays no data."""
    given, made = image(rng), transform(rng)
    kept = np.array(given, copy=True) if type(given) is np.ndarray else None
    shape = tuple(int(n) for n in rng.integers(1, 60, 2))
    result = made.resample(given, shape)
    array = np.asarray(given)
    assert result.shape[:2] == shape
    assert result.dtype == array.dtype
    if kept is not None:
        np.testing.assert_array_equal(array, kept)
    if looks_like_labels(array):
        assert set(np.unique(result).tolist()) <= {0, *np.unique(array).tolist()}


def try_landmark_error(rng: Random, folder: Path) -> None:  # noqa: ARG001
    """Measure landmarks of any kind."""
    fixed: Any = rng.normal(0, 10.0 ** int(rng.integers(0, 300)), (4, 2))
    moving: Any = fixed + 1
    made: Any = transform(rng)
    for _ in range(int(rng.integers(0, 3))):
        odd = ODD[int(rng.integers(len(ODD)))]
        place = int(rng.integers(3))
        fixed, moving, made = (
            odd if n == place else value for n, value in enumerate((fixed, moving, made))
        )
    napari_mmreg.landmark_error(made, fixed, moving).summary()


def try_arguments(rng: Random, folder: Path) -> None:  # noqa: ARG001
    """Make transforms of what may not be numbers, and map it."""
    odd = ODD[int(rng.integers(len(ODD)))] if rng.random() < 0.7 else image(rng, 1, 5)
    kinds: list[Callable[[Any], Any]] = [
        MatrixTransform,
        MatrixTransform.from_xy,
        DisplacementTransform,
        transform(rng).map,
        lambda it: ThinPlateTransform(it, it),
        lambda it: ResidualTransform(it, it, 10),
    ]
    kinds[int(rng.integers(len(kinds)))](odd)


def try_pair(rng: Random, folder: Path) -> None:  # noqa: ARG001
    """Fuse, evaluate or register two images of any kind."""
    fixed, moving = image(rng, 12, 40), image(rng, 12, 40)
    if rng.random() < 0.7 and isinstance(fixed, np.ndarray):
        moving = np.roll(fixed, 1, 0) if fixed.ndim else fixed
    kept = [np.array(a, copy=True) for a in (fixed, moving) if type(a) is np.ndarray]
    modalities: Any = (None, None) if rng.random() < 0.8 else ODD[int(rng.integers(len(ODD)))]
    choice = rng.random()
    if choice < 0.3:
        napari_mmreg.fuse(fixed, moving)
    elif choice < 0.6:
        napari_mmreg.evaluate(fixed, moving, transform(rng), modalities=modalities)
    else:
        model = MODELS[int(rng.integers(len(MODELS)))] if rng.random() < 0.3 else "classical"
        refine = bool(rng.random() < 0.3)
        result = napari_mmreg.register(fixed, moving, model, refine=refine, modalities=modalities)
        result.report()
        channels = () if moving.shape[2:] == (1,) else moving.shape[2:]
        assert result.registered.shape == (*fixed.shape[:2], *channels)
        assert result.registered.dtype == (np.float64 if moving.dtype.char == "g" else moving.dtype)
        if looks_like_labels(moving):
            kept_values = {0, *np.unique(moving).tolist()}
            assert set(np.unique(result.registered).tolist()) <= kept_values
    for before, after in zip(
        kept, [a for a in (fixed, moving) if type(a) is np.ndarray], strict=True
    ):
        np.testing.assert_array_equal(before, after)


ATTEMPTS: dict[str, tuple[Callable[[Random, Path], None], float]] = {
    "transform files": (try_transform_file, 0.25),
    "ITK's files": (try_itk_file, 0.03),
    "text files": (try_text_file, 0.2),
    "image files": (try_image_file, 0.25),
    "apply": (try_apply, 0.15),
    "landmark_error": (try_landmark_error, 0.1),
    "arguments": (try_arguments, 0.05),
    "fuse, evaluate, register": (try_pair, 0.1),
}
"""What is tried, and its share of all cases."""


def run_case(seed: int, folder: Path, only: str | None = None) -> tuple[str, str, str]:
    """Run one case; return what was tried, the outcome, and what is wrong with it."""
    rng = np.random.default_rng(seed)
    names, shares = list(ATTEMPTS), np.array([share for _, share in ATTEMPTS.values()])
    name = only or names[int(rng.choice(len(names), p=shares / shares.sum()))]
    began = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ATTEMPTS[name][0](rng, folder)
        outcome, wrong = "right", ""
    except RegistrationError as error:
        outcome, wrong = f"typed error ({type(error).__name__})", ""
    except Exception:  # noqa: BLE001  that is what is looked for
        outcome, wrong = "FAILED", traceback.format_exc(limit=-3)
    if time.monotonic() - began > SLOWEST:
        outcome, wrong = "FAILED", f"took {time.monotonic() - began:.0f} s"
    return name, outcome, wrong


def main() -> int:
    """Run the cases and print their counts; return 1 if any failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="seed of the first case")
    parser.add_argument("--only", choices=list(ATTEMPTS))
    arguments = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.first, arguments.first + arguments.count):
            name, outcome, wrong = run_case(seed, Path(folder), arguments.only)
            counts[name, outcome] += 1
            if wrong:
                print(f"seed {seed}, {name}:\n{wrong}", flush=True)
    for (name, outcome), count in sorted(counts.items()):
        print(f"{name:26} {outcome:34} {count:6}")
    return int(any(outcome == "FAILED" for _, outcome in counts))


if __name__ == "__main__":
    raise SystemExit(main())
