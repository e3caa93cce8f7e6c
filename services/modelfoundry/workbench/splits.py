"""Splits of registered data sets as image sets with the label numbers of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from modelfoundry.client import Client, Dataset, DatasetSplit, Model, ValidationSplit
from modelfoundry.core.datasets import (
    ImageSet,
    align_labels,
    imbalanced_subset,
    read_split,
    validation_count,
    validation_cut,
)
from modelfoundry.errors import DatasetMismatch, InvalidField, TestSplitSealed
from modelfoundry.names import near, shortened
from modelfoundry.values.computing import TrainingSubset
from modelfoundry.workbench.cache import BlobCache

SEALED_SPLIT = "test"


def find_split(dataset: Dataset, split: str, *, field: str) -> DatasetSplit:
    """The split of that name.

    Raises:
        InvalidField: the data set has none of that name.
    """
    found = {part.split: part for part in dataset.splits}
    if split not in found:
        similar = near(split, found)
        raise InvalidField(
            f"{field}: {dataset.name} has no split {shortened(split)!r}",
            field=field,
            hint=f"did you mean {similar[0]!r}?" if similar else f"it has {', '.join(found)}",
            metadata={"near": ",".join(similar)},
        )
    return found[split]


def check_dataset_fits(
    dataset: Dataset, shape: tuple[int, int, int], labels: Sequence[str], *, field: str = "dataset"
) -> None:
    """Checks, from metadata alone, that a data set can be used with a network.

    Args:
        dataset: The data set.
        shape: Channels, height and width that the network takes.
        labels: Labels that the data set must have.
        field: Path of the request field that names it.

    Raises:
        DatasetMismatch: images of another shape, or a label is missing.
    """
    actual = (dataset.channels, dataset.height, dataset.width)
    if actual != shape:
        raise DatasetMismatch(
            f"{field}: images of {dataset.name} are {'x'.join(map(str, actual))} (channels, height, width), "
            f"the model takes {'x'.join(map(str, shape))}",
            field=field,
            hint="convert the images to the model's channels and size and push them as another data set",
        )
    missing = [label for label in labels if label not in dataset.labels]
    if missing:
        similar = near(missing[0], dataset.labels)
        shown = ", ".join(repr(shortened(label)) for label in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise DatasetMismatch(
            f"{field}: {dataset.name} lacks the label{'s' if len(missing) > 1 else ''} {shown}",
            field=field,
            hint=f"did you mean {similar[0]!r}?"
            if similar
            else "labels are matched by name: push a data set that has them",
            metadata={"near": ",".join(similar)},
        )


def load_split(
    client: Client, cache: BlobCache, dataset: Dataset, split: str, model_labels: Sequence[str], needed: Sequence[str]
) -> ImageSet:
    """Fetches a split, memory-mapped, with label numbers of `model_labels`; images of other labels are left out.

    Raises:
        InvalidField: no such split.
        DatasetMismatch: a needed label is missing.
        MalformedFile, CorruptBlob, Unavailable: as the file and the cache.
    """
    part = find_split(dataset, split, field="split")
    images = read_split(cache.fetch(client, part.content.digest))
    return align_labels(images, dataset.labels, model_labels, needed=needed)


def check_validation_labels(
    dataset: Dataset, validation: ValidationSplit, labels: Sequence[str], *, field: str = "dataset"
) -> None:
    """Checks, from metadata alone, that validation data will have images of all labels.

    Raises:
        DatasetMismatch: a label has fewer than two images to cut from, one of which stays for training.
    """
    counts = _label_counts(dataset, validation.source_split, field="validation.source_split")
    for label in labels:
        if counts.get(label, 0) < 2:
            raise DatasetMismatch(
                f"{field}: validation data would lack {shortened(label)!r}: {dataset.name} has {counts.get(label, 0)} "
                f"images of {shortened(label)!r} in split {validation.source_split!r}",
                field=field,
                hint="use a data set with two images or more of every label in the split that validation is cut from",
            )


def check_label_counts(
    dataset: Dataset,
    validation: ValidationSplit,
    labels: Sequence[str],
    least: tuple[int, int],
    *,
    calibration_split: str = "",
    field: str = "dataset",
) -> None:
    """Checks, from metadata alone, that a search will have as many images of all labels as it needs.

    Args:
        dataset: The data set.
        validation: How validation data is cut from it.
        labels: Of the problem; the data set has them.
        least: Training and validation images of every label that are needed.
        calibration_split: The split that is validation data in place of the cut; empty: none.
        field: Path of the request field that names the data set.

    Raises:
        DatasetMismatch: a label has fewer.
    """
    counts = _label_counts(dataset, validation.source_split, field="validation.source_split")
    named = _label_counts(dataset, calibration_split, field="calibration_split") if calibration_split else None
    for label in labels:
        cut = validation_count(counts.get(label, 0), validation.fraction)
        left = counts.get(label, 0) - cut
        cut = cut if named is None else named.get(label, 0)
        if left < least[0] or cut < least[1]:
            raise DatasetMismatch(
                f"{field}: {dataset.name} gives {left} training and {cut} validation images of {shortened(label)!r}, "
                f"this search needs {least[0]} and {least[1]}",
                field=field,
                hint="use a data set with more images of the label, cut another share for validation, or name a recipe "
                "that needs fewer (SeaM's is `paper`)",
            )


def check_calibration_split(
    split: str, validation: ValidationSplit, dataset: Dataset, model: Model, labels: Sequence[str]
) -> None:
    """Checks, from metadata alone, that a split which the caller names can be validation data in place of the cut.

    Args:
        split: The split, not empty.
        validation: How validation data would be cut; what is left of that is trained on.
        dataset: The data set.
        model: The model that is taken apart.
        labels: Labels that the split must have images of.

    Raises:
        TestSplitSealed: it is the test split.
        InvalidField: the data set has none of that name, or modules or the model learn from its images.
        DatasetMismatch: it has no image of a label.
    """
    field = "calibration_split"
    if split.strip().casefold() == SEALED_SPLIT:
        raise TestSplitSealed(
            f"{field}: the test split is sealed: nothing is ever fitted or chosen on it",
            field=field,
            hint="push images that the model did not train on as another split, and name that",
        )
    counts = _label_counts(dataset, split, field=field)
    trained = model.training is not None and (
        (model.training.dataset_digest, model.training.validation.source_split) == (dataset.digest, split)
    )
    if trained or split == validation.source_split:
        raise InvalidField(
            f"{field}: {'the model' if trained else 'the module'} is trained on split {shortened(split)!r}",
            field=field,
            hint="name a split of images that the model did not train on",
        )
    for label in labels:
        if not counts.get(label, 0):
            raise DatasetMismatch(
                f"{field}: split {shortened(split)!r} of {dataset.name} has no image of {shortened(label)!r}",
                field=field,
                hint="name a split with images of every label of the problem",
            )


def _label_counts(dataset: Dataset, split: str, *, field: str) -> dict[str, int]:
    """Number of a split's images by label."""
    return dict(zip(dataset.labels, find_split(dataset, split, field=field).label_counts, strict=False))


