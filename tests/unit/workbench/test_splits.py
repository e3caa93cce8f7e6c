"""Whether a data set can be used, from metadata alone, and what of it is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import pytest
import torch

from modelfoundry.core.datasets import ImageSet, subset_counts
from modelfoundry.errors import DatasetMismatch, InvalidField, ModelFoundryError, TestSplitSealed
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.computing import TrainingSubset, ValidationSplit
from modelfoundry.values.resources import BlobRef, Dataset, DatasetSplit, Model, TrainingRecord
from modelfoundry.workbench.splits import (
    check_dataset_fits,
    check_validation_labels,
    check_validation_split,
    find_split,
    recorded_subset,
    subset_facts,
    training_parts,
)

PETS = Dataset(
    name="projects/p/datasets/pets",
    labels=("cat", "dog", "newt"),
    channels=3,
    height=32,
    width=24,
    digest="sha256:d",
    splits=(
        DatasetSplit(split="train", content=BlobRef("sha256:1"), sample_count=8, label_counts=(5, 2, 1)),
        DatasetSplit(split="test", content=BlobRef("sha256:2"), sample_count=6, label_counts=(2, 2, 2)),
    ),
)
SUBSET = TrainingSubset(concentration=0.5, seed=3)
WEAK = Model(
    name="projects/p/models/weak",
    architecture=Architecture("zoo:simcnn"),
    input=InputSpec(3, 32, 24),
    labels=PETS.labels,
    weights=BlobRef("sha256:w"),
    training=TrainingRecord(recipe="weak", dataset_digest="sha256:d", subset=SUBSET),
)


def test_a_split_is_found_by_its_name_and_a_near_one_is_offered() -> None:
    assert find_split(PETS, "test", field="split").content.digest == "sha256:2"
    with pytest.raises(InvalidField, match="no split 'tran'") as refused:
        find_split(PETS, "tran", field="split")
    assert (refused.value.field, refused.value.metadata["near"]) == ("split", "train")


def test_images_of_another_size_are_refused_with_both_sizes() -> None:
    check_dataset_fits(PETS, (3, 32, 24), PETS.labels)
    with pytest.raises(DatasetMismatch, match=r"3x32x24 .*takes 3x24x32") as refused:
        check_dataset_fits(PETS, (3, 24, 32), PETS.labels)
    assert refused.value.field == "dataset"


@pytest.mark.parametrize(
    ("labels", "said"),
    [(("dog", "cats"), "label 'cats'"), (tuple("abcdef"), "labels 'a', 'b', 'c', 'd', 'e', ...")],
    ids=["one", "more-than-are-named"],
)
def test_labels_that_a_data_set_lacks_are_named(labels: Sequence[str], said: str) -> None:
    with pytest.raises(DatasetMismatch) as refused:
        check_dataset_fits(PETS, (3, 32, 24), labels, field="datasets[1]")
    assert said in refused.value.message
    assert refused.value.field == "datasets[1]"


@pytest.mark.parametrize(
    ("labels", "count"),
    [(("cat", "newt"), 1), (("cat", "ferret"), 0)],
    ids=["one-image-alone", "not-a-label-of-the-data-set"],
)
def test_a_label_needs_an_image_to_train_on_and_one_to_choose_by(labels: Sequence[str], count: int) -> None:
    """A label that the data set does not have at all has no image of it: refused like one with too few."""
    validation = ValidationSplit()
    check_validation_labels(PETS, validation, ("cat", "dog"))
    with pytest.raises(DatasetMismatch, match=f"has {count} images of {labels[1]!r} in split 'train'") as refused:
        check_validation_labels(PETS, validation, labels, field="datasets[0]")
    assert refused.value.field == "datasets[0]"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("validation", "error", "field"),
    [
        (ValidationSplit(source_split="test"), TestSplitSealed, "validation.source_split"),
        (ValidationSplit(source_split=" TEST "), TestSplitSealed, "validation.source_split"),
        (ValidationSplit(source_split="valid"), InvalidField, "validation.source_split"),
        (ValidationSplit(fraction=0.0), InvalidField, "validation.fraction"),
        (ValidationSplit(fraction=0.51), InvalidField, "validation.fraction"),
        (ValidationSplit(fraction=float("nan")), InvalidField, "validation.fraction"),
    ],
    ids=["sealed", "sealed-however-it-is-spelt", "unknown", "nothing", "more-than-half", "no-number"],
)
def test_what_is_chosen_on_must_be_allowed_and_there(
    validation: ValidationSplit, error: type[ModelFoundryError], field: str
) -> None:
    check_validation_split(ValidationSplit(fraction=0.5), PETS)
    with pytest.raises(error) as refused:
        check_validation_split(validation, PETS)
    assert refused.value.field == field


def test_the_part_that_a_model_was_trained_on_is_used_again_where_it_can_be_drawn_again() -> None:
    validation = ValidationSplit()
    assert recorded_subset(WEAK, PETS, validation) == SUBSET
    assert recorded_subset(replace(WEAK, training=None), PETS, validation) is None
    assert recorded_subset(WEAK, replace(PETS, digest="sha256:e"), validation) is None
    assert recorded_subset(replace(WEAK, labels=PETS.labels[::-1]), PETS, validation) is None
    assert recorded_subset(WEAK, PETS, ValidationSplit(seed=1)) is None


def test_a_record_that_says_what_cannot_be_drawn_is_refused() -> None:
    assert WEAK.training is not None
    odd = replace(WEAK.training, subset=TrainingSubset(concentration=-1.0))
    with pytest.raises(InvalidField, match=r"recipe\.subset\.concentration"):
        recorded_subset(replace(WEAK, training=odd), PETS, ValidationSplit())


def test_cache_keys_say_a_minimum_of_0_where_none_was_given() -> None:
    assert subset_facts(SUBSET) == {"concentration": 0.5, "minimum_samples": 0, "seed": 3}
    given = TrainingSubset(concentration=1.0, minimum_samples=7, seed=3)
    assert subset_facts(given) == asdict(given)


def test_validation_is_cut_from_everything_and_the_subset_from_what_is_left() -> None:
    labels = torch.arange(3).repeat_interleave(100)
    images = ImageSet(torch.arange(300, dtype=torch.int64).remainder(251).to(torch.uint8).view(-1, 1, 1, 1), labels)
    validation = ValidationSplit(fraction=0.2, seed=5)

    everything, held_out = training_parts(images, validation, None)
    part, same = training_parts(images, validation, SUBSET)

    assert torch.bincount(held_out.labels).tolist() == [20, 20, 20]
    assert torch.equal(same.images, held_out.images)
    assert torch.bincount(everything.labels).tolist() == [80, 80, 80]
    assert tuple(torch.bincount(part.labels).tolist()) == subset_counts([80, 80, 80], SUBSET)
