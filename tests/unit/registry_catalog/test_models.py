"""Models: what is stored, and what is refused."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from google.protobuf import struct_pb2

from modelfoundry import errors
from modelfoundry.api.registry.v1 import model_pb2
from modelfoundry.api.types.v1 import architecture_pb2, blob_pb2, compute_pb2, training_pb2


def test_a_model_is_stored_with_everything_that_was_said_about_it(registry: Any) -> None:
    dataset = registry.create_dataset("digits")
    parameters = struct_pb2.Struct()
    parameters.update({"width": 16, "ratio": 0.5, "name": "x", "wide": True})
    weights = registry.weights()
    made = registry.create_model(
        "net",
        weights,
        display_name="A network",
        description="# Card\nTwo lines.",
        license="BSD-2-Clause",
        tags={"team": "vision", "year": "2026"},
        architecture=architecture_pb2.Architecture(builder="zoo:digits_cnn", parameters=parameters),
        training_dataset=dataset.name,
        operation="projects/default/operations/op-1",
    )

    got = registry.call("GetModel", model_pb2.GetModelRequest(name="projects/default/models/net"))

    assert got == made
    assert got.name == "projects/default/models/net"
    assert uuid.UUID(got.uid).version == 4
    assert got.display_name == "A network"
    assert got.description == "# Card\nTwo lines."
    assert got.license == "BSD-2-Clause"
    assert dict(got.tags) == {"team": "vision", "year": "2026"}
    assert dict(got.architecture.parameters) == {"width": 16, "ratio": 0.5, "name": "x", "wide": True}
    assert list(got.input.mean) == [0.5]
    assert list(got.labels) == ["cat", "dog", "horse"]
    assert got.weights.size_bytes == len(weights)
    assert got.weights.media_type == "application/vnd.safetensors"
    assert [(spec.name, spec.dtype, list(spec.shape)) for spec in got.tensors] == [
        ("conv.weight", "F32", [4, 1, 3, 3]),
        ("fc.weight", "F32", [3, 16]),
        ("fc.bias", "F32", [3]),
    ]
    assert got.training_dataset == dataset.name
    assert got.operation == "projects/default/operations/op-1"
    assert got.create_time == got.update_time
    assert got.create_time.seconds > 0
    assert got.etag.startswith('"')
    assert got.etag.endswith('"')


def training_record(**changes: Any) -> model_pb2.TrainingRecord:
    """A record with settings, a subset and counts for three labels."""
    record = model_pb2.TrainingRecord(
        recipe="weak",
        seed=7,
        validation=compute_pb2.ValidationSplit(source_split="train", fraction=0.1),
        subset=training_pb2.TrainingSubset(concentration=0.5, minimum_samples=3, seed=2**40),
        label_counts=[5, 90, 31],
        validation_accuracy=0.75,
        epochs_run=4,
    )
    record.settings.update({"lr": 0.01, "milestones": [60, 120]})
    record.MergeFrom(model_pb2.TrainingRecord(**changes))
    return record


def test_how_a_model_was_trained_is_kept_and_stays_unset_where_nobody_said(registry: Any) -> None:
    dataset = registry.create_dataset("digits")
    record = training_record(dataset_digest=dataset.digest)
    registry.create_model("weak", training_dataset=dataset.name, training=record)
    registry.create_model("pushed")

    weak, pushed = (
        registry.call("GetModel", model_pb2.GetModelRequest(name=f"projects/default/models/{name}"))
        for name in ("weak", "pushed")
    )

    assert weak.training == record
    assert not pushed.HasField("training")


@pytest.mark.parametrize(
    ("record", "field", "error"),
    [
        (
            training_record(validation=compute_pb2.ValidationSplit(source_split="test")),
            "model.training.validation.source_split",
            errors.TestSplitSealed,
        ),
        (training_record(label_counts=[1]), "model.training.label_counts", errors.InvalidField),
        (training_record(dataset_digest="sha256:" + "0" * 64), "model.training.dataset_digest", errors.InvalidField),
    ],
    ids=["test split", "too many counts", "other data"],
)
def test_a_record_of_training_that_cannot_be_is_refused(
    registry: Any, record: model_pb2.TrainingRecord, field: str, error: type[errors.ModelFoundryError]
) -> None:
    dataset = registry.create_dataset("digits")

    with pytest.raises(error) as refused:
        registry.create_model("weak", training_dataset=dataset.name, training=record)
    assert refused.value.field == field
    assert registry.models() == []


def test_a_model_without_an_id_gets_one(registry: Any) -> None:
    first, second = registry.create_model(), registry.create_model()

    assert first.name != second.name
    assert registry.models() == [second.name.rpartition("/")[2], first.name.rpartition("/")[2]]


def test_output_only_fields_of_a_new_model_are_ignored(registry: Any) -> None:
    made = registry.create_model("net", uid="mine", etag='"mine"', name="projects/other/models/other")

    assert made.name == "projects/default/models/net"
    assert made.uid != "mine"
    assert made.etag != '"mine"'


def test_a_taken_name_is_refused(registry: Any) -> None:
    registry.create_model("net")

    with pytest.raises(errors.AlreadyExists) as caught:
        registry.create_model("net", registry.weights(1))

    assert caught.value.metadata == {"resource": "projects/default/models/net"}
    assert caught.value.field == "model_id"


def test_an_unknown_model_is_answered_with_near_names(registry: Any) -> None:
    registry.create_model("resnet20")

    with pytest.raises(errors.NotFound, match="there is no projects/default/models/resnet2o") as caught:
        registry.call("GetModel", model_pb2.GetModelRequest(name="projects/default/models/resnet2o"))

    assert caught.value.hint == "did you mean resnet20?"
    assert caught.value.metadata == {"resource": "projects/default/models/resnet2o", "near": "resnet20"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "net",
        "projects/default/models/",
        "projects/default/models/../models/net",
        "projects/default/models/%2e%2e",
        "projects/default/modules/net",
        "projects/default/models/Net",
        "projects/default/models/net#x",
        "projects/default/models/n\x00t",
        "projects/default/models/" + "n" * 10_000_000,
    ],
)
def test_a_name_that_is_none_is_refused_before_the_database_sees_it(registry: Any, name: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.call("GetModel", model_pb2.GetModelRequest(name=name))

    assert caught.value.field == "name"
    assert caught.value.hint
    assert len(caught.value.message) < 300


WRONG_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "long display name": ({"display_name": "x" * 201}, "model.display_name"),
    "10 MB display name": ({"display_name": "x" * 10_000_000}, "model.display_name"),
    "control character": ({"display_name": "a\x00b"}, "model.display_name"),
    "line separator": ({"display_name": "a\u2028b"}, "model.display_name"),
    "long description": ({"description": "é" * 40_000}, "model.description"),
    "10 MB description": ({"description": "x" * 10_000_000}, "model.description"),
    "NUL in description": ({"description": "a\x00"}, "model.description"),
    "long licence": ({"license": "x" * 101}, "model.license"),
    "too many tags": ({"tags": {f"k{index}": "" for index in range(65)}}, "model.tags"),
    "tag key": ({"tags": {"Team": "x"}}, "model.tags"),
    "empty tag key": ({"tags": {"": "x"}}, "model.tags"),
    "tag value": ({"tags": {"team": "x" * 257}}, "model.tags.team"),
    "no labels": ({"labels": []}, "model.labels"),
    "one label": ({"labels": ["cat"]}, "model.labels"),
    "label twice": ({"labels": ["cat", "dog", "cat"]}, "model.labels[2]"),
    "empty label": ({"labels": ["cat", ""]}, "model.labels[1]"),
    "blank label": ({"labels": ["cat", "  "]}, "model.labels[1]"),
    "long label": ({"labels": ["cat", "x" * 201]}, "model.labels[1]"),
    "10 MB label": ({"labels": ["cat", "x" * 10_000_000]}, "model.labels[1]"),
    "unprintable label": ({"labels": ["cat", "d\x1bog"]}, "model.labels[1]"),
    "many labels": ({"labels": [f"l{index}" for index in range(100_001)]}, "model.labels"),
    "long labels": ({"labels": [f"{index:0200}" for index in range(20_000)]}, "model.labels"),
    "no builder": ({"architecture": architecture_pb2.Architecture()}, "model.architecture.builder"),
    "builder without family": (
        {"architecture": architecture_pb2.Architecture(builder="resnet20")},
        "model.architecture.builder",
    ),
    "unknown family": (
        {"architecture": architecture_pb2.Architecture(builder="zo:resnet20")},
        "model.architecture.builder",
    ),
    "path in builder": (
        {"architecture": architecture_pb2.Architecture(builder="timm:../../x")},
        "model.architecture.builder",
    ),
    "no channels": (
        {"input": architecture_pb2.InputSpec(channels=0, height=8, width=8)},
        "model.input.channels",
    ),
    "negative height": (
        {"input": architecture_pb2.InputSpec(channels=1, height=-8, width=8)},
        "model.input.height",
    ),
    "huge width": (
        {"input": architecture_pb2.InputSpec(channels=1, height=8, width=4097)},
        "model.input.width",
    ),
    "mean per channel": (
        {"input": architecture_pb2.InputSpec(channels=1, height=8, width=8, mean=[0, 0])},
        "model.input.mean",
    ),
    "NaN mean": (
        {"input": architecture_pb2.InputSpec(channels=1, height=8, width=8, mean=[float("nan")])},
        "model.input.mean",
    ),
    "std of 0": (
        {"input": architecture_pb2.InputSpec(channels=1, height=8, width=8, std=[0])},
        "model.input.std",
    ),
    "no digest": ({"weights_ref": blob_pb2.BlobRef()}, "model.weights.digest"),
    "path as digest": ({"weights_ref": blob_pb2.BlobRef(digest="sha256:../../etc/passwd")}, "model.weights.digest"),
    "data set of another project": (
        {"training_dataset": "projects/other/datasets/digits"},
        "model.training_dataset",
    ),
    "malformed data set": ({"training_dataset": "digits"}, "model.training_dataset"),
    "malformed operation": ({"operation": "projects/default/models/x"}, "model.operation"),
}


@pytest.mark.parametrize(("fields", "field"), WRONG_FIELDS.values(), ids=WRONG_FIELDS.keys())
def test_a_wrong_field_is_named_with_a_remedy_and_nothing_is_stored(
    registry: Any, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises((errors.InvalidField, errors.UnknownArchitecture)) as caught:
        registry.create_model("net", **fields)

    assert caught.value.field == field
    assert caught.value.hint
    assert len(caught.value.message) < 400
    assert registry.models() == []
    assert registry.edges() == []


@pytest.mark.parametrize(
    "parameters",
    [{"a b": 1}, {"x": None}, {"x": [1]}, {"x": {"y": 1}}, {"x": float("nan")}, {"x": float("inf")}, {"x": "a\x00"}],
)
def test_parameters_of_an_architecture_are_plain_values(registry: Any, parameters: dict[str, Any]) -> None:
    struct = struct_pb2.Struct()
    struct.update(parameters)

    with pytest.raises(errors.InvalidField) as caught:
        registry.create_model(architecture=architecture_pb2.Architecture(builder="zoo:simcnn", parameters=struct))

    assert caught.value.field.startswith("model.architecture.parameters")


@pytest.mark.parametrize("model_id", ["Net", "1net", "a/b", "..", "a" * 64, "é", "a" * 10_000_000, "net-"])
def test_an_id_that_cannot_be_a_name_is_refused(registry: Any, model_id: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_model(model_id)

    assert caught.value.field == "model_id"


@pytest.mark.parametrize("parent", ["", "default", "projects/", "projects/../x", "projects/Default", "projects/a/b"])
def test_a_parent_that_is_none_is_refused(registry: Any, parent: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.call("CreateModel", model_pb2.CreateModelRequest(parent=parent, model=registry.model_message()))

    assert caught.value.field == "parent"


def test_weights_that_were_not_uploaded_are_refused(registry: Any) -> None:
    digest = "sha256:" + "0" * 64

    with pytest.raises(errors.BlobMissing) as caught:
        registry.create_model(weights_ref=blob_pb2.BlobRef(digest=digest))

    assert caught.value.metadata == {"digest": digest}
    assert registry.models() == []


def test_a_training_data_set_that_is_not_there_is_refused(registry: Any) -> None:
    registry.create_dataset("digits")

    with pytest.raises(errors.NotFound) as caught:
        registry.create_model(training_dataset="projects/default/datasets/digit")

    assert caught.value.field == "model.training_dataset"
    assert caught.value.metadata["near"] == "digits"


def test_validate_only_checks_everything_and_stores_nothing(registry: Any) -> None:
    answer = registry.create_model("net", call={"validate_only": True})

    assert answer.name == "projects/default/models/net"
    assert registry.models() == []
    with pytest.raises(errors.UnknownArchitecture):
        registry.create_model(
            "net", architecture=architecture_pb2.Architecture(builder="x"), call={"validate_only": True}
        )
    with pytest.raises(errors.MalformedFile):
        registry.create_model("net", b"no weights", call={"validate_only": True})
