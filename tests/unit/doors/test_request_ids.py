"""Every door that takes a `request_id` takes the same ones."""

from __future__ import annotations

import importlib
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message

import modelfoundry.api
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2, rebuild_service_pb2, training_service_pb2
from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.operations.v1 import job_queue_service_pb2, operation_pb2
from modelfoundry.api.registry.v1 import (
    blob_service_pb2,
    composition_pb2,
    dataset_pb2,
    evaluation_pb2,
    model_pb2,
    module_pb2,
    vocabulary_pb2,
)
from modelfoundry.api.reuser.v1 import composing_pb2, reuser_service_pb2
from modelfoundry.decomposer.rebuild_servicer import RebuildServicer
from modelfoundry.decomposer.servicer import DecomposerServicer
from modelfoundry.decomposer.training_servicer import TrainingServicer
from modelfoundry.errors import InvalidField
from modelfoundry.evaluator.servicer import EvaluatorServicer
from modelfoundry.names import check_request_id
from modelfoundry.registry.blobs.servicer import BlobServicer
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.jobs.intake import Intake
from modelfoundry.registry.jobs.queue_servicer import JobQueueServicer
from modelfoundry.registry.registry_service import RegistryServicer
from modelfoundry.registry.search.servicer import SearchServicer
from modelfoundry.registry.threads import Threads
from modelfoundry.reuser.submissions import Submissions

GOOD = {
    "version 4": "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "in capitals": "F47AC10B-58CC-4372-A567-0E02B2C3D479",
    "none": "",
}
BAD = {
    "without hyphens": "f47ac10b58cc4372a5670e02b2c3d479",
    "version 1": "c232ab00-9414-11ec-b3c8-9f6bdeced846",
    "version 7": "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
    "another variant": "f47ac10b-58cc-4372-c567-0e02b2c3d479",
    "in braces": "{f47ac10b-58cc-4372-a567-0e02b2c3d479}",
    "a URN": "urn:uuid:f47ac10b-58cc-4372-a567-0e02b2c3d479",
    "a line more": "f47ac10b-58cc-4372-a567-0e02b2c3d479\n",
    "a word": "seven",
}
NOTHING: Any = None  # doors that let an id through break behind it
DIGEST = f"sha256:{'0' * 64}"


def registry() -> RegistryServicer:
    return RegistryServicer(NOTHING)


def submissions() -> Submissions:
    return Submissions(NOTHING)


def upload_of(request_id: str) -> Message:
    request = blob_service_pb2.CreateUploadRequest(parent="projects/default", request_id=request_id)
    request.upload.blob.digest = DIGEST
    return request


def job_of(request_id: str) -> Message:
    request = job_queue_service_pb2.EnqueueOperationRequest(
        parent="projects/default", kind="decompose", request_id=request_id
    )
    request.request.Pack(operation_pb2.Progress())
    return request


DOORS: dict[type[Message], Callable[[Any], Any]] = {
    model_pb2.CreateModelRequest: lambda request: registry().CreateModel(request, NOTHING),
    dataset_pb2.CreateDatasetRequest: lambda request: registry().CreateDataset(request, NOTHING),
    module_pb2.CreateModuleRequest: lambda request: registry().CreateModule(request, NOTHING),
    composition_pb2.CreateCompositionRequest: lambda request: registry().CreateComposition(request, NOTHING),
    evaluation_pb2.CreateEvaluationRequest: lambda request: registry().CreateEvaluation(request, NOTHING),
    vocabulary_pb2.CreateVocabularyRequest: lambda request: SearchServicer(NOTHING, NOTHING, NOTHING).CreateVocabulary(
        request, NOTHING
    ),
    blob_service_pb2.CreateUploadRequest: lambda request: BlobServicer(
        NOTHING, Uploads(NOTHING, NOTHING, NOTHING)
    ).CreateUpload(request, NOTHING),
    job_queue_service_pb2.EnqueueOperationRequest: lambda request: JobQueueServicer(
        Intake(NOTHING, NOTHING), NOTHING, NOTHING, Threads("jobs"), NOTHING
    ).EnqueueOperation(request, NOTHING),
    decomposer_service_pb2.DecomposeRequest: lambda request: DecomposerServicer(NOTHING, NOTHING).Decompose(
        request, NOTHING
    ),
    training_service_pb2.TrainModelRequest: lambda request: TrainingServicer(NOTHING, NOTHING).TrainModel(
        request, NOTHING
    ),
    rebuild_service_pb2.RebuildRequest: lambda request: RebuildServicer(NOTHING, NOTHING).Rebuild(request, NOTHING),
    evaluator_service_pb2.EvaluateRequest: lambda request: EvaluatorServicer(NOTHING, NOTHING, NOTHING).Evaluate(
        request, NOTHING
    ),
    reuser_service_pb2.ExportRequest: lambda request: submissions().export(request, NOTHING),
    reuser_service_pb2.CompactRequest: lambda request: submissions().compact(request, NOTHING),
    composing_pb2.ComposeModelRequest: lambda request: submissions().compose(request, NOTHING),
}
WITH_MORE = {blob_service_pb2.CreateUploadRequest: upload_of, job_queue_service_pb2.EnqueueOperationRequest: job_of}


async def refuses(request_type: type[Message], request_id: str) -> bool:
    """Whether a door says that the id is wrong, before it looks at anything behind it."""
    request = WITH_MORE.get(request_type, lambda text: request_type(request_id=text))(request_id)
    try:
        await DOORS[request_type](request)
    except InvalidField as error:
        return error.field == "request_id"
    except Exception:  # noqa: BLE001 - it went on
        return False
    return False


@pytest.mark.parametrize("request_type", DOORS, ids=lambda one: one.DESCRIPTOR.name)
async def test_every_door_takes_the_same_ids(request_type: type[Message]) -> None:
    assert [name for name, text in GOOD.items() if await refuses(request_type, text)] == []
    assert [name for name, text in BAD.items() if not await refuses(request_type, text)] == []


def test_no_door_is_left_out() -> None:
    """Every message of the contracts with a request id is above, except what a job tells of itself."""
    (folder,) = map(Path, modelfoundry.api.__path__)
    modules = [
        importlib.import_module(".".join(("modelfoundry.api", *file.relative_to(folder).with_suffix("").parts)))
        for file in folder.rglob("*_pb2.py")
    ]
    taking = {
        message.full_name
        for module in modules
        for message in module.DESCRIPTOR.message_types_by_name.values()
        if "request_id" in message.fields_by_name
    }
    assert taking - {operation_pb2.OperationMetadata.DESCRIPTOR.full_name} == {
        one.DESCRIPTOR.full_name for one in DOORS
    }


def test_two_spellings_are_one_id() -> None:
    text = str(uuid.uuid4())
    assert check_request_id(text.upper()) == check_request_id(text) == text
