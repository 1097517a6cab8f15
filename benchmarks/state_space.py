"""Time and memory of the state-space scans against the number of tokens.

Every point is a process of its own with one thread, so that its peak memory is its own and
nothing is warm from another size. Time is CPU time: other jobs on the machine disturb it less
than wall time. Writes ``results/state_space.json``, ``.md`` and, with matplotlib, ``.png``.

Usage: python benchmarks/state_space.py [--smallest 1024] [--largest 65536] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
SCANS = ("selective_scan", "ssd", "ssd_noncausal")
CHANNELS, HEADS, STATE = 128, 4, 16  # one scan direction of a block of 64 channels
QUANTITIES = {
    "forward_s": "forward (CPU s)",
    "training_s": "forward + backward (CPU s)",
    "forward_mib": "forward peak (MiB)",
    "training_mib": "forward + backward peak (MiB)",
}


def build(scan: str, tokens: int) -> tuple[Callable[..., Any], dict[str, Any]]:
    """Return the scan and its random inputs."""
    import torch

    from napari_mmreg.nn.selective_scan import selective_scan
    from napari_mmreg.nn.ssd import ssd
    from napari_mmreg.nn.ssd_noncausal import ssd_noncausal

    torch.manual_seed(0)
    if scan == "selective_scan":
        inputs = {
            "x": torch.randn(1, CHANNELS, tokens),
            "dt": 0.1 * torch.rand(1, CHANNELS, tokens),
            "a": -torch.arange(1.0, STATE + 1).repeat(CHANNELS, 1),
            "b": torch.randn(1, STATE, tokens),
            "c": torch.randn(1, STATE, tokens),
        }
        return selective_scan, inputs
    inputs = {
        "x": torch.randn(1, tokens, HEADS, CHANNELS // HEADS),
        "b": torch.randn(1, tokens, 1, STATE),
        "c": torch.randn(1, tokens, 1, STATE),
    }
    steps = 0.1 * torch.rand(1, tokens, HEADS)
    if scan == "ssd":
        return ssd, inputs | {"dt": steps, "a": -torch.linspace(1, 16, HEADS)}
    return ssd_noncausal, inputs | {"weight": steps}


def peak_mib() -> float:
    """Return the highest memory this process has held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def measure(scan: str, tokens: int, repeats: int) -> dict[str, Any]:
    """Measure one point in this process."""
    import torch

    torch.set_num_threads(1)
    function, inputs = build(scan, 256)
    for tensor in inputs.values():
        tensor.requires_grad_()
    function(**inputs).sum().backward()  # load what is loaded at the first call

    def cpu_seconds(call: Callable[[], Any]) -> float:
        best = float("inf")
        for _ in range(repeats):
            start = time.process_time()
            call()
            best = min(best, time.process_time() - start)
        return best

    function, inputs = build(scan, tokens)

    def forward() -> None:
        with torch.no_grad():
            function(**inputs)

    def training() -> None:
        y = function(**inputs)
        torch.autograd.grad(y, list(inputs.values()), torch.ones_like(y))

    start = peak_mib()
    point: dict[str, Any] = {"scan": scan, "tokens": tokens}
    point["forward_s"] = cpu_seconds(forward)
    point["forward_mib"] = peak_mib() - start
    for tensor in inputs.values():
        tensor.requires_grad_()
    point["training_s"] = cpu_seconds(training)
    point["training_mib"] = peak_mib() - start
    return point


def slope(points: list[dict[str, Any]], quantity: str) -> float:
    """Fit the exponent of the growth with the tokens: 1 is linear."""
    import numpy as np

    kept = [(p["tokens"], p[quantity]) for p in points if p[quantity] > 0]
    tokens, values = np.log(np.array(kept, dtype=float)).T
    return float(np.polyfit(tokens, values, 1)[0])


