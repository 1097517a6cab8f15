"""What a result layer is before it is made, and what all layers of a run have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from napari_mmreg.gui.shared.modalities import METADATA_KEY
from napari_mmreg.gui.shared.placement import part_of
from napari_mmreg.gui.shared.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class LayerSpec:
    """One layer to be made: napari's ``Layer.create(data, kwargs, kind)``."""

    role: str
    kind: Literal["image", "labels", "vectors", "points"]
    data: Any
    kwargs: dict[str, Any]


def layer_name(run: int, role: str) -> str:
    """Return the name of a run's layer: napari has no groups, a common prefix stands for one."""
    return f"[{run}] {role}"


def shared_kwargs(snapshot: Snapshot, role: str, stride: int = 1) -> dict[str, Any]:
    """Return what all layers of a run have in common: name, place in the world, provenance."""
    return {
        **part_of(snapshot.fixed.placement, (0, 0), stride),
        "name": layer_name(snapshot.run, role),
        "metadata": {
            METADATA_KEY: {
                "run": snapshot.run,
                "role": role,
                "fixed": snapshot.fixed.name,
                "moving": snapshot.moving.name,
            }
        },
    }
