"""Turn benchmark records into Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy.protocols import CORRECTION
from benchmarks.accuracy.records import Record


@dataclass(frozen=True, slots=True)
class Summary:
    """Statistics of RE (px at 256-px scale) over the pairs of one record.

    Attributes
    ----------
    count, failures, worse : int
        Pairs, exceptions, and pairs whose error is not below that of doing nothing.
    median, mean : float
        Of RE, in px.
    below_1, below_3, below_5 : float
        Per cent of the pairs.
    seconds, cpu_seconds : float
        Median per pair.
    """

    count: int
    failures: int
    worse: int
    median: float
    mean: float
    below_1: float
    below_3: float
    below_5: float
    seconds: float
    cpu_seconds: float


def summarise(pairs: Sequence[Record]) -> Summary:
    """Compute the statistics of one record's pairs."""
    error = np.array([p["error"] for p in pairs])
    before = np.array([p["error_before"] for p in pairs])
    return Summary(
        count=len(pairs),
        failures=sum(bool(p["failure"]) for p in pairs),
        worse=int((error >= before).sum()),
        median=float(np.median(error)),
        mean=float(error.mean()),
        below_1=float((error < 1).mean() * 100),
        below_3=float((error < 3).mean() * 100),
        below_5=float((error < 5).mean() * 100),
        seconds=float(np.median([p["seconds"] for p in pairs])),
        cpu_seconds=float(np.median([p["cpu_seconds"] for p in pairs])),
    )


def tabulate(records: Iterable[Record]) -> dict[tuple[str, str], list[Record]]:
    """Gather records per data set and protocol, the best median first."""
    tables: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        tables.setdefault((record["data"], record["protocol"]), []).append(record)
    for rows in tables.values():
        rows.sort(key=lambda r: summarise(r["pairs"]).median)
    return dict(sorted(tables.items()))


def plot_recall(records: Iterable[Record], folder: Path) -> dict[tuple[str, str], str]:
    """Draw, per data set and protocol, the share of pairs below each error.

    Returns
    -------
    dict
        Data set and protocol to the PNG's name in `folder`; empty without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    names = {}
    for (data, protocol), rows in tabulate(records).items():
        if protocol == CORRECTION:
            continue
        figure = Figure(figsize=(7, 4), layout="constrained")
        axes = figure.add_subplot()
        for row in rows:
            error = np.sort([p["error"] for p in row["pairs"]])
            share = 100 * np.arange(1, len(error) + 1) / len(error)
            axes.step(error, share, where="post", label=row["method"])
        axes.set(xlim=(0, 12), ylim=(0, 100), xlabel="RE (px at 256)", ylabel="pairs below (%)")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        names[data, protocol] = f"recall-{data}-{protocol}.png"
        figure.savefig(folder / names[data, protocol], dpi=90)
    return names


def plot_recovery(records: Iterable[Record], folder: Path) -> dict[tuple[str, str], str]:
    """Draw, per data set and elastic protocol, each method's median recovery by modality.

    Returns
    -------
    dict
        Data set and protocol to the PNG's name in `folder`; empty without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return {}
    names = {}
    for (data, protocol), rows in tabulate(records).items():
        bent = bent_rows(rows)
        if not bent:
            continue
        groups = sorted({p["group"] for _, pairs in bent for p in pairs})
        figure = Figure(figsize=(8, 3.5), layout="constrained")
        axes = figure.add_subplot()
        places, width = np.arange(len(groups)), 0.8 / len(bent)
        for number, (method, pairs) in enumerate(bent):
            heights = [_median(pairs, "elastic_recovery", group) for group in groups]
            offset = (number - (len(bent) - 1) / 2) * width
            axes.bar(places + offset, heights, width, label=method)
        axes.set_xticks(places, groups, rotation=20)
        axes.set(ylabel="elastic recovery (median)")
        axes.axhline(0, color="black", linewidth=0.8)
        axes.grid(axis="y", alpha=0.3)
        axes.legend(fontsize="small")
        names[data, protocol] = f"recovery-{data}-{protocol}.png"
        figure.savefig(folder / names[data, protocol], dpi=80)
    return names


def bent_rows(rows: Sequence[Record]) -> list[tuple[str, list[Record]]]:
    """Return each method's pairs that have an elastic score, best median recovery first.

    Records of before there was such a score are left out.
    """
    found = [
        (str(row["method"]), [p for p in row["pairs"] if "elastic_recovery" in p]) for row in rows
    ]
    return sorted(
        ((method, pairs) for method, pairs in found if pairs),
        key=lambda row: -_median(row[1], "elastic_recovery"),
    )


def _median(pairs: Sequence[Record], key: str, group: str | None = None) -> float:
    values = [p[key] for p in pairs if group is None or p["group"] == group]
    return float(np.median(values)) if values else float("nan")


