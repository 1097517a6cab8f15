"""What the configurations of all networks share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self


class NetworkConfig:
    """Base of the frozen dataclasses that hold a network's constructor arguments.

    Their fields are of JSON types, and tuples of them: ``config.json`` keeps them with the weights.
    """

    __slots__ = ()

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> Self:
        """Build from what JSON keeps of the fields: lists become tuples."""
        values = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in settings.items()
        }
        return cls(**values)
