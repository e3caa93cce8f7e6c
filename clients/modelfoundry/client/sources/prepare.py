"""Finds out what form a data set has, and reads it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from modelfoundry.client.sources.prepared import PreparedDataset, lookalikes
from modelfoundry.errors import InvalidField, MalformedFile

Reader = Callable[[Path, Path, Sequence[str]], PreparedDataset]


def prepare_dataset(
    source: str | Path, folder: Path, labels: Sequence[str], image_size: tuple[int, int] | None
) -> PreparedDataset:
    """Reads a data set in whatever known form it has.

    Args:
        source: `digits`, a folder, or one safetensors file.
        folder: Where files that must be made are put.
        labels: The caller's label names. Empty: those of the files.
        image_size: Height and width that images of an image folder are scaled to.

    Raises:
        MalformedFile: there is no data set of a known form, or a file is damaged.
        InvalidImage: images cannot be read, or one has another size than the others; they are named.
        InvalidField: label names are missing or too few.
    """
    prepared = _read(source, folder, labels, image_size)
    notes = (*prepared.report.notes, *lookalikes(prepared.labels))
    return replace(prepared, report=replace(prepared.report, notes=notes))


def _read(
    source: str | Path, folder: Path, labels: Sequence[str], image_size: tuple[int, int] | None
) -> PreparedDataset:
    # Here: programs that push no data set start sooner without NumPy and Pillow.
    from modelfoundry.client.sources import cifar, digits, idx, image_folder, safetensors_splits, svhn
    from modelfoundry.client.sources.picture_folders import find_pictures

    if isinstance(labels, str):
        raise InvalidField("labels: a single string", field="labels", hint="pass a list of names")
    if source == digits.NAME and not Path(source).exists():
        return digits.read(folder, labels)
    path = Path(source)
    readers: tuple[tuple[Callable[[Path], bool], Reader], ...] = (
        (safetensors_splits.recognises, safetensors_splits.read),
        (cifar.recognises, cifar.read),
        (idx.recognises, idx.read),
        (svhn.recognises, svhn.read),
    )
    for recognises, read in readers:
        if recognises(path):
            return read(path, folder, labels)
    found = find_pictures(path) if path.is_dir() else None
    if found is not None and found.splits:
        return image_folder.read(path, found, folder, labels, image_size)
    raise MalformedFile(
        f"{path} is no data set of a known form" if path.exists() else f"{path} does not exist",
        field="source",
        hint="pass `digits`, or a folder with pictures as SPLIT/LABEL/PICTURE or LABEL/PICTURE, SPLIT.safetensors, "
        "CIFAR's .bin files, MNIST's -ubyte files or SVHN's *_32x32.mat",
    )
