"""`register_set`: several images on one reference, directly or along a chain of neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import MatrixTransform, Transform
from napari_mmreg.imaging import check_image
from napari_mmreg.models.budgets import BALANCED
from napari_mmreg.nn.device import choose_device, memory_advice
from napari_mmreg.registration.options import PairOptions
from napari_mmreg.registration.plan import Plan
from napari_mmreg.run import CancelCheck, Progress, Run
from napari_mmreg.series.engine import PlaneEngine
from napari_mmreg.series.motion import distance, unit_of
from napari_mmreg.series.plane_result import PlaneResult
from napari_mmreg.series.set_result import SetMember, SetResult, SetWay

APART = 2.0
"""Distance between the two ways to a member, in pixels at 256-px scale, from which on it is
doubtful."""

_REFERENCE = "The reference: the others are laid onto it."
_SKIPPED = "Its neighbour could not be registered; it was registered to image {other} instead."
_LINK = "Registered to image {other}: {reasons}"
_WEAK = "A link of its chain is doubtful (image {link})."
_AGREE = "Directly and along the chain it lies at the same place within {apart:.1f} px."
_APART = (
    "Directly and along the chain it lies at two places, {apart:.1f} px apart (pixels of the "
    "reference). One of the two is wrong; look at it."
)
_UNCHECKED = "The other way to it could not be registered, so that nothing confirms this one."


def register_set(
    images: Sequence[Any],
    reference: int | Literal["middle"] = 0,
    way: SetWay = "direct",
    *,
    check: bool = False,
    names: Sequence[str] | None = None,
    model: str = "auto",
    device: str = "auto",
    refine: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    budget: str = BALANCED,
    **pair_options: Any,
) -> SetResult:
    """Lay several images onto one of them.

    Parameters
    ----------
    images : sequence of array_like, shapes (H, W) or (H, W, C)
        Two or more, each as `napari_mmreg.register` takes them, of any sizes: channels, serial
        sections, several sensors. A stack is the sequence of its planes.
    reference : int or "middle"
        Which one stays; negative ones count from the last.
    way : {"direct", "chain"}
        ``"direct"``: each image to the reference. ``"chain"``: each to its neighbour on the side of
        the reference, and the transforms composed, for series whose ends have little in common. An
        image that cannot be registered is left out of the chain.
    check : bool
        Whether to go the other way, too, and to say how far the two lie apart; takes twice as long.
    names : sequence of str, optional
        What the images are called; by default their numbers.
    model, device, refine, seed, progress, cancel, budget, **pair_options
        As of `napari_mmreg.register`, for every pair. Options that belong to one image, such as
        masks, are only of use where all images are alike.

    Returns
    -------
    SetResult
        One member an image; one that cannot be registered is a failed member and ends nothing.

    Raises
    ------
    InputError
        If something cannot be used as given.
    ModelError, DeviceError, Cancelled
        As `napari_mmreg.register`.

    Notes
    -----
    *Convention*: a member's transform maps pixels of the reference to pixels of the member,
    (row, col), centres at integers. Along a chain ``reference -> a -> b`` it is
    ``b_from_a.compose(a_from_reference)``.
    """
    number = len(images)
    place = _reference(reference, number)
    called = _names(names, number)
    if way not in ("direct", "chain"):
        raise InputError(f"A set is registered 'direct' or along a 'chain', not {way!r}.")
    fixed = check_image(np.asarray(images[place]), "reference")
    shape = (int(fixed.shape[0]), int(fixed.shape[1]))
    options = PairOptions(**pair_options)
    plan = Plan.of(model, budget, refine=refine)
    run = Run.begin(choose_device(device), seed, progress, cancel)
    with memory_advice(run.device):
        with run.stage("Preparing", 0.0, 0.02):
            plan.load()
            engine = PlaneEngine(plan, options, run, refine=refine)
        links = _Links(images, place, engine, run)
        ways: tuple[SetWay, ...] = ("direct", "chain") if way == "chain" else ("chain", "direct")
        ways = ways if check else ways[1:]
        found = {}
        for step, each in enumerate(ways):
            start = 0.02 + 0.98 * step / len(ways)
            with run.part(start, start + 0.98 / len(ways)):
                found[each] = links.direct() if each == "direct" else links.chain()
    run.report("", 1.0)
    members = found[way]
    if check:
        other = found["direct" if way == "chain" else "chain"]
        members = [_compared(m, o, shape) for m, o in zip(members, other, strict=True)]
    members = [replace(m, name=name) for m, name in zip(members, called, strict=True)]
    return SetResult(
        members=tuple(members),
        reference=place,
        way=way,
        shape=shape,
        images=images,
        order=options.order,
        provenance=engine.provenance | {"set": {"way": way, "reference": place, "check": check}},
    )


class _Links:
    """Registers pairs of the set's images; each pair once."""

    def __init__(self, images: Sequence[Any], reference: int, engine: PlaneEngine, run: Run):
        self._images, self._reference, self._engine, self._run = images, reference, engine, run
        self._made: dict[tuple[int, int], PlaneResult] = {}

    def direct(self) -> list[SetMember]:
        """Return the members, each registered to the reference."""
        return [
            self._origin()
            if n == self._reference
            else self._member(n, self._reference, self._origin())
            for n in self._counted(range(len(self._images)))
        ]

    def chain(self) -> list[SetMember]:
        """Return the members, each registered to the nearest one that is, towards the reference."""
        members = {self._reference: self._origin()}
        outwards = [
            range(self._reference - 1, -1, -1),
            range(self._reference + 1, len(self._images)),
        ]
        for side in self._sided(outwards):
            last = members[self._reference]
            for n in side:
                members[n] = self._member(n, last.index, last)
                if members[n].status != "failed":
                    last = members[n]
        return [members[n] for n in range(len(self._images))]

    def _origin(self) -> SetMember:
        return SetMember(self._reference, "", "ok", (_REFERENCE,), MatrixTransform.identity(), None)

    def _member(self, n: int, other: int, base: SetMember) -> SetMember:
        link = self._link(n, other)
        reasons = link.reasons
        if other != self._reference:
            reasons = (_LINK.format(other=other, reasons=" ".join(link.reasons)),)
        if abs(n - other) > 1 and other != self._reference:
            reasons = (_SKIPPED.format(other=other), *reasons)
        status = link.status
        if status == "ok" and base.status == "doubtful":
            status, reasons = "doubtful", (*reasons, _WEAK.format(link=other))
        # Frames: the reference's of the one, the member's of the other.
        transform: Transform = link.transform
        if other != self._reference:
            transform = transform.compose(base.transform)
        return SetMember(n, "", status, reasons, transform, other, dict(link.metrics))

    def _link(self, n: int, other: int) -> PlaneResult:
        if (n, other) not in self._made:
            self._run.check()
            images = np.asarray(self._images[other]), np.asarray(self._images[n])
            self._made[n, other] = self._engine.register(n, *images)
        return self._made[n, other]

    def _counted(self, numbers: range) -> Any:
        """Yield numbers, each with its part of the progress."""
        total = len(self._images)
        for n in numbers:
            name = f"Image {n} ({n + 1} of {total})"
            with self._run.part(n / total, (n + 1) / total, subject=name):
                yield n

    def _sided(self, sides: list[range]) -> Any:
        total = max(len(self._images) - 1, 1)
        done = 0
        for side in sides:
            yield self._stepped(side, done, total)
            done += len(side)

    def _stepped(self, side: range, done: int, total: int) -> Any:
        for step, n in enumerate(side, done):
            name = f"Image {n} ({step + 1} of {total})"
            with self._run.part(step / total, (step + 1) / total, subject=name):
                yield n