def check_validation_split(validation: ValidationSplit, dataset: Dataset) -> None:
    """Checks that validation data can be cut, and from a split that may be looked at.

    Raises:
        TestSplitSealed: it was to be cut from the test split.
        InvalidField: the fraction is out of range, or the data set has no such split.
    """
    if validation.source_split.strip().casefold() == SEALED_SPLIT:
        raise TestSplitSealed(
            "validation.source_split: the test split is sealed: nothing is ever chosen on it",
            field="validation.source_split",
            hint="leave it empty to cut validation data from 'train'; evaluate on 'test' afterwards",
        )
    find_split(dataset, validation.source_split, field="validation.source_split")
    if not 0 < validation.fraction <= 0.5:
        raise InvalidField(
            f"validation.fraction: {validation.fraction} is out of range",
            field="validation.fraction",
            hint="give a share above 0 and at most 0.5, or 0 for the default of 0.1",
        )


def recorded_subset(model: Model, dataset: Dataset, validation: ValidationSplit) -> TrainingSubset | None:
    """The part of the training data that a model was trained on, for training its modules on the same part.

    Returns:
        None when the model's record names no part, or when its part cannot be drawn from this data: another data set,
        another order of labels, or another validation cut.

    Raises:
        InvalidField: the record says what cannot be drawn.
    """
    record = model.training
    if record is None or record.subset is None:
        return None
    same = (dataset.digest, dataset.labels, validation) == (record.dataset_digest, model.labels, record.validation)
    return record.subset.checked() if same else None


def subset_facts(subset: TrainingSubset) -> Mapping[str, object]:
    """What a cache key says of the part of the training data.

    A minimum that was not given is 0 there, as on the wire: keys of before stay what they were.
    """
    return {**asdict(subset), "minimum_samples": subset.minimum_samples or 0}


def training_parts(
    images: ImageSet, validation: ValidationSplit, subset: TrainingSubset | None
) -> tuple[ImageSet, ImageSet]:
    """Training and validation images, both cut from one split. Training a model and its modules cut in the same way.

    Args:
        images: All images of the source split, label numbers as in the data set.
        validation: How validation data is cut, from all images.
        subset: The part of what is left that is trained on (`recorded_subset`). None: all of it.

    Raises:
        InvalidField: the subset cannot be drawn.
    """
    train, held_out = validation_cut(images.labels, validation.fraction, validation.seed)
    if subset is not None:
        train = train[imbalanced_subset(images.labels[train], subset)]
    return images.subset(train), images.subset(held_out)
