"""Python code that repeats a run: from what it was given, not from what the dock is set to now."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_mmreg.errors import InputError
from napari_mmreg.gui.shared import strings
from napari_mmreg.gui.shared.job import engine_options
from napari_mmreg.gui.shared.run_record import RunRecord
from napari_mmreg.gui.shared.snapshot import Picture

_SCRIPT = '''"""Registers {moving} to {fixed}, as run {run} of the Register dock did."""

{imports}

{reading}

result = napari_mmreg.register(
    fixed,
    moving,
{options}
)
print(result.status, *result.reasons, sep="\\n")
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
    options["model"] = provenance.get("model", options["model"])
    masks = {
        name: mask
        for name, mask in (
            ("fixed_mask", snapshot.fixed_mask),
            ("moving_mask", snapshot.moving_mask),
        )
        if mask is not None
    }
    reading = [_reading("fixed", snapshot.fixed), _reading("moving", snapshot.moving)]
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
    if "read_image(" in code:
        lines.append("from napari_mmreg.io import read_image")
    if "load_sample(" in code:
        lines.append("from napari_mmreg.samples import load_sample")
    return "\n".join(lines)