def machine() -> dict[str, Any]:
    """Describe what the numbers were measured on."""
    from importlib.metadata import version

    names = Path("/proc/cpuinfo")
    lines = names.read_text().splitlines() if names.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "torch": version("torch"),
        "date": time.strftime("%Y-%m-%d"),
    }


def report(results: dict[str, Any]) -> str:
    """Write the results as markdown."""
    about, settings = results["machine"], results["settings"]
    lines = [
        "# State-space scans: cost against tokens",
        "",
        f"One sequence of {settings['channels']} channels, {settings['state']} states, "
        f"{settings['heads']} heads (`ssd`, `ssd_noncausal`), float32, one thread, PyTorch "
        f"{about['torch']} on {about['cpu']}, {about['date']}, load average "
        f"{about['load_average']}. CPU time, best of {settings['repeats']}; memory above the "
        "inputs; slopes of log cost against log tokens (1 is linear).",
    ]
    for quantity, title in QUANTITIES.items():
        table = {(p["scan"], p["tokens"]): p[quantity] for p in results["points"]}
        lines += ["", f"## {title}", "", "| tokens | " + " | ".join(SCANS) + " |"]
        lines.append("| ---: " * (len(SCANS) + 1) + "|")
        digits = 4 if quantity.endswith("_s") else 1
        for tokens in settings["tokens"]:
            cells = (f"{table[scan, tokens]:.{digits}f}" for scan in SCANS)
            lines.append(f"| {tokens} | " + " | ".join(cells) + " |")
        for label, fits in (("slope", "slopes"), ("slope, upper half", "slopes_upper_half")):
            cells = (f"{results[fits][scan][quantity]:.2f}" for scan in SCANS)
            lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def plot(results: dict[str, Any], path: Path) -> bool:
    """Draw all four quantities; False without matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 7), layout="constrained", sharex=True)
    for axis, (quantity, title) in zip(axes.T.flat, QUANTITIES.items(), strict=True):
        for scan in SCANS:
            points = [p for p in results["points"] if p["scan"] == scan]
            axis.loglog(
                [p["tokens"] for p in points],
                [p[quantity] for p in points],
                "o-",
                label=f"{scan}: slope {results['slopes'][scan][quantity]:.2f}",
            )
        axis.set(title=title, xlabel="tokens")
        axis.grid(visible=True, which="both", alpha=0.3)
        axis.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smallest", type=int, default=1024)
    parser.add_argument("--largest", type=int, default=65536)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--point", nargs=2, metavar=("SCAN", "TOKENS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        scan, tokens = options.point
        print(json.dumps(measure(scan, int(tokens), options.repeats)))
        return

    sizes = [options.smallest]
    while sizes[-1] * 2 <= options.largest:
        sizes.append(sizes[-1] * 2)
    about = machine()
    points = []
    for scan in SCANS:
        for tokens in sizes:
            command = [sys.executable, __file__, "--repeats", str(options.repeats)]
            command += ["--point", scan, str(tokens)]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                command, check=True, capture_output=True, text=True, env=environment
            )
            points.append(json.loads(done.stdout))
            print(json.dumps(points[-1]), file=sys.stderr, flush=True)

    results: dict[str, Any] = {
        "machine": about,
        "settings": {
            "channels": CHANNELS, "heads": HEADS, "state": STATE,
            "tokens": sizes, "repeats": options.repeats,
        },
        "points": points,
    }  # fmt: skip
    for name, kept in (("slopes", sizes), ("slopes_upper_half", sizes[len(sizes) // 2 :])):
        results[name] = {
            scan: {
                quantity: slope(
                    [p for p in points if p["scan"] == scan and p["tokens"] in kept], quantity
                )
                for quantity in QUANTITIES
            }
            for scan in SCANS
        }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "state_space.json").write_text(json.dumps(results, indent=1) + "\n")
    text = report(results)
    (RESULTS / "state_space.md").write_text(text)
    print(text)
    plot(results, RESULTS / "state_space.png")


if __name__ == "__main__":
    main()
