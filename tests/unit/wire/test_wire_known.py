"""What a caller hands on says what never changes of a resource, so that equal requests are equal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from modelfoundry.client import Architecture, BlobRef, Dataset, DatasetSplit, InputSpec, Model, TensorSpec
from modelfoundry.errors import InvalidField
from modelfoundry.values.resources import dataset_digest
from modelfoundry.wire.known import known_from_proto, known_to_proto

MODEL = Model(
    name="projects/p/models/net",
    architecture=Architecture("zoo:resnet20", {"width": 8}),
    input=InputSpec(3, 8, 8, (0.1, 0.2, 0.3), (1.0, 1.0, 1.0)),
    labels=("cat", "dog"),
    weights=BlobRef("sha256:0", 7, "application/vnd.safetensors"),
    tensors=(TensorSpec("fc.weight", "F32", (2, 8)),),
    uid="u",
)
TRAIN = DatasetSplit(split="train", content=BlobRef("sha256:1"), sample_count=3, label_counts=(1, 2))
TEST = DatasetSplit(split="test", content=BlobRef("sha256:2"), sample_count=3, label_counts=(1, 2))
DATASET = Dataset(
    name="projects/p/datasets/animals",
    labels=("cat", "dog"),
    splits=(TRAIN, TEST),
    channels=3,
    height=8,
    width=8,
    digest=dataset_digest(("cat", "dog"), (TRAIN, TEST)),
)


def test_what_was_handed_on_is_what_was_read() -> None:
    assert known_from_proto(known_to_proto(MODEL, DATASET)) == (MODEL, DATASET)
    assert known_from_proto(known_to_proto()) == ()


def test_what_can_be_changed_makes_no_request_another() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    edited = replace(MODEL, display_name="Net", license="MIT", tags={"a": "b"}, etag="2", update_time=now)
    assert known_to_proto(edited) == known_to_proto(MODEL)
    assert known_to_proto(replace(MODEL, weights=BlobRef("sha256:3"))) != known_to_proto(MODEL)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(replace(DATASET, splits=(replace(TRAIN, content=TEST.content), TEST)), id="test images as train"),
        pytest.param(replace(DATASET, splits=(replace(TEST, split="train"),)), id="another split's name"),
        pytest.param(replace(DATASET, labels=("dog", "cat")), id="labels exchanged"),
        pytest.param(replace(DATASET, digest=""), id="no digest"),
    ],
)
def test_data_that_is_not_what_its_digest_says_is_refused(forged: Dataset) -> None:
    with pytest.raises(InvalidField) as refused:
        known_from_proto(known_to_proto(MODEL, forged))
    assert refused.value.field == "known.datasets[0].digest"
    assert "leave `known` out" in refused.value.hint


def test_the_digest_of_a_data_set_does_not_depend_on_the_order_of_its_splits() -> None:
    assert dataset_digest(("cat",), (TRAIN, TEST)) == dataset_digest(("cat",), (TEST, TRAIN))
