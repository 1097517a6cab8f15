"""napari's reader: a transform file that is dropped on the viewer, or opened, becomes a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_mmreg.geometry.files import FileKind, FileOptions, recognised_kind
from napari_mmreg.geometry.units import PIXEL
from napari_mmreg.gui.shared.carried import pixels_of
from napari_mmreg.gui.transforms import strings

if TYPE_CHECKING:
    from napari.types import LayerData

    from napari_mmreg.geometry import Transform
    from napari_mmreg.gui.shared.snapshot import Picture

Paths = str | Sequence[str]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return `read` if all files are transforms, None otherwise; nothing large is read."""
    return read if all(recognised_kind(Path(each)) for each in _list(path)) else None


def read(path: Paths) -> list[LayerData]:
    """Open transform files; see the user guide for what is assumed of the images.

    Raises
    ------
    RegistrationError
        If a file cannot be read; napari shows the sentence.
    """
    return [_open(Path(each)) for each in _list(path)]


def _list(path: Paths) -> list[str]:
    return [path] if isinstance(path, str) else list(path)


def _open(path: Path) -> LayerData:
    kind = recognised_kind(path)
    picture = fixed_picture()
    options = FileOptions() if picture is None else options_for(picture, picture)
    transform, layer = open_with(path, kind, options, picture)
    if kind is not None:
        tell(path, kind, transform, options)
    return layer


def open_with(
    path: Path, kind: FileKind | None, options: FileOptions, picture: Picture | None
) -> tuple[Transform, LayerData]:
    """Return a file's transform and the layer that shows it, placed like the fixed image."""
    from napari_mmreg.geometry.files import read_file
    from napari_mmreg.gui.transforms.arrows import layer_data

    transform = read_file(path, options, None if kind is None else kind.name)
    own = transform.fixed_frame
    if picture is not None and own is not None and own.shape != picture.shape:
        picture = None  # made for another image
    place = None if picture is None else dict(picture.placement.layer_kwargs)
    shape = None if picture is None else picture.shape
    return transform, layer_data(transform, path.name, shape, place)


def options_for(fixed: Picture | None, moving: Picture | None) -> FileOptions:
    """Return what the images say: the fixed one's size, and both pixel sizes in its unit.

    Raises
    ------
    InputError
        If the images are measured in units that do not belong together.
    """
    if fixed is None:
        return FileOptions()
    known = pixels_of(fixed, fixed if moving is None else moving)
    if known is None:
        return FileOptions(fixed_shape=fixed.shape)
    spacing, other, unit = known
    return FileOptions(fixed.shape, spacing, None if moving is None else other, unit)


def fixed_picture() -> Picture | None:
    """Return the selected image of the viewer, else its lowest one, as a transform sees it."""
    import napari
    from napari.layers import Image

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    selected = [layer for layer in images if layer in viewer.layers.selection]
    chosen = (selected or images or [None])[0]
    return None if chosen is None else whole_picture(chosen)


def whole_picture(layer: Any) -> Picture:
    """Return an image layer's picture at full resolution: files know no other."""
    from dataclasses import replace

    from napari_mmreg.gui.shared.placement import place
    from napari_mmreg.gui.shared.snapshot import take_picture

    picture = take_picture(layer)
    if not layer.multiscale:
        return picture
    step = (0,) * (layer.ndim - 2)
    finest = layer.data[0]
    return replace(picture, data=finest[step] if step else finest, placement=place(layer, step))


def tell(path: Path, kind: FileKind, transform: Transform, options: FileOptions) -> None:
    """Say what was opened, what was assumed, and what can be done with it."""
    from napari.utils.notifications import show_info

    frame = transform.fixed_frame
    if "physical" in kind.convention and (frame is None or frame.spacing is None):
        rows, cols = options.spacings[0]
        spacing = f"{rows:g} x {cols:g} {options.unit or PIXEL}"
        said = [strings.OPENED_FOR.format(name=path.name, spacing=spacing), strings.OTHER_PIXELS]
    else:
        said = [strings.OPENED.format(name=path.name)]
    said += [strings.ARROWS, strings.APPLY]
    show_info(" ".join(said))
