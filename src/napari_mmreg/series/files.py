"""A series on disk: the stack, the transforms, the table of planes and the report."""

from __future__ import annotations

import csv
import json
import math
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.errors import InputError
from napari_mmreg.geometry import Transform
from napari_mmreg.io.whole import whole_folder, write_json, write_text
from napari_mmreg.registration.report import plain
from napari_mmreg.run import CancelCheck, Progress, Run
from napari_mmreg.series import videos
from napari_mmreg.series.plane_result import PlaneResult

if TYPE_CHECKING:
    from napari_mmreg.io.tiff import Georeference
    from napari_mmreg.series.planes import Planes
    from napari_mmreg.series.result import SeriesResult

REGISTERED, TRANSFORMS, TABLE, REPORT = "registered.tif", "transforms", "planes.csv", "series.json"

FILES = (REGISTERED, videos.REGISTERED, videos.COMPARED, TRANSFORMS, TABLE, REPORT)
"""What a series is saved as."""

FORMAT, VERSION = "napari-mmreg series", 1

COLUMNS = (
    *("plane", "status", "source", "drift_row_px", "drift_col_px", "drift_px"),
    *("similarity_before", "similarity_after", "misregistration", "smoothed_px", "surprise_px"),
    *("transform", "reasons"),
)


def report_of(result: SeriesResult) -> dict[str, Any]:
    """Return a series as JSON holds it; its transforms are named, not held."""
    names = _names(result)
    report: dict[str, Any] = plain(
        {
            "format": FORMAT,
            "format_version": VERSION,
            "convention": "fixed to moving, (row, col) in pixels, centres at integers",
            "status": result.status,
            "reasons": result.reasons,
            "way": result.way,
            "fixed_shape": result.fixed_shape,
            "moving_shape": result.moving_shape,
            "order": result.order,
            "nodata": result.nodata,
            "planes": [
                {
                    "index": plane.index,
                    "status": plane.status,
                    "source": plane.source,
                    "reasons": plane.reasons,
                    "answer_of": plane.answer_of,
                    "drift_px": result.drift[plane.index],
                    "metrics": plane.metrics,
                    "transform": names[id(plane.transform)],
                }
                for plane in result.planes
            ],
            "provenance": result.provenance,
        }
    )
    return report


def save_series(
    result: SeriesResult,
    folder: str | Path,
    *,
    replace: bool,
    progress: Progress | None = None,
    cancel: CancelCheck | None = None,
    axes: str | None = None,
    georeference: Georeference | None = None,
    fps: float | None = None,
    fixed: Planes | None = None,
    compare: videos.Compare | None = None,
) -> Path:
    """Write a series; see `SeriesResult.save`.

    Parameters
    ----------
    result, folder, replace, progress, cancel
        As of `SeriesResult.save`.
    axes : str, optional
        One letter per axis before rows and columns, as TIFF names them; by default T and unknown.
    georeference : Georeference, optional
        Of the fixed images.
    fps : float, optional
        Write a video of this many frames per second instead of ``registered.tif``; the moving stack
        is one of uint8 frames.
    fixed, compare
        Of such a video, see `videos.write_videos`.
    """
    run = Run.begin("cpu", 0, progress, cancel)
    with whole_folder(folder, FILES, replace=replace) as partial:
        if result.moving is not None and result.status != "failed":
            if fps is None:
                _write_stack(result, partial / REGISTERED, axes, georeference, run)
            else:
                videos.write_videos(result, partial, fps, run, fixed, compare)
        (partial / TRANSFORMS).mkdir()
        names = _names(result)
        for plane in result.planes:
            path = partial / names[id(plane.transform)]
            if not path.exists():
                plane.transform.with_provenance(result.provenance).save(path)
        write_text(partial / TABLE, _table(result, names))
        write_json(partial / REPORT, report_of(result))
    return Path(folder)


def load_series(folder: str | Path, result_type: type[SeriesResult]) -> SeriesResult:
    """Read a series; see `SeriesResult.load`, which hands in its class: it is built upon this."""
    source = Path(folder)
    try:
        report = json.loads((source / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{source} holds no series that can be read ({error}); name the folder that it was "
            "saved to."
        ) from error
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise InputError(f"{source / REPORT} is no report of a series.")
    if report.get("format_version", 0) > VERSION:
        raise InputError(f"{source} was written by a newer napari-mmreg; update it.")
    try:
        loaded: dict[str, Transform] = {}
        planes = []
        for each in report["planes"]:
            name = str(each["transform"])
            if name not in loaded:
                loaded[name] = Transform.load(source / TRANSFORMS / Path(name).name)
            planes.append(
                PlaneResult(
                    index=int(each["index"]),
                    status=each["status"],
                    source=each["source"],
                    reasons=tuple(each["reasons"]),
                    transform=loaded[name],
                    metrics={
                        key: math.nan if value is None else value
                        for key, value in each["metrics"].items()
                    },
                    answer_of=each["answer_of"],
                )
            )
        fixed, moving = report["fixed_shape"], report["moving_shape"]
        return result_type(
            planes=tuple(planes),
            way=report["way"],
            status=report["status"],
            reasons=tuple(report["reasons"]),
            fixed_shape=(int(fixed[0]), int(fixed[1])),
            moving_shape=(int(moving[0]), int(moving[1])),
            order=report["order"],
            nodata=report["nodata"],
            provenance=report["provenance"],
        )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InputError(f"{source / REPORT} is damaged; save the series again.") from error


def _names(result: SeriesResult) -> dict[int, str]:
    """Return the transforms' files by their identity; planes that share one share its file."""
    shared = len({id(plane.transform) for plane in result.planes}) == 1
    digits = max(4, len(str(len(result.planes))))
    names: dict[int, str] = {}
    for plane in result.planes:
        name = "all" if shared else f"{plane.index:0{digits}d}"
        names.setdefault(id(plane.transform), f"{TRANSFORMS}/plane_{name}.npz")
    return names


def _write_stack(
    result: SeriesResult,
    path: Path,
    axes: str | None,
    georeference: Georeference | None,
    run: Run,
) -> None:
    from napari_mmreg.io.tiff import write_tiff_stack

    stack = result.registered
    source = result.moving
    assert source is not None  # noqa: S101  # asked before
    leading = stack.ndim - 2 - source.channels_last
    letters = axes or "".join("T" if n == (source.axis or 0) else "Q" for n in range(leading))
    write_tiff_stack(
        path, stack.images(run), stack.shape, stack.dtype, letters, georeference, result.nodata
    )


def _table(result: SeriesResult, names: dict[int, str]) -> str:
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for plane in result.planes:
        row, col = result.drift[plane.index]
        cells: list[Any] = [plane.index, plane.status, plane.source]
        cells += [_number(value) for value in (row, col, math.hypot(row, col))]
        cells += [_number(plane.metrics.get(name, math.nan)) for name in COLUMNS[6:11]]
        writer.writerow([*cells, names[id(plane.transform)], " ".join(plane.reasons)])
    return text.getvalue()


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else ""
