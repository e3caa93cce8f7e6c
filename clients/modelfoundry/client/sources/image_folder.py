"""Folders of images, one folder a label: `SPLIT/LABEL/*.png`, or `LABEL/*.png` for one split `train`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, UnidentifiedImageError

from modelfoundry.client.sources.prepared import PreparedDataset
from modelfoundry.client.sources.splits import Images, checked_labels, require, write_split
from modelfoundry.errors import InvalidImage

SUFFIXES: Final = (".png", ".jpg", ".jpeg")
_FORMATS: Final = ("PNG", "JPEG")
_GREY_MODES: Final = ("1", "L", "LA")
_COLOUR_MODES: Final = ("RGB", "RGBA", "P", "PA", "CMYK", "YCbCr")


@dataclass(frozen=True, slots=True)
class Layout:
    """Size and colours that all images of a data set come to have."""

    height: int
    width: int
    mode: str

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return 1 if self.mode == "L" else 3


def recognises(path: Path) -> bool:
    """Whether there is an image one or two folders down."""
    return bool(_splits(path))


def read(path: Path, folder: Path, labels: Sequence[str], image_size: tuple[int, int] | None) -> PreparedDataset:
    """Reads all images, one at a time. Labels are the folders' names in alphabetical order, over all splits.

    Images are grey when all are, else RGB; transparency is dropped.

    Args:
        path: The folder.
        folder: Where the splits are put.
        labels: The folders' names in the order wanted. Empty: alphabetical.
        image_size: Height and width to scale to. None: all must have the same.

    Raises:
        InvalidImage: an image cannot be read, or has another size than the first; it is named.
        InvalidField: `labels` are not as many as folders.
        MalformedFile: `labels` lacks a folder.
    """
    splits = _splits(path)
    found = sorted({image.parent.name for images in splits.values() for image in images})
    names = checked_labels(labels, found)
    for name in found:
        require(
            name in names,
            path,
            f"the folder {name!r} is not among the labels given",
            f"its folders: {', '.join(found)}",
        )
    layout = _layout([image for images in splits.values() for image in images], image_size)
    files = {}
    for split, images in splits.items():
        files[split] = folder / f"{split}.safetensors"
        numbers = np.array([names.index(image.parent.name) for image in images], dtype=np.int64)
        shape = (len(images), layout.channels, layout.height, layout.width)
        write_split(files[split], shape, numbers, _pixels(images, layout))
    return PreparedDataset(names, files)


def _splits(path: Path) -> Mapping[str, list[Path]]:
    splits = {split.name: _images(split) for split in _folders(path)}
    splits = {name: images for name, images in splits.items() if images}
    return splits or ({"train": images} if (images := _images(path)) else {})


def _images(split: Path) -> list[Path]:
    return [
        image
        for label in _folders(split)
        for image in sorted(label.iterdir())
        if image.suffix.lower() in SUFFIXES and not image.name.startswith(".") and image.is_file()
    ]


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        return []
    return sorted(entry for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _layout(images: Sequence[Path], image_size: tuple[int, int] | None) -> Layout:
    sizes = ((image, *_header(image)) for image in images)
    first, height, width, mode = next(sizes)
    grey = mode in _GREY_MODES
    if image_size is not None:
        height, width = image_size
    for image, other_height, other_width, other_mode in sizes:
        grey = grey and other_mode in _GREY_MODES
        if image_size is None and (other_height, other_width) != (height, width):
            raise InvalidImage(
                f"{image} has {other_height} x {other_width} pixels and {first} has {height} x {width}",
                field="source",
                hint="pass image_size=(height, width) to scale all to one size",
            )
    return Layout(height, width, "L" if grey else "RGB")


def _header(path: Path) -> tuple[int, int, str]:
    try:
        with Image.open(path, formats=_FORMATS) as image:
            width, height = image.size
            mode = image.mode
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise InvalidImage(f"{path}: {error}", field="source", hint="remove or replace the image") from error
    if mode not in _GREY_MODES + _COLOUR_MODES:
        raise InvalidImage(f"{path} has pixels of kind {mode!r}", field="source", hint="save it with 8 bits a channel")
    return height, width, mode


def _pixels(images: Sequence[Path], layout: Layout) -> Iterator[Images]:
    for path in images:
        try:
            with Image.open(path, formats=_FORMATS) as image:
                converted = image.convert(layout.mode)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise InvalidImage(f"{path}: {error}", field="source", hint="remove or replace the image") from error
        if converted.size != (layout.width, layout.height):
            converted = converted.resize((layout.width, layout.height), Image.Resampling.BILINEAR)
        array = np.asarray(converted, dtype=np.uint8)
        yield array[None] if layout.mode == "L" else array.transpose(2, 0, 1)
