"""What a subject is calibrated and measured on: images cut as when it was made, and never of the test split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobRef,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    InputSpec,
    Model,
    Module,
    TrainingRecord,
    ValidationSplit,
)
from modelfoundry.core.datasets import ImageSet, validation_cut, write_split
from modelfoundry.errors import TestSplitSealed as SplitSealed
from modelfoundry.workbench.compositions import IMAGES_SETTING
from modelfoundry.workbench.resources import AsyncResources, Known, Subject
from modelfoundry.workbench.subject_images import SubjectImages, drawn, load_images, plan_images

LABELS = ("cat", "dog", "cow")
CUT = ValidationSplit(fraction=0.2, seed=7)
COUNT = 60
NUMBERS = torch.arange(COUNT) % 3
IMAGES = torch.arange(COUNT, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2).contiguous()
"""Every image is its number."""
DATASET = Dataset(
    name="projects/p/datasets/animals",
    labels=LABELS,
    splits=(DatasetSplit(split="train", content=BlobRef("sha256:a"), sample_count=COUNT),),
    channels=1,
    height=2,
    width=2,
    digest="sha256:animals",
)
MODEL = Model(
    name="projects/p/models/net",
    architecture=Architecture("zoo:digits_cnn"),
    input=InputSpec(1, 2, 2),
    labels=LABELS,
    weights=BlobRef("sha256:0"),
    training_dataset=DATASET.name,
    training=TrainingRecord(recipe="standard", validation=CUT, dataset_digest=DATASET.digest),
)
MODULE = Module(
    name="projects/p/modules/cow",
    base_model=MODEL.name,
    problem=BinaryProblem("cow"),
    artifact=BlobRef("sha256:1"),
    dataset=DATASET.name,
    record=DecompositionRecord(algorithm="seam", validation=CUT, dataset_digest=DATASET.digest),
)
COMPOSITION = Composition(
    name="projects/p/compositions/farm",
    task=CompositionTask.NEW_TASK,
    members=tuple(CompositionMember(label=each, source=MODEL.name, source_label="cow") for each in ("moo", "dog")),
    labels=("moo", "dog"),
    input=InputSpec(1, 2, 2),
    datasets=(DATASET.name,),
    record=CompositionRecord(
        strategy="joint",
        validation=CUT,
        settings={IMAGES_SETTING: {"moo": [DATASET.name, "cow"], "dog": [DATASET.name, "dog"]}},
    ),
)


class Nothing:
    """A registry that is not asked: everything is known."""

    @property
    def datasets(self) -> Nothing:
        return self

    models = datasets

    async def get(self, name: str) -> Any:
        raise AssertionError(f"{name} was read")


NOTHING: Any = Nothing()


@pytest.fixture
def cache(tmp_path: Path) -> Any:
    write_split(tmp_path / "split", ImageSet(IMAGES, NUMBERS))

    class Cache:
        def fetch(self, client: Any, digest: str) -> Path:
            assert digest == "sha256:a"
            return tmp_path / "split"

    return Cache()


async def _found(subject: Subject, cache: Any, dataset: Dataset = DATASET, given: str = "") -> SubjectImages:
    source = await plan_images(subject, given, AsyncResources(NOTHING, Known((MODEL, dataset))))
    assert source is not None
    return load_images(source, NOTHING, cache)


def _numbers(images: ImageSet) -> set[int]:
    return set(images.images[:, 0, 0, 0].tolist())


TRAINED, HELD_OUT = (set(rows.tolist()) for rows in validation_cut(NUMBERS, CUT.fraction, CUT.seed))


async def test_a_model_is_measured_on_what_was_held_out_of_its_training(cache: Any) -> None:
    found = await _found(MODEL, cache)
    assert _numbers(found.validation) == HELD_OUT
    assert _numbers(found.training) == TRAINED
    assert torch.equal(found.validation.labels, found.validation.images[:, 0, 0, 0].long() % 3)


async def test_a_module_is_measured_on_its_problem(cache: Any) -> None:
    found = await _found(MODULE, cache)
    assert _numbers(found.validation) <= HELD_OUT
    assert _numbers(found.training) <= TRAINED
    assert torch.equal(found.validation.labels == 0, found.validation.images[:, 0, 0, 0] % 3 == 2)
    assert set(found.validation.labels.tolist()) == {0, 1}


async def test_a_composition_is_measured_on_its_labels_by_the_names_of_the_data_set(cache: Any) -> None:
    found = await _found(COMPOSITION, cache)
    assert _numbers(found.validation) == {number for number in HELD_OUT if number % 3}
    assert torch.equal(found.validation.labels, (found.validation.images[:, 0, 0, 0] % 3 == 1).long())
    merged = replace(
        COMPOSITION, task=CompositionTask.MORE_ACCURATE, labels=LABELS, record=replace(COMPOSITION.record, settings={})
    )
    assert _numbers((await _found(merged, cache)).validation) == HELD_OUT


async def test_other_data_than_the_recorded_is_cut_as_usual(cache: Any) -> None:
    other = replace(DATASET, digest="sha256:others")
    _, usual = validation_cut(NUMBERS, 0.1, 0)
    for subject in (MODEL, replace(MODEL, training=None)):
        assert _numbers((await _found(subject, cache, other)).validation) == set(usual.tolist())


async def test_a_subject_without_a_data_set_takes_one_that_is_given(cache: Any) -> None:
    imported = replace(MODEL, training_dataset="", training=None)
    assert await plan_images(imported, "", AsyncResources(NOTHING, Known((DATASET,)))) is None
    assert len((await _found(imported, cache, given=DATASET.name)).validation) == 6


async def test_nothing_is_taken_from_a_test_split() -> None:
    sealed = replace(
        MODEL,
        training=TrainingRecord(
            recipe="x", validation=replace(CUT, source_split="Test"), dataset_digest=DATASET.digest
        ),
    )
    with pytest.raises(SplitSealed):
        await plan_images(sealed, "", AsyncResources(NOTHING, Known((DATASET,))))


def test_images_are_drawn_always_the_same() -> None:
    images = ImageSet(IMAGES, NUMBERS)
    assert drawn(images, COUNT) is images
    assert torch.equal(drawn(images, 10).images, drawn(images, 10).images)
    assert len(_numbers(drawn(images, 10))) == 10
