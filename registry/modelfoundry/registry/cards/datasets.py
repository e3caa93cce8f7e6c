"""What is known of data sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfoundry.api.registry.v1 import dataset_pb2
from modelfoundry.registry.cards.facts import PROVENANCE, SHAPE, some
from modelfoundry.registry.cards.quantities import byte_count
from modelfoundry.registry.cards.sheet import Account
from modelfoundry.values.cards import CardFact, CardLimit, LimitKind

FEW_OF_A_LABEL: Final = 30


def dataset_account(dataset: dataset_pb2.Dataset) -> Account:
    """What the services know of a data set."""
    count = sum(split.sample_count for split in dataset.splits)
    return Account(
        summary=f"{count:,} images of {len(dataset.labels):,} labels.",
        labels=dataset.labels,
        facts=(*_shape(dataset), *_provenance(dataset)),
        limits=tuple(_limits(dataset)),
        sample_count=count,
    )


def _shape(dataset: dataset_pb2.Dataset) -> Iterator[CardFact]:
    yield CardFact(SHAPE, "Image", f"{dataset.channels} x {dataset.height} x {dataset.width} (channels, height, width)")
    for split in dataset.splits:
        counts = (
            f", {min(split.label_counts):,} to {max(split.label_counts):,} of a label" if split.label_counts else ""
        )
        size = byte_count(split.content.size_bytes)
        yield CardFact(SHAPE, f"Split {split.split}", f"{split.sample_count:,} images{counts}; {size}")


def _provenance(dataset: dataset_pb2.Dataset) -> Iterator[CardFact]:
    yield CardFact(PROVENANCE, "Name", dataset.name)
    yield CardFact(PROVENANCE, "Digest", dataset.digest)
    for split in dataset.splits:
        yield CardFact(PROVENANCE, f"Split {split.split}", split.content.digest)


def _limits(dataset: dataset_pb2.Dataset) -> Iterator[CardLimit]:
    if all(split.split != "test" for split in dataset.splits):
        yield CardLimit(LimitKind.NOT_TESTED, "It has no split named test: nothing can be measured on sealed data.")
    for split in dataset.splits:
        few = [
            f"{label} ({count})"
            for label, count in zip(dataset.labels, split.label_counts, strict=False)
            if count < FEW_OF_A_LABEL
        ]
        if few:
            yield CardLimit(
                LimitKind.FEW_SAMPLES, f"Split {split.split} has fewer than {FEW_OF_A_LABEL} images of {some(few)}."
            )
