"""What the registry takes as names of labels, whoever sends them."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest

from modelfoundry.api.registry.v1 import dataset_pb2, model_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.registry.catalog.requests import dataset_from_proto, model_from_proto
from modelfoundry.registry.records.messages import module_message_of, problem_of
from modelfoundry.registry.records.tables import ModuleRow
from modelfoundry.registry.records.wording import check_labels

COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")


def test_labels_are_kept_in_one_spelling() -> None:
    assert dataset_from_proto(dataset_pb2.Dataset(labels=["tea", DECOMPOSED])).labels == ("tea", COMPOSED)
    assert model_from_proto(model_pb2.Model(labels=["tea", DECOMPOSED])).labels == ("tea", COMPOSED)
    with pytest.raises(InvalidField, match="also label 0"):
        check_labels(dataset_from_proto(dataset_pb2.Dataset(labels=[COMPOSED, DECOMPOSED])).labels, field="labels")


@pytest.mark.parametrize("label", [" cat", "cat ", "\u00a0cat"])
def test_a_label_that_begins_or_ends_with_a_space_is_refused_in_new_data(label: str) -> None:
    with pytest.raises(InvalidField, match="begins or ends with a space") as refused:
        check_labels(("dog", label), field="dataset.labels")
    assert (refused.value.field, "'cat'" in refused.value.hint) == ("dataset.labels[1]", True)
    check_labels(("dog", label), field="model.labels", spaced=True)


def test_labels_are_told_apart_by_case() -> None:
    check_labels(("cardigan", "Cardigan"), field="labels")


@pytest.mark.parametrize("open_set", [False, True])
def test_what_was_stored_in_other_letters_is_answered_as_it_was_signed(open_set: bool) -> None:
    row = ModuleRow(name="projects/p/modules/m", binary=not open_set, open_set=open_set, labels=[DECOMPOSED], tags={})
    row.create_time = row.update_time = datetime.now(UTC)
    if open_set:
        row.labels = [DECOMPOSED, "tea"]
    message = module_message_of(row)
    problem = message.problem.open_set.labels[0] if open_set else message.problem.binary.label
    assert (problem, list(message.outputs)) == (DECOMPOSED, [*row.labels, "rest"])
    assert problem_of(row).labels[0] == COMPOSED
