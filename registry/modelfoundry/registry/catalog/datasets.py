"""Data sets: images with labels, in splits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlmodel import col

from modelfoundry.errors import InvalidField, MalformedFile
from modelfoundry.names import parse_parent, shortened
from modelfoundry.registry.catalog.drafts import DatasetDraft
from modelfoundry.registry.catalog.models import MAX_CHANNELS, MAX_EXTENT
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile, Tensor, open_safetensors
from modelfoundry.registry.catalog.tensor_values import count_values
from modelfoundry.registry.listing.fields import TextField
from modelfoundry.registry.listing.pages import Listing
from modelfoundry.registry.records.blob_reader import BlobReader
from modelfoundry.registry.records.describing import (
    DescribedCollection,
    described,
    described_filters,
    described_order,
)
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.shelf import Shelf, Use
from modelfoundry.registry.records.tables import DatasetRow
from modelfoundry.registry.records.wording import check_about, check_labels
from modelfoundry.values.kinds import Kind
from modelfoundry.values.resources import DatasetSplit, dataset_digest

MAX_SPLITS: Final = 64
_SPLIT: Final = re.compile(r"[a-z0-9_-]{1,63}")
_HINT: Final = "write images as U8 [n, channels, height, width] and labels as I64 [n]"

DATASETS: Final = Listing(
    row=DatasetRow,
    filterable={**described_filters(DatasetRow), "digest": TextField(col(DatasetRow.digest))},
    sortable=described_order(DatasetRow),
    default_order="create_time desc",
)


@dataclass(frozen=True, slots=True)
class Split:
    """A split whose content was looked through."""

    split: str
    digest: str
    size_bytes: int
    sample_count: int
    label_counts: Sequence[int]


class Datasets(DescribedCollection[DatasetRow]):
    """All data sets. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf, Kind.DATASET, DATASETS)

    def create(self, call: CreateCall, draft: DatasetDraft) -> DatasetRow:
        """Registers a data set whose splits were uploaded.

        Raises:
            InvalidField: a field is wrong, or a label is out of range.
            BlobMissing, MalformedFile: a split is not there or not usable.
            AlreadyExists, RequestIdReused: see `Collection`.
        """
        name, earlier = self._begin(call)
        if earlier is not None:
            return earlier
        check_about(draft.about, "dataset")
        check_labels(draft.labels, field="dataset.labels")
        _check_split_names(draft.splits)
        splits, (channels, height, width) = self._checked_splits(draft)
        row = DatasetRow(
            **described(name, parse_parent(call.parent), draft.about, self._shelf.now()),
            labels=list(draft.labels),
            splits=[asdict(split) for split in splits],
            channels=channels,
            height=height,
            width=width,
            digest=dataset_digest(draft.labels, draft.splits),
        )
        uses = [
            Use(split.content.digest, f"dataset.splits[{index}].content.digest")
            for index, split in enumerate(draft.splits)
        ]
        return self._add(call, row, blobs=uses, labels=draft.labels)

    def delete(self, name: str, etag: str, *, cascade: bool = False) -> None:
        """Forgets a data set; with `cascade` also everything that depends on it.

        Raises:
            NotFound: there is no such data set.
            EtagMismatch: somebody else changed it.
            InUse: others depend on it and `cascade` is not set; they are named.
        """
        self._delete(name, etag, cascade=cascade)

    def _checked_splits(self, draft: DatasetDraft) -> tuple[list[Split], tuple[int, ...]]:
        splits: list[Split] = []
        image_size: tuple[int, ...] = ()
        for index, split in enumerate(draft.splits):
            field = f"dataset.splits[{index}].content"
            file = open_safetensors(self._shelf.blobs, split.content.digest, field=field)
            images, labels = _images_and_labels(file, field)
            image_size = image_size or images.shape[1:]
            if images.shape[1:] != image_size:
                raise MalformedFile(
                    f"{field}: images are {_times(images.shape[1:])}, in {draft.splits[0].split} {_times(image_size)}",
                    field=f"{field}.digest",
                    hint="give all splits images of the same size",
                )
            counts = _counted(self._shelf.blobs, file, labels, draft.labels, field)
            splits.append(Split(split.split, file.digest, file.size, labels.shape[0], counts))
        return splits, image_size


def _check_split_names(splits: Sequence[DatasetSplit]) -> None:
    if not 1 <= len(splits) <= MAX_SPLITS:
        raise InvalidField(
            f"dataset.splits: there are {len(splits)}", field="dataset.splits", hint=f"pass 1 to {MAX_SPLITS} splits"
        )
    names = [split.split for split in splits]
    for index, name in enumerate(names):
        field = f"dataset.splits[{index}].split"
        if not _SPLIT.fullmatch(name):
            raise InvalidField(
                f"{field}: {shortened(name)!r} cannot name a split",
                field=field,
                hint="use 1 to 63 lower-case letters, digits, '_' and '-', for example train",
            )
        if name in names[:index]:
            raise InvalidField(f"{field}: {name} is there twice", field=field, hint="give every split its own name")


def _images_and_labels(file: SafetensorsFile, field: str) -> tuple[Tensor, Tensor]:
    images = _required(file, "images", "U8", 4, field)
    labels = _required(file, "labels", "I64", 1, field)
    if images.shape[0] != labels.shape[0] or 0 in images.shape:
        raise _unusable(field, f"there are {images.shape[0]} images and {labels.shape[0]} labels")
    _, channels, height, width = images.shape
    if channels > MAX_CHANNELS or max(height, width) > MAX_EXTENT:
        raise _unusable(
            field, f"images are {_times(images.shape[1:])}, more than {MAX_CHANNELS}x{MAX_EXTENT}x{MAX_EXTENT}"
        )
    return images, labels


def _required(file: SafetensorsFile, name: str, dtype: str, dimensions: int, field: str) -> Tensor:
    tensor = file.tensor(name)
    if tensor is None:
        raise _unusable(field, f"there is no tensor {name!r}")
    if tensor.dtype != dtype or len(tensor.shape) != dimensions:
        raise _unusable(field, f"{name} is {tensor.dtype} {list(tensor.shape)}")
    return tensor


def _counted(
    blobs: BlobReader, file: SafetensorsFile, tensor: Tensor, labels: Sequence[str], field: str
) -> Sequence[int]:
    counts, outside = count_values(blobs, file, tensor, len(labels))
    if outside is not None:
        raise InvalidField(
            f"{field}: a label is {outside}, there are {len(labels)} label names",
            field=f"{field}.digest",
            hint=f"number labels from 0 to {len(labels) - 1}, or name more labels",
        )
    return counts


def _unusable(field: str, what: str) -> MalformedFile:
    return MalformedFile(f"{field} is no usable split: {what}", field=f"{field}.digest", hint=_HINT)


def _times(extents: Sequence[int]) -> str:
    return "x".join(map(str, extents))