def _compared(member: SetMember, other: SetMember, shape: tuple[int, int]) -> SetMember:
    """Return the member with how far the other way to it leads elsewhere."""
    if member.neighbour is None or member.status == "failed":
        return member
    if member.neighbour == other.neighbour:  # beside the reference both ways are one
        return member
    if other.status == "failed":
        return replace(member, reasons=(*member.reasons, _UNCHECKED))
    apart = distance(other.transform, member.transform, shape)
    far = apart > APART * unit_of(shape)
    said = (_APART if far else _AGREE).format(apart=apart)
    return replace(
        member,
        status="doubtful" if far else member.status,
        reasons=(*member.reasons, said),
        apart_px=apart,
    )


def _reference(reference: int | str, number: int) -> int:
    if number < 2:
        raise InputError(f"A set has two images or more, not {number}.")
    if reference == "middle":
        return number // 2
    if isinstance(reference, str) or not -number <= int(reference) < number:
        raise InputError(
            f"There is no image {reference} in a set of {number}; the reference is a number from 0 "
            "or 'middle'."
        )
    return int(reference) % number


def _names(names: Sequence[str] | None, number: int) -> list[str]:
    if names is None:
        return [str(n) for n in range(number)]
    if len(names) != number:
        raise InputError(f"There are {number} images and {len(names)} names; give each one.")
    return [str(name) for name in names]
