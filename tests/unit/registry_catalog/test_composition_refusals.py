"""Compositions that do not fit: what is refused, by which field, and that nothing stays behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from composition_zoo import NAME, PARENT, Task, Zoo

from modelfoundry import errors
from modelfoundry.api.registry.v1 import composition_pb2, model_pb2
from modelfoundry.api.types.v1 import compute_pb2

OTHER_DIGEST = "sha256:" + "0" * 64


def test_licences_that_are_too_long_together_are_asked_for(registry: Any, zoo: Zoo) -> None:
    change = model_pb2.Model(name=zoo.twin.name, license="X" * 100)
    registry.call("UpdateModel", model_pb2.UpdateModelRequest(model=change))

    with pytest.raises(errors.InvalidField) as caught:
        registry.create_composition(zoo.pets())
    assert caught.value.field == "composition.license"
    assert registry.create_composition(zoo.pets(license="LicenseRef-both")).license == "LicenseRef-both"


Change = Callable[[Any], None]


def _member(index: int, **values: Any) -> Change:
    def change(message: Any) -> None:
        for field, value in values.items():
            setattr(message.members[index], field, value)

    return change


def _fields(**values: Any) -> Change:
    return lambda message: message.MergeFrom(composition_pb2.Composition(**values))


def _cleared(*fields: str) -> Change:
    def change(message: Any) -> None:
        for field in fields:
            message.ClearField(field)

    return change


def _sized(message: Any) -> None:
    message.input.width = 9


WRONG: dict[str, tuple[Change, type[errors.ModelFoundryError], str]] = {
    "no task": (_cleared("task"), errors.InvalidField, "composition.task"),
    "no members": (_cleared("members"), errors.InvalidField, "composition.members"),
    "one label": (lambda message: message.members.pop(), errors.InvalidField, "composition.members"),
    "a label twice": (_member(1, label="horse"), errors.InvalidField, "composition.members[1].label"),
    "label without name": (_member(1, label=" "), errors.InvalidField, "composition.members[1]"),
    "no source": (_member(0, source=""), errors.InvalidField, "composition.members[0].source"),
    "composition as source": (_member(0, source=NAME), errors.InvalidField, "composition.members[0].source"),
    "source elsewhere": (
        _member(0, source="projects/other/modules/horse"),
        errors.InvalidField,
        "composition.members[0].source",
    ),
    "unknown module": (
        _member(0, source=f"{PARENT}/modules/hrse"),
        errors.NotFound,
        "composition.members[0].source",
    ),
    "unknown model": (_member(1, source=f"{PARENT}/models/twn"), errors.NotFound, "composition.members[1].source"),
    "label that the module lacks": (
        _member(0, source_label="rest"),
        errors.UnknownLabel,
        "composition.members[0].source_label",
    ),
    "label that the model lacks": (
        _member(1, source_label="cats"),
        errors.UnknownLabel,
        "composition.members[1].source_label",
    ),
    "other bytes": (
        _member(0, source_digest=OTHER_DIGEST),
        errors.InvalidField,
        "composition.members[0].source_digest",
    ),
    "other images": (_sized, errors.InvalidField, "composition.members[0].source"),
    "no image": (_cleared("input"), errors.InvalidField, "composition.input.channels"),
    "scale NaN": (_member(1, scale=float("nan")), errors.InvalidField, "composition.members[1].scale"),
    "scale 0": (_member(1, scale=0), errors.InvalidField, "composition.members[1].scale"),
    "bias infinite": (_member(1, bias=float("inf")), errors.InvalidField, "composition.members[1].bias"),
    "score in percent": (
        _member(1, validation_score=97.5),
        errors.InvalidField,
        "composition.members[1].validation_score",
    ),
    "base of no patch": (_fields(base_model=f"{PARENT}/models/net"), errors.InvalidField, "composition.base_model"),
    "patch of nothing": (_fields(task=Task.TASK_PATCH), errors.InvalidField, "composition.base_model"),
    "no data set": (_cleared("datasets"), errors.InvalidField, "composition.datasets"),
    "data set twice": (
        _fields(datasets=[f"{PARENT}/datasets/digits"]),
        errors.InvalidField,
        "composition.datasets[1]",
    ),
    "unknown data set": (_fields(datasets=[f"{PARENT}/datasets/digit"]), errors.NotFound, "composition.datasets[1]"),
    "other data": (
        _fields(record=composition_pb2.CompositionRecord(dataset_digests=[OTHER_DIGEST])),
        errors.InvalidField,
        "composition.record.dataset_digests[0]",
    ),
    "too many digests": (
        _fields(record=composition_pb2.CompositionRecord(dataset_digests=[OTHER_DIGEST] * 2)),
        errors.InvalidField,
        "composition.record.dataset_digests",
    ),
    "no strategy": (_cleared("record"), errors.InvalidField, "composition.record.strategy"),
    "test data": (
        _fields(record=composition_pb2.CompositionRecord(validation=compute_pb2.ValidationSplit(source_split="test"))),
        errors.TestSplitSealed,
        "composition.record.validation.source_split",
    ),
    "baseline NaN": (
        _fields(
            record=composition_pb2.CompositionRecord(
                baselines=[composition_pb2.Baseline(validation_accuracy=float("nan"))]
            )
        ),
        errors.InvalidField,
        "composition.record.baselines[0].validation_accuracy",
    ),
    "operation": (
        _fields(record=composition_pb2.CompositionRecord(operation="x")),
        errors.InvalidField,
        "composition.record.operation",
    ),
}


@pytest.mark.parametrize(("change", "error", "field"), WRONG.values(), ids=WRONG.keys())
def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(
    registry: Any, zoo: Zoo, change: Change, error: type[errors.ModelFoundryError], field: str
) -> None:
    message = zoo.pets()
    change(message)

    with pytest.raises(error) as caught:
        registry.create_composition(message, "pets")

    assert type(caught.value) is error
    assert caught.value.field == field
    assert caught.value.hint
    assert registry.compositions() == []
    assert registry.edges(f'subject = "{NAME}"') == []


def test_a_source_that_is_not_there_is_answered_with_near_names(registry: Any, zoo: Zoo) -> None:
    message = zoo.pets()
    message.members[0].source = f"{PARENT}/modules/hrse"

    with pytest.raises(errors.NotFound) as caught:
        registry.create_composition(message)
    assert caught.value.hint == "did you mean horse?"


@pytest.mark.parametrize(
    ("labels", "error", "field"),
    [
        (("cat", "horse"), errors.InvalidField, "composition.members"),
        (("cat", "dog", "horse", "cow"), errors.UnknownLabel, "composition.members[3].label"),
    ],
    ids=["a label is missing", "a label is new"],
)
def test_a_patch_with_other_labels_than_its_base_is_refused(
    registry: Any, zoo: Zoo, labels: tuple[str, ...], error: type[errors.ModelFoundryError], field: str
) -> None:
    message = zoo.patch(*labels)
    for member in message.members:
        member.source_label = member.label if member.label in zoo.net.labels else "dog"

    with pytest.raises(error) as caught:
        registry.create_composition(message)

    assert caught.value.field == field
    assert registry.compositions() == []
