"""Refining a registration in overlapping tiles, from coarse to fine. Ours.

A pair is registered on a grid of some thousand pixels a side; what bends within a few pixels of a
much larger image cannot be seen there. Here the same refinement that any pair goes through, with
its elastic network and its rules of acceptance, looks at tiles: first at some `FIRST` pixels for
the longer side, then at twice as many, up to the full resolution. Each round starts from what the
former has found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import (
    MatrixTransform,
    Transform,
    fill_value,
    is_lazy,
    looks_like_labels,
    resample_lazily,
)
from napari_mmreg.geometry.lazy import Plane
from napari_mmreg.imaging import prepare_pair
from napari_mmreg.imaging.shrink import levels_of, shrink
from napari_mmreg.io.levels import in_order
from napari_mmreg.large.blend import Corrections, blend, contradicted, nodes
from napari_mmreg.large.windows import SIDE, Place, Side, Tile, overlapping
from napari_mmreg.run import CancelCheck, Preview, Progress, Run

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_mmreg.alignment.elastic.network import ElasticNetwork
    from napari_mmreg.registration import RegistrationResult

    Read = tuple[Tile, NDArray[Any], NDArray[np.bool_], NDArray[Any], NDArray[np.bool_]]

FIRST = 2048
"""Longer side of the coarsest grid that is tiled, at least."""

LEAST = 2 * SIDE
"""Longer side of images beyond which tiles can see more than a run does."""

LOST = 0.9
"""Mean probability of misregistration above which a tile is left alone: what is that far off
cannot be mended by looking nearby."""

FLAT = 0.02
"""Spread of a tile's values, as a share of the image's, below which there is nothing to see."""

_COVERED = 0.25
"""Share of a tile that both images must cover."""

STAGE = "Refining tiles"


@dataclass(frozen=True, slots=True)
class Round:
    """What tiles of one size have brought.

    Attributes
    ----------
    factor : int
        Fixed pixels per pixel of the tiles.
    tiles, lost, tried, accepted, contradicted : int
        How many there were, were too far off to be mended, showed structure, were improved, and
        were dropped again since their neighbours contradict them.
    """

    factor: int
    tiles: int
    lost: int
    tried: int
    accepted: int
    contradicted: int


def refine_tiles(
    fixed: Any,
    moving: Any,
    result: RegistrationResult,
    *,
    finest: int = 1,
    device: str = "auto",
    fixed_mask: Any = None,
    moving_mask: Any = None,
    nodata: tuple[float | None, float | None] = (None, None),
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    preview: Preview | None = None,
) -> RegistrationResult:
    """Refine a registration of two large images in overlapping tiles.

    Parameters
    ----------
    fixed, moving : array_like or sequence of array_like
        The images, as `napari_mmreg.register` takes them: numpy, dask, zarr, or levels.
    result : RegistrationResult
        Of these two.
    finest : int
        Fixed pixels per pixel of the finest tiles, a power of two. 1 is the full resolution; each
        doubling takes a quarter of the time.
    device : str
        As in `napari_mmreg.register`.
    fixed_mask, moving_mask : array_like of shape (H, W), optional
        Nonzero where the images may be used; of the full resolution, or coarser copies of it.
    nodata : (number or None, number or None)
        As in `napari_mmreg.register`.
    progress, cancel, preview : callable, optional
        As in `napari_mmreg.register`; there are two looks at each tile, before and after.

    Returns
    -------
    RegistrationResult
        The same with a better `transform` and `registered`; what was done is in
        ``provenance["refined_tiles"]``. Its misregistration map and similarity are those of
        `result`, which are coarser than what tiles mend; ``rerendered`` is left out, since it
        shows the former transform. A failed one comes back as it is, and so does one of images
        that are too small for tiles (`planned_rounds`).

    Raises
    ------
    InputError
        If the images are not those of the result, or `finest` is no power of two.
    ModelError, DeviceError, MissingExtraError
        As `napari_mmreg.register`.
    Cancelled
        If `cancel` said so; nothing was changed.

    Notes
    -----
    *Convention*: (row, col), pixel centres at integers, fixed to moving (pull). A tile's
    correction ``u`` makes ``p -> T(p + u(p))`` of the transform T so far.
    """
    from napari_mmreg.models.elastic import load_elastic
    from napari_mmreg.nn.device import choose_device, memory_advice

    levels = levels_of(fixed, "fixed"), levels_of(moving, "moving")
    _check(levels, result, finest)
    masks = _mask(fixed_mask, "fixed"), _mask(moving_mask, "moving")
    factors = _factors(result.fixed_shape, finest)
    if result.status == "failed" or not factors:
        return result
    run = Run.begin(choose_device(device), 0, progress, cancel, preview)
    with memory_advice(run.device):
        network = load_elastic(run.device)
        transform = result.transform.with_frames(None, None)
        with run.part(0.0, 0.05):
            spread = _spread(levels[0], nodata[0], run)
        rounds, done, shares = [], 0.0, _shares(factors)
        for factor, share in zip(factors, shares, strict=True):
            sides = (
                Side(
                    levels[0], MatrixTransform.identity(), result.fixed_shape, nodata[0], masks[0]
                ),
                Side(levels[1], transform, result.fixed_shape, nodata[1], masks[1]),
            )
            with run.part(0.05 + 0.95 * done, 0.05 + 0.95 * (done + share)):
                found, about = _one_round(sides, factor, result, spread, network, run)
            done += share
            rounds.append(about)
            if found is not None:
                transform = transform.compose(found)
        run.report(STAGE, 1.0)
    told = [asdict(each) for each in rounds]
    return with_tiles(result, transform, levels[1][0], told)


def planned_rounds(shape: tuple[int, int], finest: int = 1) -> list[tuple[int, int]]:
    """Return the rounds that `refine_tiles` goes through, from coarse to fine.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the fixed image.
    finest : int
        As in `refine_tiles`.

    Returns
    -------
    list of (int, int)
        Fixed pixels per pixel of the tiles, and how many tiles there are. None for images of
        which a run sees all that tiles would.
    """
    return [
        (factor, len(overlapping((-(-shape[0] // factor), -(-shape[1] // factor)))))
        for factor in _factors(shape, finest)
    ]


def _mask(mask: Any, name: str) -> NDArray[np.bool_] | None:
    """Return a mask as booleans; its size is free, since a coarser copy will do."""
    if mask is None:
        return None
    usable = np.asarray(mask) != 0
    if usable.ndim != 2:
        raise InputError(
            f"The {name} mask has {usable.ndim} axes; pass one of (rows, columns), nonzero where "
            "the image may be used."
        )
    return np.asarray(usable, dtype=np.bool_)


def _check(levels: tuple[list[Any], list[Any]], result: RegistrationResult, finest: int) -> None:
    shapes = (result.fixed_shape, result.moving_shape)
    for name, each, shape in zip(("fixed", "moving"), levels, shapes, strict=True):
        if tuple(each[0].shape[:2]) != tuple(shape):
            raise InputError(
                f"The result is one of a {name} image of {shape[0]} x {shape[1]} pixels, but this "
                f"one has {each[0].shape[0]} x {each[0].shape[1]}; pass the images it was made of."
            )
    if finest < 1 or finest & (finest - 1):
        raise InputError(f"The finest tiles have {finest} pixels per pixel; use 1, 2, 4, 8 ...")


def _factors(shape: tuple[int, int], finest: int) -> list[int]:
    """Return the pixels per pixel of the rounds, from coarse to fine; none for small images."""
    coarsest = max(shape) // FIRST
    if coarsest == 0:
        return [1] if max(shape) > LEAST and finest == 1 else []
    first = 2 ** int(np.log2(coarsest))
    return [2**n for n in range(int(np.log2(max(first, 1))), -1, -1) if 2**n >= finest]


def _shares(factors: list[int]) -> list[float]:
    times = [1 / factor**2 for factor in factors]
    return [time / sum(times) for time in times]


def _spread(levels: list[Any], nodata: float | None, run: Run) -> float:
    """Return between which values most of the fixed image lies."""
    copy = shrink(levels, nodata=nodata, step=run.step).image
    values = copy[np.isfinite(copy)] if copy.dtype.kind == "f" else copy
    low, high = (float(value) for value in np.percentile(values, (2, 98)))
    return high - low


def _one_round(
    sides: tuple[Side, Side],
    factor: int,
    result: RegistrationResult,
    spread: float,
    network: ElasticNetwork,
    run: Run,
) -> tuple[Transform | None, Round]:
    """Return the correction that tiles of one size have found, None for none."""
    tiles = overlapping(sides[0].grid(factor))
    hopeful = [tile for tile in tiles if _risk(tile, factor, result) <= LOST]

    def read(tile: Tile) -> Read:
        run.check()
        return tile, *sides[0].read(tile, factor), *sides[1].read(tile, factor)

    corrections: dict[Place, NDArray[np.float32]] = {}
    tried = 0
    for number, each in enumerate(in_order(read, hopeful, workers=2)):
        share = number / len(hopeful), (number + 1) / len(hopeful)
        tile = f"Tile {number + 1} of {len(hopeful)}"
        with run.part(*share, lambda _: STAGE), run.part(0.0, 1.0, subject=tile):
            run.step(0.0)
            if not _shows_structure(each, spread):
                continue
            tried += 1
            found = _correct(each, network, run)
            if found is not None:
                corrections[each[0].place] = found
    dropped = contradicted(tiles, corrections)
    kept: Corrections = {place: u for place, u in corrections.items() if place not in dropped}
    lost = len(tiles) - len(hopeful)
    about = Round(factor, len(tiles), lost, tried, len(corrections), len(dropped))
    if not kept:
        return None, about
    return blend(tiles, kept, sides[0].grid(factor), factor), about


def _risk(tile: Tile, factor: int, result: RegistrationResult) -> float:
    """Return the mean probability of misregistration over a tile."""
    corners = np.array([(p.start, p.stop - 1) for p in (tile.rows, tile.cols)]).T
    on_map = result.fixed_from_grid.inverse().map((corners + 0.5) * factor - 0.5)
    risk = result.grid_misregistration
    low, high = np.clip(np.rint(on_map), 0, np.array(risk.shape) - 1).astype(int)
    return float(np.nanmean(risk[low[0] : high[0] + 1, low[1] : high[1] + 1]))


def _shows_structure(read: Read, spread: float) -> bool:
    _, fixed, fixed_mask, _, moving_mask = read
    both = fixed_mask & moving_mask
    if both.mean() < _COVERED:
        return False
    values = fixed[both].astype(np.float64)
    values = values[np.isfinite(values)]
    return values.size > 0 and float(values.std()) > FLAT * spread


def _correct(read: Read, network: ElasticNetwork, run: Run) -> NDArray[np.float32] | None:
    """Return a tile's correction at its nodes; None if refinement would rather leave it."""
    from napari_mmreg.alignment.levels import pair_tensors
    from napari_mmreg.alignment.preview import show_alignment
    from napari_mmreg.registration.refine import refine

    tile, fixed, fixed_mask, moving, moving_mask = read
    identity = MatrixTransform.identity()
    try:
        pair = prepare_pair(
            fixed,
            moving,
            initial=identity,
            fixed_mask=fixed_mask,
            moving_mask=moving_mask,
            budget=SIDE * SIDE,
            detect_borders=False,
            run=run,
        )
    except InputError:  # nothing to see in one of them
        return None
    tensors = pair_tensors(pair, run.device)
    show_alignment(tensors, identity, run)
    found = refine(pair, identity, run, elastic=network)
    show_alignment(tensors, found, run)
    if isinstance(found, MatrixTransform):
        return None
    where = nodes(tile) - (tile.rows.start, tile.cols.start)
    moved = (found.map(where) - where).astype(np.float32)
    return moved if np.isfinite(moved).all() else None


