"""Folders of images, one folder a label: `SPLIT/LABEL/*.png`, or `LABEL/*.png` for one split `train`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from modelfoundry.client.sources.prepared import PreparedDataset
from modelfoundry.client.sources.splits import Images, checked_labels, require, write_split
from modelfoundry.errors import InvalidImage
from modelfoundry.pictures.decoding import Measured, UnreadablePicture, decode, measure

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".gif", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Layout:
    """Size and colours that all images of a data set come to have: 1 channel for grey, 3 for colour."""

    height: int
    width: int
    channels: int


def recognises(path: Path) -> bool:
    """Whether there is an image one or two folders down."""
    return bool(_splits(path))


def read(path: Path, folder: Path, labels: Sequence[str], image_size: tuple[int, int] | None) -> PreparedDataset:
    """Reads all images, one at a time. Labels are the folders' names in alphabetical order, over all splits.

    Images are decoded as for predictions (`modelfoundry.pictures.decoding`): grey when all are, else RGB.

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
    sizes = ((image, _measured(image)) for image in images)
    first, found = next(sizes)
    grey = found.grey
    height, width = image_size or (found.height, found.width)
    for image, other in sizes:
        grey = grey and other.grey
        if image_size is None and (other.height, other.width) != (height, width):
            raise InvalidImage(
                f"{image} has {other.height} x {other.width} pixels and {first} has {height} x {width}",
                field="source",
                hint="pass image_size=(height, width), or --image-size 32x32, to scale all to one size",
            )
    return Layout(height, width, 1 if grey else 3)


def _measured(path: Path) -> Measured:
    try:
        return measure(path)
    except UnreadablePicture as error:
        raise _refusal(path, error) from error


def _pixels(images: Sequence[Path], layout: Layout) -> Iterator[Images]:
    for path in images:
        try:
            yield decode(path, layout.channels, layout.height, layout.width).pixels
        except UnreadablePicture as error:
            raise _refusal(path, error) from error


def _refusal(path: Path, error: UnreadablePicture) -> InvalidImage:
    return InvalidImage(f"{path}: {error}", field="source", hint="remove or replace the picture")
