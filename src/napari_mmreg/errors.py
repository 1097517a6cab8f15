"""Errors that users meet; every message says what to do about it."""

from __future__ import annotations


class RegistrationError(Exception):
    """Base of all errors that napari-mmreg raises on purpose."""


class InputError(RegistrationError, ValueError):
    """The images, masks, points or options cannot be used as given."""


class ModelError(RegistrationError):
    """A model is unknown, or its weights are missing or damaged."""


class TransformError(RegistrationError, ValueError):
    """A transform cannot be built, inverted, read or written."""


class DeviceError(RegistrationError, RuntimeError):
    """The requested device is absent or ran out of memory."""


class MissingExtraError(RegistrationError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""


class Cancelled(RegistrationError):  # noqa: N818  it is no error to change one's mind
    """The user cancelled the run; nothing was changed."""
