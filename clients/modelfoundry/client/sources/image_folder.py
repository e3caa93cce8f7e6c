"""Folders of pictures, one folder a label: `SPLIT/LABEL/PICTURE`, or `LABEL/PICTURE` for one split `train`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelfoundry.client.sources.picture_folders import FoundPictures, Picture
from modelfoundry.client.sources.prepared import FileRemark, PreparedDataset, SourceReport, shown
from modelfoundry.client.sources.splits import Images, checked_labels, require, write_split
from modelfoundry.errors import InvalidImage
from modelfoundry.pictures.decoding import UnreadablePicture, decode


@dataclass(frozen=True, slots=True)
class Layout:
    """Size and colours that all images of a data set come to have: 1 channel for grey, 3 for colour."""

    height: int
    width: int
    channels: int


def read(
    path: Path, found: FoundPictures, folder: Path, labels: Sequence[str], image_size: tuple[int, int] | None
) -> PreparedDataset:
    """Reads all images, one at a time. Labels are the folders' names in alphabetical order, over all splits.

    Images are decoded as for predictions (`modelfoundry.pictures.decoding`): grey when all are, else RGB.

    Args:
        path: The folder.
        found: The pictures in it.
        folder: Where the splits are put.
        labels: The folders' names in the order wanted. Empty: alphabetical.
        image_size: Height and width to scale to. None: all must have the same.

    Raises:
        InvalidImage: images cannot be decoded, or one has another size than the first; they are named.
        InvalidField: `labels` are not as many as folders.
        MalformedFile: `labels` lacks a folder.
    """
    every = [picture for pictures in found.splits.values() for picture in pictures]
    present = sorted({picture.label for picture in every})
    names = checked_labels(labels, present)
    for name in present:
        require(
            name in names,
            path,
            f"the folder {name!r} is not among the labels given",
            f"its folders: {', '.join(present)}",
        )
    reading = _Reading(path, _layout(every, image_size))
    files = {}
    for split, pictures in found.splits.items():
        files[split] = folder / f"{split}.safetensors"
        numbers = np.array([names.index(picture.label) for picture in pictures], dtype=np.int64)
        shape = (len(pictures), reading.layout.channels, reading.layout.height, reading.layout.width)
        write_split(files[split], shape, numbers, reading.pixels(pictures))
    reading.refuse_damaged()
    return PreparedDataset(names, files, SourceReport(found.left_out, tuple(reading.notes)))


def _layout(pictures: Sequence[Picture], image_size: tuple[int, int] | None) -> Layout:
    first = pictures[0]
    height, width = image_size or (first.measured.height, first.measured.width)
    for picture in pictures:
        other = picture.measured
        if image_size is None and (other.height, other.width) != (height, width):
            raise InvalidImage(
                f"{picture.path} has {other.height} x {other.width} pixels and {first.path} has {height} x {width}",
                field="source",
                hint="pass image_size=(height, width), or --image-size 32x32, to scale all to one size",
            )
    return Layout(height, width, 1 if all(picture.measured.grey for picture in pictures) else 3)


class _Reading:
    """Decodes pictures one after another, and keeps what there is to say of them."""

    def __init__(self, root: Path, layout: Layout) -> None:
        self._root = root
        self._damaged: list[tuple[str, UnreadablePicture]] = []
        self.layout = layout
        self.notes: list[FileRemark] = []

    def pixels(self, pictures: Sequence[Picture]) -> Iterator[Images]:
        """Pixels of every picture that can be decoded; the others are kept for `refuse_damaged`."""
        for picture in pictures:
            name = picture.path.relative_to(self._root).as_posix()
            try:
                decoded = decode(picture.path, self.layout.channels, self.layout.height, self.layout.width)
            except UnreadablePicture as error:
                self._damaged.append((name, error))
                continue
            self.notes += [FileRemark(name, note) for note in decoded.notes]
            yield decoded.pixels

    def refuse_damaged(self) -> None:
        """Raises InvalidImage where pictures could not be decoded, naming them."""
        if not self._damaged:
            return
        paths = [path for path, _ in self._damaged]
        raise InvalidImage(
            f"{len(paths)} of {self._root} cannot be decoded: {shown(paths)} ({self._damaged[0][1]})",
            field="source",
            hint="remove or replace them",
            metadata={"files": ", ".join(paths[:100])},
        )
