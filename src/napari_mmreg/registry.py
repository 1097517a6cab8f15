"""Named things that are described at once and imported only when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from napari_mmreg.errors import InputError, ModelError


class _Named(Protocol):
    @property
    def name(self) -> str: ...


InfoT = TypeVar("InfoT", bound=_Named)
ThingT = TypeVar("ThingT")


class Registry(Generic[InfoT, ThingT]):
    """Descriptions and factories by name, in the order in which they were added.

    Parameters
    ----------
    noun : str
        What is in it, as error messages say it: ``"model"``.
    aliases : dict of str to str, optional
        Further names, each for one that is in it; they cannot be added.
    """

    def __init__(self, noun: str, aliases: dict[str, str] | None = None) -> None:
        self._noun = noun
        self.aliases = aliases or {}
        self.entries: dict[str, tuple[InfoT, str | Callable[[], ThingT]]] = {}

    def add(self, info: InfoT, factory: str | Callable[[], ThingT]) -> None:
        """Add one; a factory ``"module:name"`` is only imported when it is loaded.

        Raises
        ------
        InputError
            If the name is taken.
        """
        if info.name in self.entries or info.name in self.aliases:
            raise InputError(
                f"There is already a {self._noun} called {info.name!r}. Choose another name."
            )
        self.entries[info.name] = info, factory

    def infos(self) -> list[InfoT]:
        """Return all descriptions."""
        return [info for info, _ in self.entries.values()]

    def info(self, name: str) -> InfoT:
        """Return the description of one.

        Raises
        ------
        ModelError
            If there is none of this name; the message lists those there are.
        """
        return self._find(name)[0]

    def load(self, name: str) -> ThingT:
        """Make one.

        Raises
        ------
        ModelError
            If there is none of this name, or it cannot be made.
        """
        factory = self._find(name)[1]
        if isinstance(factory, str):
            module, _, attribute = factory.partition(":")
            factory = getattr(importlib.import_module(module), attribute)
        thing: ThingT = factory()
        return thing

    def _find(self, name: str) -> tuple[InfoT, str | Callable[[], ThingT]]:
        if not isinstance(name, str):
            raise InputError(
                f"The {self._noun} is a {type(name).__name__}; pass its name, one of: "
                f"{', '.join([*self.aliases, *self.entries])}."
            )
        wanted = self.aliases.get(name, name)
        if wanted not in self.entries:
            known = ", ".join([*self.aliases, *self.entries])
            raise ModelError(f"There is no {self._noun} called {name!r}. Choose one of: {known}.")
        return self.entries[wanted]
