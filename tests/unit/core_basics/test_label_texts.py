"""One word has one spelling, and the word for the others is never a label."""

from __future__ import annotations

import unicodedata

import pytest
import torch

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2
from modelfoundry.client import Dataset, DatasetSplit, InputSpec, Model
from modelfoundry.core.composing.readout import log_odds, readout_of
from modelfoundry.names import label_text
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.compositions import CompositionMember
from modelfoundry.values.problems import (
    BinaryProblem,
    MultiClassProblem,
    OpenSetProblem,
    resolve,
    resolve_labels,
    word_for_others,
)
from modelfoundry.values.resources import BlobRef, dataset_digest
from modelfoundry.wire.computing import PROBLEM
from modelfoundry.wire.known import known_from_proto, known_to_proto
from modelfoundry.wire.resources import DATASET

COMPOSED, DECOMPOSED = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")


def test_values_spell_labels_in_one_way_whatever_came() -> None:
    assert COMPOSED != DECOMPOSED
    assert label_text(DECOMPOSED) == COMPOSED
    assert BinaryProblem(DECOMPOSED) == BinaryProblem(COMPOSED)
    for kind in (MultiClassProblem, OpenSetProblem):
        assert kind(("tea", DECOMPOSED)).labels == ("tea", COMPOSED)
    assert CompositionMember(label=DECOMPOSED, source="models/a", source_label=DECOMPOSED).source_label == COMPOSED
    dataset = Dataset(labels=("tea", DECOMPOSED), splits=())
    model = Model(
        architecture=Architecture("zoo:digits_cnn"),
        input=InputSpec(1, 8, 8),
        labels=("tea", DECOMPOSED),
        weights=BlobRef("sha256:0"),
    )
    assert dataset.labels == model.labels == ("tea", COMPOSED)


def test_what_an_older_registry_kept_is_read_in_that_spelling() -> None:
    kept = DATASET.to_proto(Dataset(labels=("tea", "x"), splits=()))
    kept.labels[1] = DECOMPOSED
    assert DATASET.from_proto(kept).labels == ("tea", COMPOSED)
    problem = PROBLEM.to_proto(BinaryProblem("x"))
    problem.binary.label = DECOMPOSED
    assert PROBLEM.from_request(problem, field="problem") == BinaryProblem(COMPOSED)
    assert resolve(BinaryProblem(COMPOSED), ("tea", DECOMPOSED)) == (1,)


def test_a_label_in_two_spellings_is_there_twice() -> None:
    with pytest.raises(errors.InvalidField, match="there twice"):
        resolve_labels((COMPOSED, DECOMPOSED), ("tea", COMPOSED, "milk"), field="labels")


def test_a_data_set_whose_digest_is_over_other_letters_is_not_handed_on_but_read_again() -> None:
    splits = (DatasetSplit(split="train", content=BlobRef("sha256:" + "0" * 64)),)
    old = Dataset(labels=("tea", DECOMPOSED), splits=splits, digest=dataset_digest(("tea", DECOMPOSED), splits))
    new = Dataset(labels=("tea", COMPOSED), splits=splits, digest=dataset_digest(("tea", COMPOSED), splits))
    assert list(known_to_proto(old).datasets) == []
    (known,) = known_from_proto(known_to_proto(new))
    assert isinstance(known, Dataset)
    assert known.labels == ("tea", COMPOSED)


@pytest.mark.parametrize(
    ("labels", "word"),
    [
        (("cat",), "rest"),
        (("rest",), "all others"),
        (("all others", "rest"), "none of these"),
        (("rest", "all others", "none of these", "everything else"), "rest 2"),
        (("rest", "all others", "none of these", "everything else", "rest 2"), "rest 3"),
    ],
)
def test_the_word_for_the_others_is_no_label(labels: tuple[str, ...], word: str) -> None:
    assert word_for_others(labels) == word
    assert OpenSetProblem(labels).outputs == (*labels, word)
    assert len(set(OpenSetProblem(labels).outputs)) == len(labels) + 1


def test_the_output_of_the_others_is_found_by_its_place() -> None:
    problem = BinaryProblem("rest")
    readout = readout_of(problem.outputs, "rest", problem)
    assert (readout.column, readout.rest) == (0, 1)
    assert log_odds(torch.tensor([[3.0, 1.0]]), readout).tolist() == [2.0]
    both = MultiClassProblem(("cat", "rest"))  # here `rest` is a label like any other
    assert readout_of(both.outputs, "rest", both).rest is None


def test_groups_of_labels_are_read_in_one_spelling() -> None:
    from modelfoundry.wire.decomposing import search_from_proto

    request = decomposer_service_pb2.DecomposeRequest()
    request.gradsplitter.label_groups.add(labels=[DECOMPOSED, "tea"])
    assert search_from_proto(request).label_groups == ((COMPOSED, "tea"),)
