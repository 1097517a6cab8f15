"""Python code that repeats a run: from what it was given, not from what the dock is set to now."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.register.tiles import finest_of, was_refined
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.full_resolution import is_coarse, options_at_full_resolution
from napari_mmreg.gui.shared.job import engine_options
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.snapshot import Picture

if TYPE_CHECKING:
    from napari_mmreg.registration import RegistrationResult

_SCRIPT = '''"""Registers {moving} to {fixed}, as run {run} of the Register dock did."""

{imports}

{reading}

result = napari_mmreg.register(
    fixed,
    moving,
{options}
)
{tiles}print(result.status, *result.reasons, sep="\\n")
result.save("result")
'''


def script_of(run: RunRecord) -> str:
    """Return the code that registers the same two images in the same way.

    Images are read from the files or samples that the layers came from. For layers that came
    from nowhere the code says what to save first.

    Raises
    ------
    InputError
        If the run was made with landmarks: no call repeats what was marked by hand.
    """
    bundle = run.bundle
    provenance = bundle.result.provenance
    if "parent" in provenance:
        raise InputError(strings.NO_SCRIPT)
    snapshot = bundle.snapshot
    options, _note = engine_options(snapshot)
    refined = was_refined(bundle.result)
    if refined:
        options.update(options_at_full_resolution(snapshot, options))
    options["model"] = provenance.get("model", options["model"])
    masks = {
        name: mask
        for name, mask in (
            ("fixed_mask", snapshot.fixed_mask),
            ("moving_mask", snapshot.moving_mask),
        )
        if mask is not None
    }
    read = _reading_in_full if refined else _reading
    reading = [read("fixed", snapshot.fixed), read("moving", snapshot.moving)]
    crops = {"fixed_mask": snapshot.fixed.origin.crop}
    reading += [_reading(name, mask, crops.get(name, ())) for name, mask in masks.items()]
    lines = [f"    {name}={_code(value)}," for name, value in options.items() if value is not None]
    lines += [f"    {name}={name} != 0," for name in masks]
    code = _SCRIPT.format(
        moving=_comment(snapshot.moving.name),
        fixed=_comment(snapshot.fixed.name),
        run=run.number,
        imports="{imports}",
        reading="\n".join(reading),
        options="\n".join(lines),
        tiles=_tiles(bundle.result, options["device"], masks) if refined else "",
    )
    return code.replace("{imports}", _imports(code))


def _reading(name: str, picture: Picture, crop: tuple[int, ...] = ()) -> str:
    """Return the lines that bring one picture, or a part of it."""
    origin = picture.origin
    rows, cols = (origin.crop or crop)[::2], (origin.crop or crop)[1::2]
    part = f"[{rows[0]}:{rows[1]}, {cols[0]}:{cols[1]}]" if rows else ""
    if origin.sample:
        return f"{name} = load_sample({origin.sample!r}).{origin.side}{part}"
    if origin.path and not origin.coarse and len(origin.step) <= 1:
        page = f", page={origin.step[0]}" if origin.step else ""
        return f"{name} = read_image({origin.path!r}{page}){part}"
    return (
        f"# {strings.SAVE_FIRST.format(name=_comment(picture.name))}\n"
        f'{name} = np.load("{name}.npy"){part}'
    )


def _reading_in_full(name: str, picture: Picture) -> str:
    """Return the lines that bring all of a layer of which a run reads a coarser level."""
    origin = picture.origin
    if not is_coarse(picture):
        return _reading(name, picture)
    if origin.path and len(origin.step) <= 1:
        page = f"page={origin.step[0]}" if origin.step else ""
        return f"{name} = files.enter_context(open_pyramid({origin.path!r})).choose({page})"
    return (
        f"# {strings.SAVE_FINEST.format(name=_comment(picture.name))}\n"
        f'{name} = np.load("{name}.npy", mmap_mode="r")'
    )


def _tiles(result: RegistrationResult, device: str, masks: Collection[str]) -> str:
    """Return the lines that refine in tiles as a run was refined."""
    lines = [f"finest={finest_of(result)}", f"device={device!r}"]
    lines += [f"{name}={name} != 0" for name in masks]
    given = "".join(f"    {line},\n" for line in ("fixed", "moving", "result", *lines))
    return f"result = napari_mmreg.refine_tiles(\n{given})\n"


def _comment(name: str) -> str:
    """Return a layer's name so that it ends neither a line nor a string."""
    return "“" + " ".join(name.split()).replace("\\", "/").replace('"', "'") + "”"


def _code(value: Any) -> str:
    if isinstance(value, np.ndarray):
        rows = ", ".join(repr([float(x) for x in row]) for row in value)
        return f"np.array([{rows}])"
    return repr(value)


def _imports(code: str) -> str:
    """Return the imports that the code needs, in their usual order."""
    lines = ["import numpy as np\n"] if "np." in code else []
    lines.append("import napari_mmreg")
    opened = [name for name in ("open_pyramid", "read_image") if f"{name}(" in code]
    if opened:
        lines.append(f"from napari_mmreg.io import {', '.join(opened)}")
    if "load_sample(" in code:
        lines.append("from napari_mmreg.samples import load_sample")
    if "files." in code:
        lines.insert(0, "from contextlib import ExitStack\n")
        lines.append("\nfiles = ExitStack()")
    return "\n".join(lines)