def with_tiles(
    result: RegistrationResult,
    transform: Transform,
    moving: Any,
    rounds: list[dict[str, int]],
) -> RegistrationResult:
    """Return a result with the transform that tiles have found.

    Parameters
    ----------
    result : RegistrationResult
    transform : Transform
        Fixed to moving pixels of the result's own images.
    moving : array_like
        The result's moving image.
    rounds : list of dict
        Of `Round`, for the provenance.
    """
    provenance = {**result.provenance, "refined_tiles": rounds}
    points = np.stack(
        np.meshgrid(*(np.linspace(0, n - 1, 128) for n in result.fixed_shape), indexing="ij"), -1
    )
    moved = result.initial.with_frames(None, None).inverse().map(transform.map(points)) - points
    length = np.linalg.norm(moved, axis=-1)
    length = length[np.isfinite(length)]
    metrics = dict(result.metrics)
    if length.size:
        metrics["displacement_median_px"] = float(np.median(length))
        metrics["displacement_max_px"] = float(length.max())
    order = provenance.get("parameters", {}).get("order")
    if order is None:
        order = 0 if looks_like_labels(Plane(moving)) else 1  # type: ignore[arg-type]
    fill = fill_value(np.dtype(moving.dtype), result.nodata)
    registered: Any
    if not is_lazy(result.registered):
        registered = transform.resample(
            np.asarray(moving), result.fixed_shape, order, fill, nodata=result.nodata
        )
    else:
        lazy = resample_lazily(
            moving,
            transform,
            result.fixed_shape,
            channels_last=len(moving.shape) == 3,
            order=order,
            fill=fill,
            nodata=result.nodata,
        )
        registered = lazy.to_dask()
    return replace(
        result,
        transform=transform.with_frames(
            result.transform.fixed_frame, result.transform.moving_frame
        ),
        registered=registered,
        metrics=metrics,
        rerendered=None,
        provenance=provenance,
    )
