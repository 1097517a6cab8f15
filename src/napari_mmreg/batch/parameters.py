"""How the pairs of a batch are registered, kept in a YAML file that repeats it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from napari_mmreg.errors import InputError
from napari_mmreg.imaging.checks import check_modalities, check_spacing
from napari_mmreg.io import write_text
from napari_mmreg.models import get_info
from napari_mmreg.models.budgets import BALANCED, check_budget

Spacing = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BatchParameters:
    """What `register` is told about every pair of a batch.

    Attributes
    ----------
    model, budget, device, refine, seed, detect_borders
        As of `register`.
    fixed_spacing, moving_spacing : (float, float) or None
        Size of a pixel along rows and columns, of all pairs; both in one unit.
    fixed_modality, moving_modality : str or None
        What the sensors are.

    Raises
    ------
    InputError
        If a value cannot be used.
    ModelError
        If there is no such model.
    """

    model: str = "auto"
    budget: str = BALANCED
    device: str = "auto"
    refine: bool = True
    seed: int = 0
    detect_borders: bool = True
    fixed_spacing: Spacing | None = None
    moving_spacing: Spacing | None = None
    fixed_modality: str | None = None
    moving_modality: str | None = None

    def __post_init__(self) -> None:
        get_info(self.model)
        check_budget(self.budget)
        for name, kind in (("refine", bool), ("detect_borders", bool), ("seed", int)):
            value = getattr(self, name)
            if type(value) is not kind:
                raise InputError(f"{name} has to be {_KINDS[kind]}, not {value!r}.")
        for side in ("fixed", "moving"):
            name = f"{side}_spacing"
            if getattr(self, name) is not None:
                object.__setattr__(self, name, check_spacing(getattr(self, name), side))
        if self.moving_spacing is not None and self.fixed_spacing is None:
            raise InputError("moving_spacing needs fixed_spacing, in the same unit.")
        check_modalities((self.fixed_modality, self.moving_modality))

    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of `register`."""
        options: dict[str, Any] = {
            "model": self.model,
            "budget": self.budget,
            "device": self.device,
            "refine": self.refine,
            "seed": self.seed,
            "detect_borders": self.detect_borders,
            "modalities": (self.fixed_modality, self.moving_modality),
        }
        if self.fixed_spacing is not None:
            options["fixed_spacing"] = self.fixed_spacing
            options["moving_spacing"] = self.moving_spacing
        return options

    def plain(self) -> dict[str, Any]:
        """Return all values, as YAML and JSON know them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    def save(self, path: str | Path) -> None:
        """Write a YAML file.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        write_text(path, yaml.safe_dump(self.plain(), sort_keys=False))

    @classmethod
    def load(cls, path: str | Path) -> BatchParameters:
        """Read a YAML file; what it leaves out has its default.

        Raises
        ------
        InputError
            If it is missing, damaged, or names a parameter that there is not.
        """
        try:
            found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise InputError(f"{path} cannot be read as YAML: {error}.") from error
        if found is None:
            return cls()
        if not isinstance(found, Mapping):
            raise InputError(f"{path} does not list parameters as 'name: value', one a line.")
        known = [each.name for each in fields(cls)]
        unknown = [str(name) for name in found if name not in known]
        if unknown:
            raise InputError(
                f"{path} names {', '.join(unknown)}. The parameters are {', '.join(known)}."
            )
        return cls(**found)


_KINDS = {bool: "true or false", int: "a whole number"}
