"""Modules: what is checked against the base model, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf import struct_pb2

from modelfoundry import errors
from modelfoundry.api.registry.v1 import module_pb2
from modelfoundry.api.types.v1 import compute_pb2, metrics_pb2, problem_pb2

MULTI = {"multi_class": {"labels": ["horse", "cat"]}}


@pytest.fixture
def base(registry: Any) -> Any:
    return registry.create_model("net", license="MIT")


@pytest.fixture
def dataset(registry: Any) -> Any:
    return registry.create_dataset("digits")


def _multi_class(*labels: str) -> problem_pb2.TargetProblem:
    return problem_pb2.TargetProblem(multi_class=problem_pb2.MultiClassProblem(labels=labels))


def _modules(registry: Any, where: str = "") -> list[str]:
    response = registry.call("ListModules", module_pb2.ListModulesRequest(parent="projects/default", filter=where))
    return [module.name.rpartition("/")[2] for module in response.modules]


def test_a_module_is_stored_with_everything_that_was_said_about_it(registry: Any, base: Any, dataset: Any) -> None:
    settings = struct_pb2.Struct()
    settings.update({"alpha": 1.0, "recipe": {"epochs": 300}, "masks": ["ones"], "none": None})
    record = module_pb2.DecompositionRecord(
        algorithm="seam",
        settings=settings,
        seed=2**53 + 1,
        validation=compute_pb2.ValidationSplit(source_split="train", fraction=0.1, seed=3),
        operation="projects/default/operations/op-1",
        environment=compute_pb2.Environment(python="3.11", libraries={"torch": "2.15"}, threads=2),
        validation_accuracy=0.9765625,
        chosen_epoch=12,
        fell_back=True,
        cache_key="key-1",
    )
    retention = metrics_pb2.RetentionMetrics(
        weight_retention=0.1, layers=[metrics_pb2.LayerRetention(layer="conv", weight_retention=0.1)]
    )
    made = registry.create_module(base, dataset, "horse", record=record, retention=retention)

    got = registry.call("GetModule", module_pb2.GetModuleRequest(name="projects/default/modules/horse"))

    assert got == made
    record.dataset_digest = dataset.digest
    assert got.record == record
    assert got.retention == retention
    assert got.base_digest == base.weights.digest
    assert list(got.outputs) == ["horse", "rest"]
    assert got.license == "MIT"
    assert got.artifact.size_bytes > 0


def test_a_module_for_several_labels_has_them_as_outputs(registry: Any, base: Any, dataset: Any) -> None:
    artifact = registry.artifact(base, MULTI)
    made = registry.create_module(base, dataset, artifact=artifact, problem=_multi_class("horse", "cat"))

    assert list(made.outputs) == ["horse", "cat"]
    assert made.problem == _multi_class("horse", "cat")


def test_a_module_that_also_answers_none_has_the_rest_as_last_output(registry: Any, base: Any, dataset: Any) -> None:
    problem = problem_pb2.TargetProblem(open_set=problem_pb2.OpenSetProblem(labels=["horse", "cat"]))
    artifact = registry.artifact(base, {"open_set": {"labels": ["horse", "cat"]}}, outputs=3)
    registry.create_module(base, dataset, "open", artifact=artifact, problem=problem)

    got = registry.call("GetModule", module_pb2.GetModuleRequest(name="projects/default/modules/open"))

    assert list(got.outputs) == ["horse", "cat", "rest"]
    assert got.problem == problem


def test_a_licence_of_its_own_is_kept(registry: Any, base: Any, dataset: Any) -> None:
    assert registry.create_module(base, dataset, license="Apache-2.0").license == "Apache-2.0"


def test_a_module_without_retention_has_none(registry: Any, base: Any, dataset: Any) -> None:
    made = registry.create_module(base, dataset, "bare", retention=None)

    assert not made.HasField("retention")
    assert _modules(registry, "weight_retention >= 0") == []


BAD_METADATA: dict[str, tuple[dict[str, str], type[errors.ModelFoundryError], str]] = {
    "other format": ({"format": "pt"}, errors.MalformedFile, "its format is 'pt'"),
    "newer version": ({"format_version": "5"}, errors.MalformedFile, "its format version is '5'"),
    "deeper head": ({"format_version": "2"}, errors.MalformedFile, "a tensor 'head.weight' that no module has"),
    "other base": ({"base_digest": "sha256:" + "0" * 64}, errors.InvalidField, "belongs to weights sha256:0000"),
    "no JSON": ({"problem": "{"}, errors.MalformedFile, "its problem is not JSON"),
    "other label": (
        {"problem": json.dumps({"binary": {"label": "cat"}})},
        errors.InvalidField,
        "solves another problem",
    ),
    "other kind": ({"problem": json.dumps(MULTI)}, errors.InvalidField, "solves another problem"),
    "layout no JSON": ({"layout": "[" * 100_000}, errors.MalformedFile, "its layout is not JSON"),
    "layout empty": ({"layout": "[]"}, errors.MalformedFile, "its layout is no list"),
    "layout entry": ({"layout": '[["conv.weight"]]'}, errors.MalformedFile, "its layout has the entry"),
    "parameter twice": (
        {"layout": json.dumps([["fc.bias", [3]], ["fc.bias", [3]]])},
        errors.MalformedFile,
        "its layout has the entry",
    ),
    "unknown parameter": (
        {"layout": json.dumps([["conv2.weight", [4, 1, 3, 3]]])},
        errors.WeightsMismatch,
        "conv2.weight: masked as .* in the base it is not there",
    ),
    "other shape": (
        {"layout": json.dumps([["conv.weight", [4, 1, 5, 5]]])},
        errors.WeightsMismatch,
        r"in the base it has the shape \[4, 1, 3, 3\]",
    ),
}


@pytest.mark.parametrize(("changes", "error", "what"), BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_an_artifact_that_does_not_fit_is_refused_and_leaves_nothing(
    registry: Any, base: Any, dataset: Any, changes: dict[str, str], error: type[errors.ModelFoundryError], what: str
) -> None:
    with pytest.raises(error, match=what) as caught:
        registry.create_module(base, dataset, artifact=registry.artifact(base, **changes))

    assert caught.value.field in {"module.artifact.digest", "module.problem"}
    assert caught.value.hint
    assert _modules(registry) == []


def test_every_parameter_that_does_not_fit_is_named(registry: Any, base: Any, dataset: Any) -> None:
    layout = json.dumps([["a", [1]], ["fc.bias", [3]], ["b", [2]]])

    with pytest.raises(errors.WeightsMismatch) as caught:
        registry.create_module(base, dataset, artifact=registry.artifact(base, layout=layout))

    assert [violation.description.partition(":")[0] for violation in caught.value.violations] == ["a", "b"]


def test_tensors_of_an_artifact_have_the_shapes_of_the_format(
    registry: Any, base: Any, dataset: Any, make_safetensors: Any
) -> None:
    metadata = {
        "format": "modelfoundry.module",
        "format_version": "1",
        "base_digest": base.weights.digest,
        "problem": json.dumps({"binary": {"label": "horse"}}),
        "layout": json.dumps([["fc.bias", [3]]]),
        "algorithm": "seam",
    }
    sound = {
        "masks": np.zeros(4, dtype=np.uint8),
        "head.weight": np.zeros((2, 3), dtype=np.float32),
        "head.bias": np.zeros(2, dtype=np.float32),
    }
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"head.weight": np.zeros((3, 2), dtype=np.float32)}, r"head.weight is F32 \[3, 2\], not F32 \[2, 3\]"),
        ({"head.bias": np.zeros(2, dtype=np.float64)}, "head.bias is F64"),
        ({"masks": np.zeros((2, 2), dtype=np.uint8)}, "masks is U8"),
        ({"more": np.zeros(1, dtype=np.uint8)}, "a tensor 'more' that no module has"),
    ]
    for changes, what in wrong:
        with pytest.raises(errors.MalformedFile, match=what):
            registry.create_module(base, dataset, artifact=make_safetensors({**sound, **changes}, metadata))
    for name in sound:
        rest = {other: tensor for other, tensor in sound.items() if other != name}
        with pytest.raises(errors.MalformedFile, match=f"it has no tensor '{name}'"):
            registry.create_module(base, dataset, artifact=make_safetensors(rest, metadata))
    spoilt = {**sound, "head.bias": np.array([0, np.nan], dtype=np.float32)}
    with pytest.raises(errors.NonFiniteWeights, match="NaN or infinity in head"):
        registry.create_module(base, dataset, artifact=make_safetensors(spoilt, metadata))
    assert _modules(registry) == []


def test_a_label_that_the_base_lacks_is_answered_with_near_ones(registry: Any, base: Any, dataset: Any) -> None:
    problem = problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label="hors"))

    with pytest.raises(errors.UnknownLabel) as caught:
        registry.create_module(base, dataset, problem=problem)

    assert caught.value.metadata == {"near": "horse"}
    assert caught.value.field == "module.problem.binary.label"


@pytest.mark.parametrize("labels", [[], ["cat"], ["cat", "cat"], ["cat", "dog", "horse"]])
def test_a_multi_class_problem_has_some_different_labels(
    registry: Any, base: Any, dataset: Any, labels: list[str]
) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_module(base, dataset, problem=_multi_class(*labels))

    assert caught.value.field.startswith("module.problem.multi_class.labels")


WRONG_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no problem": ({"problem": problem_pb2.TargetProblem()}, "module.problem"),
    "no algorithm": ({"record": module_pb2.DecompositionRecord()}, "module.record.algorithm"),
    "long algorithm": ({"record": module_pb2.DecompositionRecord(algorithm="x" * 201)}, "module.record.algorithm"),
    "digest of other data": (
        {"record": module_pb2.DecompositionRecord(algorithm="seam", dataset_digest="sha256:" + "0" * 64)},
        "module.record.dataset_digest",
    ),
    "malformed operation": (
        {"record": module_pb2.DecompositionRecord(algorithm="seam", operation="op-1")},
        "module.record.operation",
    ),
    "retention above 1": (
        {"retention": metrics_pb2.RetentionMetrics(weight_retention=1.5)},
        "module.retention.weight_retention",
    ),
    "retention NaN": (
        {"retention": metrics_pb2.RetentionMetrics(weight_retention=float("nan"))},
        "module.retention.weight_retention",
    ),
    "base of another project": ({"base_model": "projects/other/models/net"}, "module.base_model"),
    "data set missing": ({"dataset": ""}, "module.dataset"),
}


@pytest.mark.parametrize(("fields", "field"), WRONG_FIELDS.values(), ids=WRONG_FIELDS.keys())
def test_a_wrong_field_is_named(registry: Any, base: Any, dataset: Any, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.InvalidField) as caught:
        registry.create_module(base, dataset, **fields)

    assert caught.value.field == field
    assert _modules(registry) == []


def test_settings_that_json_cannot_carry_are_refused(registry: Any, base: Any, dataset: Any) -> None:
    settings = struct_pb2.Struct()
    settings.update({"alpha": float("nan")})

    with pytest.raises(errors.InvalidField, match="NaN or infinity") as caught:
        registry.create_module(
            base, dataset, record=module_pb2.DecompositionRecord(algorithm="seam", settings=settings)
        )

    assert caught.value.field == "module.record"


def test_masks_chosen_on_test_data_are_refused(registry: Any, base: Any, dataset: Any) -> None:
    record = module_pb2.DecompositionRecord(
        algorithm="seam", validation=compute_pb2.ValidationSplit(source_split="test")
    )

    with pytest.raises(errors.TestSplitSealed) as caught:
        registry.create_module(base, dataset, record=record)

    assert caught.value.field == "module.record.validation.source_split"

    fitted = module_pb2.DecompositionRecord(algorithm="seam", calibration_split=" Test")
    with pytest.raises(errors.TestSplitSealed) as caught:
        registry.create_module(base, dataset, record=fitted)

    assert caught.value.field == "module.record.calibration_split"


def test_a_base_or_data_set_that_is_not_there_is_named(registry: Any, base: Any, dataset: Any) -> None:
    with pytest.raises(errors.NotFound) as no_base:
        registry.create_module(base, dataset, base_model="projects/default/models/nett")
    with pytest.raises(errors.NotFound) as no_dataset:
        registry.create_module(base, dataset, dataset="projects/default/datasets/digit")

    assert (no_base.value.field, no_base.value.metadata["near"]) == ("module.base_model", "net")
    assert (no_dataset.value.field, no_dataset.value.metadata["near"]) == ("module.dataset", "digits")
