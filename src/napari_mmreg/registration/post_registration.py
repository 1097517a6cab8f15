"""Post-registration of a fused image by FusionRegister: fuse first, then register what is off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_mmreg.errors import InputError
from napari_mmreg.fusion.apply import check_pair, fuse
from napari_mmreg.fusion.registry import DEFAULT
from napari_mmreg.fusion.sources import Source, measure_source
from napari_mmreg.imaging import check_image
from napari_mmreg.imaging.grey import to_grey
from napari_mmreg.imaging.normalise import fill_invalid
from napari_mmreg.nn.device import choose_device, memory_advice
from napari_mmreg.registration.options import PairOptions
from napari_mmreg.registration.plan import Plan
from napari_mmreg.registration.register import register_pair
from napari_mmreg.registration.result import Status
from napari_mmreg.run import CancelCheck, Progress, Run

if TYPE_CHECKING:
    from napari_mmreg.models.fusionregister.correct import Correction
    from napari_mmreg.models.fusionregister.model import FusionRegisterModel

WHOLE = (slice(None), slice(None))

FUSED, REGISTERED = 0.2, 0.8
"""Shares of the whole after which the images are fused, and registered."""

DISPLACED = 0.5
"""Mean probability of misregistration from which an answer that is not certified is taken."""

_NOT_CERTIFIED = "Nothing certified the displacement by which the image was corrected."


@dataclass(frozen=True, slots=True, eq=False)
class CorrectedFusion:
    """A fused image after post-registration.

    Attributes
    ----------
    fused : ndarray of shape (H, W) or (H, W, 3)
        The corrected image, of the fused image's dtype and range.
    displacement : ndarray of float32, shape (H, W, 2)
        By how much the registered image was still displaced (ours; the paper's field moves
        the fused image): ``registered`` at ``p + displacement[p]`` belongs to ``fixed`` at p.
        *Convention*: (row, col), in pixels.
    misregistered : ndarray of float32, shape (H, W)
        Probability that a pixel was displaced by more than 2 px at 256-px scale, before.
    status, reasons : str, tuple of str
        Of the registration of the two images. If it is not ``"ok"``, the network's own answer is
        taken where its map says that most pixels are displaced, and nothing is changed and
        `displacement` is zero where it does not. Without refinement nothing is certified, and the
        status is ``"doubtful"``, but the network's answer is taken.
    """

    fused: NDArray[Any]
    displacement: NDArray[np.float32]
    misregistered: NDArray[np.float32]
    status: Status
    reasons: tuple[str, ...]


def correct_fusion(
    fixed: ArrayLike,
    moving_registered: ArrayLike,
    fused: ArrayLike | None = None,
    method: str = DEFAULT,
    valid: ArrayLike | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    *,
    refine: bool = True,
    displacement: ArrayLike | None = None,
) -> CorrectedFusion:
    """Correct a fused image where its sources do not quite fit.

    Parameters
    ----------
    fixed, moving_registered : array_like of shape (H, W), (H, W, 3) or (H, W, 4)
        What was fused, as for `fuse`: images that fit to within a few pixels, registered by any
        model or by nothing but their mounting.
    fused : array_like of shape (H, W) or (H, W, 3), optional
        The fused image of any other method: uint8, or floating point in [0, 1]. The network
        corrects it. By default it is made by `method`, and made again with the moving image where
        it belongs (ours): as sharp as the method makes it.
    method : str
        A name that `napari_mmreg.fusion.list_fusions` knows.
    valid : array_like of bool, shape (H, W), optional
        Where `moving_registered` has data. Elsewhere the fused image is left as it is.
    device, progress, cancel
        As of `fuse`.
    refine : bool
        Whether the displacement is that of `register` with the model ``"fusionregister"``, which
        is refined on the pair and certified (ours): what fits stays as it is. Without it the
        network alone localises and corrects, as in the paper.
    displacement : array_like of shape (H, W, 2), optional
        What the registered image is known to be displaced by, see `CorrectedFusion`: nothing is
        looked for then.

    Returns
    -------
    CorrectedFusion

    Raises
    ------
    InputError
        If something cannot be used as given; the message says what to do.
    ModelError
        If the method is unknown, or weights are missing or damaged.
    DeviceError
        If the device is absent, or memory does not suffice.
    Cancelled
        If `cancel` said so.

    Notes
    -----
    Bian et al., FusionRegister (CVPR 2026, arXiv:2603.07667). Luminance is corrected; colour of
    the moving image goes along with it.
    """
    images, mask = check_pair(fixed, moving_registered, valid)
    run = Run.begin(choose_device(device), 0, progress, cancel)
    if fused is None:
        with run.part(0.0, FUSED):
            made = fuse(*images, method, mask, device, run.report, run.cancel)
    else:
        made = _check_fused(fused, images[0].shape[:2])
    status: Status = "doubtful"
    reasons: tuple[str, ...] = (_NOT_CERTIFIED,)
    known = None if displacement is None else _check_displacement(displacement, made.shape[:2])
    trusted = known is not None or not refine
    seen = mask is None or mask.any()
    plan = Plan.of("fusionregister")
    model = cast("FusionRegisterModel", plan.load())
    if not trusted and seen:
        with memory_advice(run.device), run.part(FUSED, REGISTERED):
            result = register_pair(plan, images, PairOptions(moving_mask=mask), run)
        status, reasons = result.status, result.reasons
        trusted = status == "ok"
        known = np.nan_to_num(result.displacement) if trusted else None
    with memory_advice(run.device), run.stage("Correcting", REGISTERED if refine else FUSED, 1.0):
        sources = (
            measure_source(images[0], None, "fixed", run.check),
            measure_source(images[1], mask, "moving", run.check),
        )
        unit = np.float32(255 if made.dtype == np.uint8 else 1)
        values = made.astype(np.float32) / unit
        luminance = values if values.ndim == 2 else to_grey(values, (0.0, 1.0))[0]
        found = _correct(model, sources, luminance, known, run)
        # Nobody vouches for the network alone: it moves only what it sees displaced as a whole.
        if not trusted and (not seen or _mean_inside(found.misregistered, mask) < DISPLACED):
            zeros = np.zeros_like(found.displacement)
            return CorrectedFusion(made.copy(), zeros, found.misregistered, status, reasons)
        changed = found.fused
        if values.ndim == 3:
            colour = values - luminance[..., None]
            if not sources[0].coloured:
                colour = _moved(colour, found.displacement)
            changed = changed[..., None] + colour
        changed = np.clip(changed, 0, 1)
        image = np.rint(changed * unit).astype(np.uint8) if unit > 1 else changed
        if fused is None and known is not None and known.any():
            image = _fuse_again(images, mask, known, method, run)
    return CorrectedFusion(image, found.displacement, found.misregistered, status, reasons)


def _check_fused(fused: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a fused image, in uint8 or float32."""
    image = check_image(fused, "fused")[..., :3] if np.ndim(fused) == 3 else np.asarray(fused)
    if image.shape[:2] != tuple(shape):
        raise InputError(
            f"The fused image has {image.shape[0]} x {image.shape[1]} pixels, its sources "
            f"{shape[0]} x {shape[1]}. Pass all three on one grid."
        )
    if image.dtype == np.uint8:
        return image
    if image.dtype.kind != "f" or not (image.min() >= 0 and image.max() <= 1):
        raise InputError(
            "The fused image must be uint8, or floating point in [0, 1] without NaN: nothing "
            "else tells its black from its white. Convert it first."
        )
    return image.astype(np.float32, copy=False)


