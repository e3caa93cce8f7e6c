"""What an export is asked for, and what cannot be exported so, from what the registry tells alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.api.reuser.v1 import on_demand_service_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.api.types.v1 import exports_pb2
from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobRef,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    InputSpec,
    Model,
    Module,
)
from modelfoundry.reuser.exporting.plan import ExportPlan, plan_export
from modelfoundry.reuser.exporting.request import export_from_proto
from modelfoundry.reuser.on_demand.wanted import wanted_from_proto
from modelfoundry.values.file_forms import Compute, ExportForm, WeightFormat
from modelfoundry.workbench.resources import AsyncResources, Known

FP32, FP16, INT8 = (exports_pb2.WEIGHT_FORMAT_FP32, exports_pb2.WEIGHT_FORMAT_FP16, exports_pb2.WEIGHT_FORMAT_INT8)
IN_INT8 = exports_pb2.COMPUTE_INT8
SAFETENSORS, TORCH, ONNX = pb.EXPORT_FORMAT_SAFETENSORS, pb.EXPORT_FORMAT_TORCH_EXPORT, pb.EXPORT_FORMAT_ONNX


def _dataset(name: str, *splits: str, samples: int = 100) -> Dataset:
    parts = tuple(
        DatasetSplit(split=split, content=BlobRef(f"sha256:{name}"), sample_count=samples) for split in splits
    )
    return Dataset(
        name=f"projects/p/datasets/{name}",
        labels=("cat", "dog"),
        splits=parts,
        channels=3,
        height=8,
        width=8,
        digest=name,
    )


MODEL = Model(
    name="projects/p/models/net",
    architecture=Architecture("zoo:resnet20"),
    input=InputSpec(3, 8, 8),
    labels=("cat", "dog"),
    weights=BlobRef("sha256:0"),
)
RESOURCES = (
    MODEL,
    replace(MODEL, name="projects/p/models/trained", training_dataset="projects/p/datasets/pets"),
    Module(
        name="projects/p/modules/cat",
        base_model="projects/p/models/net",
        problem=BinaryProblem("cat"),
        artifact=BlobRef("sha256:1"),
        dataset="projects/p/datasets/pets",
        record=DecompositionRecord(algorithm="seam"),
    ),
    _dataset("pets", "train", "test"),
    _dataset("tests", "test"),
    _dataset("few", "train", samples=16),
    replace(_dataset("plants", "train"), labels=("oak", "elm")),
)


class Nothing:
    """A registry in which nothing else is."""

    @property
    def datasets(self) -> Nothing:
        return self

    models = modules = datasets

    async def get(self, name: str) -> Any:
        raise errors.NotFound(f"{name} is not there", hint="look at what is")


async def plan(subject: str, format: Any = ONNX, dataset: str = "", **fields: Any) -> ExportPlan:  # noqa: A002
    request = pb.ExportRequest(
        parent="projects/p",
        subject=f"projects/p/{subject}",
        format=format,
        dataset=f"projects/p/datasets/{dataset}" if dataset else "",
        **fields,
    )
    nothing: Any = Nothing()
    return await plan_export(export_from_proto(request), AsyncResources(nothing, Known(RESOURCES)))


async def test_what_is_not_said_is_float32_and_needs_no_data_set() -> None:
    planned = await plan("models/net")
    assert planned.request.form == ExportForm()
    assert planned.images is None
    said = await plan("models/net", weights=FP32, compute=exports_pb2.COMPUTE_FP32)
    assert said.cache_key == planned.cache_key


async def test_int8_is_calibrated_on_the_data_set_that_the_record_names() -> None:
    for subject in ("models/trained", "modules/cat"):
        planned = await plan(subject, compute=IN_INT8)
        assert planned.request.form == ExportForm(weights=WeightFormat.INT8, compute=Compute.INT8)
        assert planned.request.calibration_images == 256
        assert planned.images is not None
        assert [dataset.name for dataset in planned.images.datasets] == ["projects/p/datasets/pets"]
        assert planned.images.validation.source_split == "train"


async def test_stored_weights_are_written_without_a_data_set_and_measured_with_one() -> None:
    assert (await plan("models/net", weights=FP16)).images is None
    assert (await plan("models/net", weights=FP16, dataset="pets")).images is not None
    assert (await plan("models/trained", SAFETENSORS, weights=FP16)).images is not None


async def test_other_files_are_other_work() -> None:
    keys = [
        (await plan("models/trained", **fields)).cache_key
        for fields in (
            {},
            {"weights": FP16},
            {"weights": INT8},
            {"compute": IN_INT8},
            {"compute": IN_INT8, "calibration_images": 64},
            {"compute": IN_INT8, "dataset": "few"},
        )
        if fields.get("dataset") != "few"
    ]
    assert len(set(keys)) == len(keys)
    again = await plan("models/trained", compute=IN_INT8, weights=INT8, dataset="pets")
    assert again.cache_key == keys[3]


@pytest.mark.parametrize(
    ("subject", "fields", "field", "told"),
    [
        pytest.param("models/net", {"compute": IN_INT8}, "dataset", "--dataset", id="no data set is recorded"),
        pytest.param("models/net", {"compute": IN_INT8, "dataset": "tests"}, "dataset", "sealed", id="test split only"),
        pytest.param("models/net", {"compute": IN_INT8, "dataset": "few"}, "dataset", "more images", id="few images"),
        pytest.param("models/net", {"compute": IN_INT8, "dataset": "plants"}, "dataset", "labels", id="other labels"),
        pytest.param("models/net", {"dataset": "pets"}, "dataset", "int8", id="a data set for float32"),
        pytest.param("models/net", {"weights": FP16, "compute": IN_INT8}, "weights", "leave weights out", id="both"),
        pytest.param("models/net", {"format": SAFETENSORS, "weights": INT8}, "weights", "onnx", id="int8 tensors"),
        pytest.param("models/net", {"format": SAFETENSORS, "compute": IN_INT8}, "compute", "onnx", id="int8 compute"),
        pytest.param("models/net", {"format": TORCH, "weights": FP16}, "weights", "safetensors or onnx", id="program"),
        pytest.param("models/net", {"weights": 99}, "weights", "fp16", id="weights of a newer service"),
        pytest.param("models/net", {"compute": 99}, "compute", "int8", id="compute of a newer service"),
        pytest.param(
            "models/trained",
            {"compute": IN_INT8, "calibration_images": 15},
            "calibration_images",
            "16 to 4096",
            id="15",
        ),
        pytest.param(
            "models/trained", {"compute": IN_INT8, "calibration_images": 4097}, "calibration_images", "16", id="4097"
        ),
        pytest.param("models/trained", {"calibration_images": 64}, "calibration_images", "int8", id="for float32"),
    ],
)
async def test_what_does_not_go_together_is_refused_before_the_work(
    subject: str, fields: dict[str, Any], field: str, told: str
) -> None:
    with pytest.raises((errors.InvalidField, errors.DatasetMismatch)) as caught:
        await plan(subject, **fields)
    assert caught.value.field == field
    assert told in caught.value.hint


async def test_a_data_set_that_is_not_there_is_named() -> None:
    with pytest.raises(errors.NotFound, match="gone"):
        await plan("models/net", compute=IN_INT8, dataset="gone")


def _asked(**fields: Any) -> on_demand_service_pb2.RequestModulesRequest:
    return on_demand_service_pb2.RequestModulesRequest(parent="projects/p", labels=["cat"], **fields)


def test_a_request_for_modules_says_the_form_of_its_files() -> None:
    wanted = wanted_from_proto(_asked(format=ONNX, compute=IN_INT8))
    assert wanted.form == ExportForm(weights=WeightFormat.INT8, compute=Compute.INT8)
    with pytest.raises(errors.InvalidField, match="no weights int8") as caught:
        wanted_from_proto(_asked(format=SAFETENSORS, weights=INT8))
    assert "onnx" in caught.value.hint
    with pytest.raises(errors.InvalidField, match="no format") as caught:
        wanted_from_proto(_asked(compute=IN_INT8))
    assert caught.value.field == "compute"
