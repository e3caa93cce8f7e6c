"""Images that a subject was made with: of its training split to calibrate on, and validation images of its task."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from modelfoundry.client import Client, Composition, CompositionTask, Dataset, Model, Module, ValidationSplit
from modelfoundry.core.datasets import ImageSet, align_labels, read_split, validation_cut
from modelfoundry.core.evaluation import pose
from modelfoundry.errors import DatasetMismatch, InvalidField, TestSplitSealed
from modelfoundry.values.computing import TrainingSubset
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.compositions import label_names_in
from modelfoundry.workbench.resources import AsyncResources, Subject
from modelfoundry.workbench.splits import SEALED_SPLIT, check_dataset_fits, load_split, recorded_subset, training_parts


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Where the images of a subject come from, checked."""

    subject: Subject
    datasets: tuple[Dataset, ...]
    validation: ValidationSplit
    subset: TrainingSubset | None
    labels: tuple[str, ...]
    """Of the model, or of the module's base model; of a composition its own."""


@dataclass(frozen=True, slots=True)
class SubjectImages:
    """Images of a subject's task, with the numbers of its outputs as labels."""

    training: ImageSet
    validation: ImageSet


async def plan_images(subject: Subject, dataset: str, resources: AsyncResources) -> ImageSource | None:
    """Finds the data set that a subject was made with, and how validation data was cut from it.

    Args:
        subject: What images are wanted for.
        dataset: Name of another data set; empty: the recorded one.
        resources: Of the call or job.

    Returns:
        None where none is recorded and none given.

    Raises:
        NotFound: the data set is gone.
        TestSplitSealed: validation data was cut from the test split, which was possible nowhere.
        InvalidField: it has no split that validation data is cut from.
        DatasetMismatch: its images or labels do not fit the subject.
    """
    names = (dataset,) if dataset else _recorded(subject)
    if not names:
        return None
    datasets = tuple([await resources.dataset(name) for name in names])
    validation, subset = _cut_of(subject, datasets)
    for each in datasets:
        _check_split(each, validation)
    match subject:
        case Model():
            check_dataset_fits(datasets[0], subject.input.shape, subject.labels)
            labels = subject.labels
        case Module():
            base = await resources.model(subject.base_model)
            check_dataset_fits(datasets[0], base.input.shape, subject.problem.labels)
            labels = base.labels
        case Composition():
            for each in datasets:
                _check_composition(subject, each)
            labels = subject.labels
    return ImageSource(subject, datasets, validation, subset, labels)


def load_images(source: ImageSource, client: Client, cache: BlobCache) -> SubjectImages:
    """Reads the images, cut as they were when the subject was made.

    Raises:
        DatasetMismatch: a label of the task has no image among them.
        MalformedFile, CorruptBlob, Unavailable: as the file and the cache.
    """
    subject, split = source.subject, source.validation.source_split
    if isinstance(subject, Composition):
        return _joined(
            [_of_composition(subject, dataset, source.validation, client, cache) for dataset in source.datasets]
        )
    needed = subject.labels if isinstance(subject, Model) else subject.problem.labels
    images = load_split(client, cache, source.datasets[0], split, source.labels, needed)
    training, validation = training_parts(images, source.validation, source.subset)
    if isinstance(subject, Model):
        return SubjectImages(training, validation)
    return SubjectImages(*(pose(part, subject.problem, source.labels) for part in (training, validation)))


def drawn(images: ImageSet, count: int) -> ImageSet:
    """So many of the images, always the same, in their order; all where there are no more."""
    if len(images) <= count:
        return images
    generator = torch.Generator().manual_seed(0)
    return images.subset(torch.randperm(len(images), generator=generator)[:count].sort().values)


def _recorded(subject: Subject) -> tuple[str, ...]:
    match subject:
        case Model():
            return (subject.training_dataset,) if subject.training_dataset else ()
        case Module():
            return (subject.dataset,) if subject.dataset else ()
        case Composition():
            return subject.datasets


def _cut_of(subject: Subject, datasets: tuple[Dataset, ...]) -> tuple[ValidationSplit, TrainingSubset | None]:
    """How validation data was cut; as usual where the record is of other data, or there is none."""
    record = subject.training if isinstance(subject, Model) else subject.record
    if record is None or not record.validation.fraction:
        return ValidationSplit(), None
    if isinstance(subject, Composition):
        return record.validation, None
    if isinstance(subject, Model):
        same = subject.training is not None and subject.training.dataset_digest == datasets[0].digest
        return (record.validation, recorded_subset(subject, datasets[0], record.validation)) if same else _USUAL
    if subject.record.dataset_digest != datasets[0].digest:
        return _USUAL
    return record.validation, subject.record.subset


_USUAL = (ValidationSplit(), None)


def _check_split(dataset: Dataset, validation: ValidationSplit) -> None:
    split = validation.source_split
    if split.strip().casefold() == SEALED_SPLIT:
        raise TestSplitSealed(
            "dataset: the test split is sealed: nothing is ever calibrated on it",
            field="dataset",
            hint="name a data set with a training split",
        )
    if split not in {part.split for part in dataset.splits}:
        raise InvalidField(
            f"dataset: {dataset.name} has no split {split!r} to take training images from",
            field="dataset",
            hint="name a data set that has one; the test split stays sealed",
        )


def _check_composition(composition: Composition, dataset: Dataset) -> None:
    needed = composition.labels if composition.task is not CompositionTask.NEW_TASK else ()
    check_dataset_fits(dataset, composition.input.shape, needed)
    if not label_names_in(composition, dataset):
        raise DatasetMismatch(
            f"dataset: {dataset.name} has none of the labels of {composition.name}",
            field="dataset",
            hint="name a data set that it was composed for",
        )


def _of_composition(
    composition: Composition, dataset: Dataset, validation: ValidationSplit, client: Client, cache: BlobCache
) -> SubjectImages:
    """Images of the labels that come from a data set, cut as when the composition was chosen.

    For a new task that is among all images of the data set, else among those of the composition's labels.
    """
    part = next(part for part in dataset.splits if part.split == validation.source_split)
    images = read_split(cache.fetch(client, part.content.digest))
    names = label_names_in(composition, dataset)
    own = {name: composition.labels.index(label) for label, name in names.items()}
    known = dataset.labels
    if composition.task is not CompositionTask.NEW_TASK:
        known = composition.labels
        images = align_labels(images, dataset.labels, known)
    numbers = torch.tensor([own.get(name, -1) for name in known])
    return SubjectImages(
        *(
            _numbered(images, rows, numbers)
            for rows in validation_cut(images.labels, validation.fraction, validation.seed)
        )
    )


def _numbered(images: ImageSet, rows: torch.Tensor, numbers: torch.Tensor) -> ImageSet:
    mapped = numbers[images.labels[rows]]
    kept = mapped >= 0
    return ImageSet(images.images[rows[kept]], mapped[kept])


def _joined(parts: list[SubjectImages]) -> SubjectImages:
    return SubjectImages(_together([part.training for part in parts]), _together([part.validation for part in parts]))


def _together(parts: list[ImageSet]) -> ImageSet:
    if len(parts) == 1:
        return parts[0]
    return ImageSet(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))
