"""Refining a finished run in tiles, away from the GUI, and saying what that did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register import strings as texts
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.bundle import Bundle, build
from napari_mmreg.gui.shared.full_resolution import (
    at_full_resolution,
    finest_levels,
    full_shape,
    level_pull,
)
from napari_mmreg.gui.shared.job import ENGINE_SHARE, mask_of
from napari_mmreg.gui.shared.loading import load_torch
from napari_mmreg.gui.shared.snapshot import Snapshot, read
from napari_mmreg.gui.shared.task import Job, limited_threads
from napari_mmreg.run import Run

if TYPE_CHECKING:
    from napari_mmreg.registration import RegistrationResult


class TilesJob(Job[Bundle | str]):
    """Refines a run in overlapping tiles: a run of its own, or why there is none, in words.

    Parameters
    ----------
    bundle : Bundle
        The run.
    number : int
        That the new one gets.
    finest : int
        As in `napari_mmreg.refine_tiles`.
    """

    has_looks = True

    def __init__(self, bundle: Bundle, number: int, finest: int) -> None:
        super().__init__()
        self.snapshot = replace(bundle.snapshot, run=number)
        self._bundle = bundle
        self._finest = finest

    def __repr__(self) -> str:
        return f"the refinement of “{self.snapshot.moving.name}” in tiles"

    def _run(self, run: Run) -> Bundle | str:
        run.report(strings.STAGE_LOADING, 0.0)
        former = self._bundle
        check_refinable(former)
        load_torch()
        from napari_mmreg.large import refine_tiles, with_tiles

        snapshot = self.snapshot
        moving = read(snapshot.moving)
        self._check()
        with limited_threads(snapshot.settings.threads), run.part(0.0, ENGINE_SHARE):
            found = refine_tiles(
                _levels(snapshot.fixed, former.fixed),
                _levels(snapshot.moving, moving),
                at_full_resolution(snapshot, former.result),
                finest=self._finest,
                device=snapshot.settings.device,
                fixed_mask=mask_of(snapshot.fixed_mask, snapshot.fixed),
                moving_mask=mask_of(snapshot.moving_mask, snapshot.moving),
                progress=run.report,
                cancel=run.cancel,
                preview=run.preview,
            )
        rounds = found.provenance["refined_tiles"]
        if not any(_refined(each) for each in rounds):
            nothing = texts.TILES_NOTHING.format(run=former.snapshot.run)
            return "\n".join((nothing, *describe(rounds)))
        run.report(strings.STAGE_LAYERS, ENGINE_SHARE)
        pull = level_pull(snapshot, found.transform)
        result = with_tiles(former.result, pull, moving, rounds)
        done = texts.TILES_DONE.format(run=former.snapshot.run)
        compare = texts.TILES_COMPARE.format(run=former.snapshot.run)
        note = "\n".join((done, *describe(rounds), compare))
        return build(snapshot, former.fixed, moving, result, note, self._check)


def _levels(picture: Any, pixels: Any) -> list[Any]:
    """Return the levels to refine on; pixels that were read are not read again."""
    levels = finest_levels(picture)
    return levels if len(levels) > 1 else [pixels]


def rounds_of(snapshot: Snapshot) -> list[tuple[int, int]]:
    """Return the rounds of tiles that a run's images ask for: see `large.planned_rounds`."""
    from napari_mmreg.large import planned_rounds

    return planned_rounds(full_shape(snapshot.fixed))


def check_refinable(bundle: Bundle) -> None:
    """Raise `InputError` if tiles cannot make a run better."""
    from napari_mmreg.large import LEAST

    if was_refined(bundle.result):
        raise InputError(texts.TILES_AGAIN)
    if not rounds_of(bundle.snapshot):
        raise InputError(texts.TILES_TOO_SMALL.format(side=LEAST))


def was_refined(result: RegistrationResult) -> bool:
    """Whether a result was refined in tiles."""
    return "refined_tiles" in result.provenance


def finest_of(result: RegistrationResult) -> int:
    """Return how fine the tiles were that a result was refined in."""
    return min(int(each["factor"]) for each in result.provenance["refined_tiles"])


def choices(snapshot: Snapshot) -> list[tuple[int, str]]:
    """Return how fine tiles can be for a run, the finest first, in words with their number."""
    rounds = rounds_of(snapshot)
    offered = []
    for factor, _ in reversed(rounds):
        tiles = sum(count for each, count in rounds if each >= factor)
        text = texts.TILES_FULL if factor == 1 else texts.TILES_PART
        offered.append((factor, text.format(factor=factor, tiles=f"{tiles:,}")))
    return offered


def describe(rounds: Sequence[Mapping[str, int]]) -> list[str]:
    """Return what the tiles of every round came to, one sentence each."""
    said = []
    for each in rounds:
        factor = each["factor"]
        part = texts.TILES_AT_PART.format(factor=factor)
        where = texts.TILES_AT_FULL if factor == 1 else part
        reasons = ", ".join(_reasons(each))
        said.append(
            texts.TILES_ROUND.format(
                where=where,
                refined=_refined(each),
                tiles=each["tiles"],
                left=texts.TILES_LEFT.format(reasons=reasons) if reasons else "",
            )
        )
    return said


def _refined(each: Mapping[str, int]) -> int:
    return each["accepted"] - each["contradicted"]


def _reasons(each: Mapping[str, int]) -> list[str]:
    counts = {
        texts.TILES_GOOD: each["tried"] - each["accepted"],
        texts.TILES_FLAT: each["tiles"] - each["lost"] - each["tried"],
        texts.TILES_LOST: each["lost"],
        texts.TILES_CONTRADICTED: each["contradicted"],
    }
    return [text.format(count=count) for text, count in counts.items() if count]
