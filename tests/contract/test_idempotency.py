"""Which calls may be made again: every RPC says so, or stands here with the reason why not."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.longrunning import operations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from grpc_health.v1 import health_pb2

from modelfoundry import api
from modelfoundry.client.channels import CONTRACTS
from modelfoundry.runtime import channels as runtime
from modelfoundry.wire.channels import FOLLOWED_STREAMS, OTHERS_REPEATABLE, repeatable_methods

CHANGES = "a second change is a second event, and its etag is another"
GONE = "the second answer would be NOT_FOUND"
LEASE = "the second answer would be LEASE_LOST"
NEVER_REPEATED = {
    **dict.fromkeys(("UpdateModel", "UpdateDataset", "UpdateModule", "UpdateComposition", "SetModuleForms"), CHANGES),
    **dict.fromkeys(("DeleteModel", "DeleteDataset", "DeleteModule", "DeleteComposition", "DeleteEvaluation"), GONE),
    **dict.fromkeys(("DeleteVocabulary", "DeleteAlias", "DeleteWebhook", "CancelUpload"), GONE),
    **dict.fromkeys(("CompleteOperation", "FailOperation", "ReleaseOperation"), LEASE),
    "SetAlias": "after the first, `expected_target` is another",
    "CreateWebhook": "its secret is told once",
    "CollectGarbage": "what it removed is told once",
    "WriteBlob": "the SDK goes on where the upload ends",
    "EnqueueOperation": "without request id and cache key it would be queued twice",
    "LeaseOperation": "the first lease would lie unused until it runs out",
    "ReportProgress": "log lines would be written twice",
}
REGISTRY = "modelfoundry.api.registry.v1"
REPEATED = {
    f"{REGISTRY}.RegistryService": (
        *("CreateModel", "GetModel", "ListModels"),
        *("CreateDataset", "GetDataset", "ListDatasets"),
        *("CreateModule", "GetModule", "ListModules"),
        *("CreateComposition", "GetComposition", "ListCompositions"),
        *("CreateEvaluation", "GetEvaluation", "ListEvaluations"),
        *("ListProvenanceEdges", "GetLineage", "ListDependents"),
    ),
    f"{REGISTRY}.SearchService": ("SearchModules", "CreateVocabulary", "GetVocabulary", "ListVocabularies"),
    f"{REGISTRY}.AliasService": ("ListAliases", "ListAliasMoves", "AddVersion", "ListVersions"),
    f"{REGISTRY}.StatementService": ("GetStatement", "ListSigningKeys"),
    f"{REGISTRY}.CardService": ("GetCard",),
    f"{REGISTRY}.LabelService": ("FindLabels",),
    f"{REGISTRY}.BlobService": ("FindMissingBlobs", "GetBlob", "CreateUpload", "GetUpload", "FinalizeUpload"),
    f"{REGISTRY}.DirectTransferService": ("CreateDownloadUrl", "CreateUploadUrl"),
    f"{REGISTRY}.EventService": ("ListEvents",),
    f"{REGISTRY}.MaintenanceService": ("CheckBlobs",),
    f"{REGISTRY}.WebhookService": ("GetWebhook", "ListWebhooks"),
    "modelfoundry.api.decomposer.v1.DecomposerService": ("Decompose", "ListRecipes"),
    "modelfoundry.api.decomposer.v1.RebuildService": ("Rebuild",),
    "modelfoundry.api.decomposer.v1.TrainingService": ("TrainModel", "ListTrainingRecipes"),
    "modelfoundry.api.evaluator.v1.EvaluatorService": ("Evaluate", "CheckModel"),
    "modelfoundry.api.reuser.v1.ReuserService": ("Export", "ComposeModel", "Compact", "Predict"),
    "modelfoundry.api.operations.v1.OperationEventsService": ("ListOperationEvents",),
    "modelfoundry.api.reuser.v1.OnDemandService": ("RequestModules",),
    "google.longrunning.Operations": ("GetOperation", "ListOperations", "CancelOperation"),
    "grpc.health.v1.Health": ("Check",),
}


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC of our contracts."""
    (folder,) = map(Path, api.__path__)
    for file in sorted(folder.rglob("*_pb2.py")):
        inside = file.relative_to(folder).with_suffix("").parts
        contract = importlib.import_module(".".join((api.__name__, *inside))).DESCRIPTOR
        for service in contract.services_by_name.values():
            yield from service.methods


def level(method: MethodDescriptor) -> int:
    options: Any = method.GetOptions()
    return int(options.idempotency_level)


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.name)
def test_every_rpc_says_whether_it_may_be_repeated_or_stands_here_with_the_reason_why_not(
    method: MethodDescriptor,
) -> None:
    assert (level(method) == MethodOptions.IDEMPOTENCY_UNKNOWN) == (method.name in NEVER_REPEATED)


def test_reasons_are_given_for_what_there_is() -> None:
    assert set(NEVER_REPEATED) <= {method.name for method in methods()}


@pytest.mark.parametrize("method", methods(), ids=lambda method: method.name)
def test_what_reads_has_no_side_effects(method: MethodDescriptor) -> None:
    reads = re.match("Get|List|Find|Search|Check|Read|Watch|Predict|Server|Model", method.name) is not None
    if method.name == "FindMissingBlobs":
        reads = False  # blobs that it was asked for are kept for a day
    assert (level(method) == MethodOptions.NO_SIDE_EFFECTS) == reads


def test_the_sdk_repeats_what_it_repeated_when_the_list_was_kept_by_hand() -> None:
    assert repeatable_methods(CONTRACTS) == REPEATED


def test_services_repeat_what_they_repeated_when_the_list_was_kept_by_hand() -> None:
    assert repeatable_methods(runtime.CONTRACTS) == {
        "google.longrunning.Operations": ("GetOperation", "ListOperations", "CancelOperation"),
        "modelfoundry.api.operations.v1.OperationEventsService": ("ListOperationEvents",),
        "modelfoundry.api.operations.v1.JobQueueService": ("SaveCheckpoint",),
        "grpc.health.v1.Health": ("Check",),
    }


def test_methods_of_others_and_followed_streams_exist() -> None:
    others = {**operations_pb2.DESCRIPTOR.services_by_name, **health_pb2.DESCRIPTOR.services_by_name}
    known = {service.full_name: {method.name for method in service.methods} for service in others.values()}
    assert all(set(names) <= known[service] for service, names in OTHERS_REPEATABLE.items())
    assert {method.name for method in methods() if method.server_streaming} >= FOLLOWED_STREAMS