def _mean_inside(values: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> float:
    return float((values if mask is None else values[mask]).mean())


def _check_displacement(displacement: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a known displacement."""
    known = np.asarray(displacement, dtype=np.float32)
    if known.shape != (*shape, 2) or not np.isfinite(known).all():
        raise InputError(
            f"The displacement has the shape {known.shape}. Pass two finite numbers, (row, col), "
            f"for each of the {shape[0]} x {shape[1]} pixels."
        )
    return known


def _correct(
    model: FusionRegisterModel,
    sources: tuple[Source, Source],
    fused: NDArray[np.float32],
    displacement: NDArray[np.float32] | None,
    run: Run,
) -> Correction:
    """Run the network on luminances."""
    (fixed, fixed_known), (moving, moving_known) = (s.luminance(WHOLE) for s in sources)
    both = fixed_known & moving_known
    if fixed_known.any():
        fixed = fill_invalid(fixed, fixed_known)
    return model.correct(fixed, moving, fused, both, run, displacement)


def _fuse_again(
    images: tuple[NDArray[Any], NDArray[Any]],
    mask: NDArray[np.bool_] | None,
    displacement: NDArray[np.float32],
    method: str,
    run: Run,
) -> NDArray[Any]:
    """Fuse with the moving image moved to where it belongs."""
    from napari_mmreg.geometry import DisplacementTransform

    fixed, moving = images
    shape = (fixed.shape[0], fixed.shape[1])
    transform = DisplacementTransform(displacement)
    valid = transform.valid(shape, shape)
    if mask is not None:
        valid &= transform.resample(mask.astype(np.uint8), shape, order=0) > 0
    moved = transform.resample(moving, shape)
    return fuse(fixed, moved, method, valid, run.device, cancel=run.cancel)


def _moved(colour: NDArray[np.float32], displacement: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return channels (H, W, C) warped by a displacement."""
    from napari_mmreg.geometry import DisplacementTransform

    moved = DisplacementTransform(displacement).resample(colour, colour.shape[:2])
    return np.nan_to_num(np.asarray(moved, dtype=np.float32))