def markdown(
    records: Iterable[Record],
    plots: Mapping[tuple[str, str], str] | None = None,
    recovery_plots: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """Write the tables: per data set and protocol, best median first; status; provenance."""
    tables = tabulate(records)
    parts = []
    for (data, protocol), rows in tables.items():
        if protocol == CORRECTION:
            parts.append(_correction_table(data, rows))
            continue
        parts += [
            _accuracy_table(data, protocol, rows),
            _elastic_table(rows),
            _trust_table(rows),
        ]
        if plots and (data, protocol) in plots:
            parts.append(f"![Pairs below an error]({plots[data, protocol]})")
        if recovery_plots and (data, protocol) in recovery_plots:
            parts.append(f"![Elastic recovery by modality]({recovery_plots[data, protocol]})")
    parts.append(_provenance(record for rows in tables.values() for record in rows))
    return "\n\n".join(part for part in parts if part) + "\n"


def _accuracy_table(data: str, protocol: str, rows: list[Record]) -> str:
    groups = sorted({p["group"] for row in rows for p in row["pairs"]})
    first = summarise([{**p, "error": p["error_before"]} for p in rows[0]["pairs"]])
    lines = [
        f"### {data}, {protocol}: {first.count} pairs "
        f"(doing nothing: median {first.median:.2f}, mean {first.mean:.2f} px)",
        "",
        "| method | median | mean | <1 % | <3 % | <5 % | no better than nothing | errors "
        f"| s | cpu s | {' | '.join(groups)} |",
        "|---" * (10 + len(groups)) + "|",
    ]
    for row in rows:
        s = summarise(row["pairs"])
        medians = [
            f"{np.median([p['error'] for p in row['pairs'] if p['group'] == g] or [np.nan]):.2f}"
            for g in groups
        ]
        cells = [
            str(row["method"]),
            *(f"{value:.2f}" for value in (s.median, s.mean)),
            *(f"{value:.0f}" for value in (s.below_1, s.below_3, s.below_5)),
            *(str(value) for value in (s.worse, s.failures)),
            *(f"{value:.2f}" for value in (s.seconds, s.cpu_seconds)),
            *medians,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _elastic_table(rows: list[Record]) -> str:
    """Show how much of the true bend each method finds, and the elastic and global error left."""
    bent = bent_rows(rows)
    if not bent:
        return ""
    groups = sorted({p["group"] for _, pairs in bent for p in pairs})
    lines = [
        "| elastic part | pairs | recovery (median) | elastic error left (px) "
        f"| global error left (px) | {' | '.join(f'recovery {group}' for group in groups)} |",
        "|---" * (5 + len(groups)) + "|",
    ]
    for method, pairs in bent:
        cells = [
            method,
            str(len(pairs)),
            *(f"{_median(pairs, k):.2f}" for k in ("elastic_recovery", "elastic_left")),
            f"{_median(pairs, 'global_left'):.2f}",
            *(f"{_median(pairs, 'elastic_recovery', group):.2f}" for group in groups),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _correction_table(data: str, rows: list[Record]) -> str:
    """Show the error at unused landmarks without and with a correction by the others."""
    lines = [
        f"### {data}, {CORRECTION}: {len(rows[0]['pairs'])} pairs, error at the unused half of the "
        "landmarks",
        "",
        "| method | alone: median | mean | corrected: median | mean | lower | higher "
        "| highest rise | <3 px alone % | <3 px corrected % |",
        "|---" * 10 + "|",
    ]
    for row in rows:
        before = np.array([p["error_before"] for p in row["pairs"]])
        after = np.array([p["error"] for p in row["pairs"]])
        numbers = [np.median(before), before.mean(), np.median(after), after.mean()]
        cells = [
            str(row["method"]),
            *(f"{value:.2f}" for value in numbers),
            str(int((after < before).sum())),
            str(int((after > before).sum())),
            f"{max(0.0, float((after - before).max())):.2f}",
            *(f"{100 * (errors < 3).mean():.0f}" for errors in (before, after)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _trust_table(rows: list[Record]) -> str:
    """Show what our models said of themselves: pairs and median error per status, worst harm."""
    lines = []
    for row in rows:
        if not any(p["status"] for p in row["pairs"]):
            continue
        cells = []
        for status in ("ok", "doubtful", "failed"):
            errors = [p["error"] for p in row["pairs"] if p["status"] == status]
            cells.append(f"{len(errors)} ({np.median(errors):.2f} px)" if errors else "0")
        harm = [p["error"] - p["error_before"] for p in row["pairs"] if p["status"] == "ok"]
        worst = f"{max(0.0, *harm):.2f} px" if harm else "no pair"
        lines.append(f"| {row['method']} | {' | '.join(cells)} | {worst} |")
    if not lines:
        return ""
    head = [
        "| says of itself | ok (median RE) | doubtful | failed | worst harm among ok |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(head + lines)


def _provenance(records: Iterable[Record]) -> str:
    seen: dict[tuple[str, str], list[str]] = {}
    for record in records:
        env = record["environment"]
        text = ", ".join(f"{key} {value}" for key, value in env.items())
        seen.setdefault((record["command"], text), []).append(record["method"])
    lines = ["### Where the figures come from", ""]
    for (command, text), methods in seen.items():
        names = ", ".join(sorted(set(methods)))
        lines.append(f"- `{command}`: {names} ({text})")
    return "\n".join(lines)
