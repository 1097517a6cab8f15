"""What a transform remembers of its two images, and of where it comes from."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

from napari_mmreg.errors import TransformError
from napari_mmreg.geometry.frame import Frame


class Framed:
    """What knows the two images that it was made for, and its provenance; files keep both."""

    _frames: tuple[Frame | None, Frame | None] = (None, None)
    _provenance: Mapping[str, Any] = MappingProxyType({})

    @property
    def fixed_frame(self) -> Frame | None:
        """The fixed image that it was made for, where that is known."""
        return self._frames[0]

    @property
    def moving_frame(self) -> Frame | None:
        """The moving image that it was made for, where that is known."""
        return self._frames[1]

    def with_frames(self, fixed: Frame | None, moving: Frame | None) -> Self:
        """Return the same transform, made for these images; with None twice, for any."""
        if self._frames == (fixed, moving):
            return self
        framed = copy.copy(self)
        framed._frames = (fixed, moving)  # noqa: SLF001  our own, copied
        return framed

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where it comes from, as `with_provenance` was told; read-only, empty if unknown."""
        return MappingProxyType(dict(self._provenance))

    def with_provenance(self, provenance: Mapping[str, Any]) -> Self:
        """Return the same transform that remembers where it comes from.

        Parameters
        ----------
        provenance : mapping
            What JSON can hold, such as `RegistrationResult.provenance`; ``.npz`` files keep it.

        Raises
        ------
        TransformError
            If JSON cannot hold it.
        """
        try:
            kept = json.loads(json.dumps(dict(provenance)))
        except (TypeError, ValueError) as error:
            raise TransformError(
                f"The provenance cannot be written as JSON ({error}); use texts, numbers, lists "
                "and dicts with texts as keys."
            ) from error
        told = copy.copy(self)
        told._provenance = kept  # noqa: SLF001  our own, copied
        return told
