"""What a figure of a comparison says: its two images, how they are combined, how large they are."""

from __future__ import annotations

from napari_mmreg.gui.register.comparison import Source
from napari_mmreg.gui.register.figure import (
    FIXED_COLOUR,
    OTHER_COLOUR,
    Figure,
    Legend,
    Scale,
)
from napari_mmreg.gui.shared.motion import physical_length
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.imaging.compose import Mode, compose

_WORDS = {
    "blend": ("mixed: {}", "and {}"),
    "curtain": ("left: {}", "right: {}"),
    "beside": ("first: {}", "second: {}"),
    "checkerboard": ("first tile: {}", "next tile: {}"),
}
"""Legend of two images that are not coloured."""


def figure_of(run: RunRecord, mode: Mode, amount: float, source: Source) -> Figure:
    """Return the figure of a whole comparison at the resolution of the screen.

    Parameters
    ----------
    run : RunRecord
    mode, amount : as in `napari_mmreg.imaging.compose.compose`
        The side of a checkerboard's tile in fixed pixels.
    source : str or RunRecord
        As in `Comparison.show`. Of a flicker it is this image alone.
    """
    bundle = run.bundle
    one, other = bundle.shown["fixed"], bundle.shown["after"]
    if isinstance(source, RunRecord):
        one, other = other, source.bundle.shown["after"]
    elif source == "before":
        other = bundle.shown["before"]
    if mode == "checkerboard":
        amount /= bundle.shown_stride
    composed = compose(one, other, mode, amount, second=True)
    length, unit = physical_length(bundle.snapshot)
    scale = Scale(length * bundle.shown_stride, _short(unit))
    return Figure(composed, scale, legend_of(run, mode, source))


def before_and_after(run: RunRecord, mode: Mode, amount: float) -> list[Figure]:
    """Return two figures: the comparison before registration, and after it."""
    if mode == "flicker":  # in an animation the images themselves follow each other
        mode, amount = "blend", 0.5
    return [figure_of(run, mode, amount, source) for source in ("before", "after")]


def legend_of(run: RunRecord, mode: Mode, source: Source) -> tuple[Legend, ...]:
    """Return what the figure's colours stand for, in words."""
    fixed, moving = run.bundle.snapshot.fixed.name, run.bundle.snapshot.moving.name
    state = "before registration" if source == "before" else "registered"
    names = [f"{fixed} (fixed)", f"{moving} ({state})"]
    if isinstance(source, RunRecord):
        names = [f"run {run.title}", f"run {source.title}"]
    if mode == "overlay":
        return (
            Legend(FIXED_COLOUR, names[0]),
            Legend(OTHER_COLOUR, names[1]),
        )
    if mode == "flicker":  # one of them alone
        return (Legend(None, names[1]),)
    return tuple(
        Legend(None, words.format(name)) for words, name in zip(_WORDS[mode], names, strict=True)
    )


def _short(unit: str) -> str:
    """Return a unit's symbol, such as µm for micrometer."""
    if unit == "px":
        return unit
    import pint

    registry = pint.get_application_registry()  # type: ignore[no-untyped-call]
    return f"{registry.Unit(unit):~P}"
