"""Pages made from templates that lie in this package."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def page_template(folder: str, name: str) -> Template:
    """Return a template that escapes what it shows, and refuses what it is not given.

    Parameters
    ----------
    folder : str
        Below ``napari_mmreg``, such as ``"batch"``.
    name : str
        Of the file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("napari_mmreg", folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.get_template(name)
