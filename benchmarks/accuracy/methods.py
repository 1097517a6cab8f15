"""What is measured: our models through the public API, and the peers they must beat."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.protocols import pixel_positions
from napari_mmreg.errors import InputError, MissingExtraError
from napari_mmreg.models.budgets import BALANCED, BUDGETS
from napari_mmreg.models.registry import AUTO

Picture = NDArray[np.uint8]
Field = NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method says of one pair: (row, col) in the moving image per fixed pixel."""

    positions: Field
    status: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """A named way of registering two pictures."""

    name: str
    register: Callable[[Picture, Picture], Answer]


def our_method(
    model: str, device: str = "cpu", *, refine: bool = True, budget: str = BALANCED
) -> Method:
    """Return one of our models, or ``"auto"``, behind `napari_mmreg.register`."""

    def call(fixed: Picture, moving: Picture) -> Answer:
        from napari_mmreg.registration import register

        result = register(fixed, moving, model=model, device=device, refine=refine, budget=budget)
        grid = pixel_positions(*fixed.shape[:2])
        return Answer(grid + result.displacement, result.status)

    name = f"{model}, {budget}" if budget != BALANCED else model
    return Method(name if refine else f"{name}, no refinement", call)


def load_method(text: str, device: str = "cpu") -> Method:
    """Find a method by name, or load it from a file.

    Parameters
    ----------
    text : str
        One of our models (``classical``; ``classical:bare`` leaves the refinement out),
        ``auto``, ``auto:fast`` or ``auto:best``, a peer (`PEERS`), or
        ``path/to/file.py::function`` with ``function(fixed, moving)`` returning the (row, col)
        positions, float (H, W, 2).
    device : str
        For our models.

    Raises
    ------
    InputError
        If there is no such method.
    """
    if ".py" in text:
        return _external(text)
    if text in PEERS:
        return Method(text, lambda fixed, moving: Answer(PEERS[text](fixed, moving)))
    from napari_mmreg.models import list_models

    name, _, variant = text.partition(":")
    ours = [info.name for info in list_models()]
    if name == AUTO and (variant or BALANCED) in BUDGETS:
        return our_method(name, device, budget=variant or BALANCED)
    if name in ours and variant in ("", "bare"):
        return our_method(name, device, refine=not variant)
    known = ", ".join([AUTO, *ours])
    raise InputError(f"There is no method {text!r}. Models: {known}. Peers: {', '.join(PEERS)}.")


def _external(text: str) -> Method:
    path, _, attribute = text.partition("::")
    file = Path(path).resolve()
    if not file.is_file():
        raise InputError(f"The method file {file} does not exist.")
    spec = importlib.util.spec_from_file_location(f"bench_method_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(file.parent))
    function = getattr(module, attribute or "register")
    name = getattr(function, "NAME", None) or attribute or getattr(module, "NAME", file.stem)
    return Method(str(name), lambda fixed, moving: Answer(function(fixed, moving)))


def _grey(image: Picture) -> Picture:
    import cv2

    return (
        image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    )


def _homography_positions(matrix_xy: NDArray[np.floating], shape: tuple[int, ...]) -> Field:
    grid = pixel_positions(shape[0], shape[1])
    xy1 = np.concatenate([grid[..., ::-1], np.ones_like(grid[..., :1])], axis=-1)
    mapped = xy1 @ np.asarray(matrix_xy, np.float64).T
    return np.asarray((mapped[..., :2] / mapped[..., 2:])[..., ::-1])


def do_nothing(fixed: Picture, moving: Picture) -> Field:
    """Full frame on full frame: the identity where the sizes agree."""
    factor = np.array(moving.shape[:2]) / fixed.shape[:2]
    return np.asarray((pixel_positions(*fixed.shape[:2]) + 0.5) * factor - 0.5)


def sift_magsac(fixed: Picture, moving: Picture) -> Field:
    """Match SIFT words of locally equalised pictures, fit a homography by MAGSAC++ (OpenCV)."""
    import cv2

    clahe = cv2.createCLAHE(3.0, (8, 8))
    sift = cv2.SIFT_create(4000, contrastThreshold=0.01)
    (points, words), (points_moving, words_moving) = (
        sift.detectAndCompute(clahe.apply(_grey(image)), None) for image in (fixed, moving)
    )
    matches = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(words, words_moving)
    here = np.array([points[m.queryIdx].pt for m in matches])
    there = np.array([points_moving[m.trainIdx].pt for m in matches])
    cv2.setRNGSeed(0)
    matrix, _ = cv2.findHomography(here, there, cv2.USAC_MAGSAC, 3.0, maxIters=20000)
    if matrix is None:
        raise RuntimeError("too few matches")
    positions = _homography_positions(matrix, fixed.shape)
    size = np.array(moving.shape[:2])
    # A frame that lands far outside is a failure that its author would notice.
    if not (np.abs(positions - size / 2) < 1.3 * size).all():
        raise RuntimeError("an absurd homography")
    return positions


def ecc_affine(fixed: Picture, moving: Picture) -> Field:
    """Maximise the correlation coefficient of gradient magnitudes, affine (OpenCV)."""
    import cv2

    def edges(image: Picture) -> NDArray[np.float32]:
        smooth = cv2.GaussianBlur(np.asarray(_grey(image), np.float32), (0, 0), 2.0)
        gx, gy = cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
        return np.asarray(np.sqrt(gx**2 + gy**2), np.float32)

    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-5)
    start = np.eye(2, 3, dtype=np.float32)
    _, affine = cv2.findTransformECC(
        edges(fixed), edges(moving), start, cv2.MOTION_AFFINE, criteria, None, 5
    )
    return _homography_positions(np.vstack([affine, [0, 0, 1]]), fixed.shape)


def phase_correlation(fixed: Picture, moving: Picture) -> Field:
    """Find the translation by phase cross-correlation of the pictures (scikit-image)."""
    from skimage.registration import phase_cross_correlation

    shift, *_ = phase_cross_correlation(_grey(fixed), _grey(moving), upsample_factor=10)
    return np.asarray(pixel_positions(*fixed.shape[:2]) - np.asarray(shift))


def mutual_information_affine(fixed: Picture, moving: Picture) -> Field:
    """Maximise Mattes mutual information, affine, three levels (SimpleITK)."""
    try:
        import SimpleITK as sitk
    except ImportError as error:
        raise MissingExtraError(
            "The mutual-information peer needs SimpleITK: pip install 'napari-mmreg[bench]'"
        ) from error

    images = [
        sitk.Cast(sitk.GetImageFromArray(_grey(i)), sitk.sitkFloat32) for i in (fixed, moving)
    ]
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.3, seed=1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-4, 150)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    start = sitk.CenteredTransformInitializer(
        *images, sitk.AffineTransform(2), sitk.CenteredTransformInitializerFilter.GEOMETRY
    )
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(*images)
    corners_xy = [found.TransformPoint(p) for p in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))]
    origin, along_x, along_y = (np.array(p) for p in corners_xy)
    matrix = np.eye(3)
    matrix[:2] = np.stack([along_x - origin, along_y - origin, origin], axis=1)
    return _homography_positions(matrix, fixed.shape)


PEERS: dict[str, Callable[[Picture, Picture], Field]] = {
    "identity": do_nothing,
    "SIFT + MAGSAC": sift_magsac,
    "ECC affine": ecc_affine,
    "phase correlation": phase_correlation,
    "mutual information affine": mutual_information_affine,
}
