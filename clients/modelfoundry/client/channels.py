"""How channels to the services are set up: retries, keepalive, message size."""

from __future__ import annotations

import ipaddress
import json
from typing import Final

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
KEEPALIVE_MS: Final = 30_000
KEEPALIVE_TIMEOUT_MS: Final = 10_000

# Safe to repeat: they read, or the SDK gives them a request_id, or doing them twice does the same.
REPEATABLE_METHODS: Final[dict[str, tuple[str, ...]]] = {
    "modelfoundry.api.registry.v1.RegistryService": (
        *("CreateModel", "GetModel", "ListModels"),
        *("CreateDataset", "GetDataset", "ListDatasets"),
        *("CreateModule", "GetModule", "ListModules"),
        *("CreateComposition", "GetComposition", "ListCompositions"),
        *("CreateEvaluation", "GetEvaluation", "ListEvaluations"),
        *("ListProvenanceEdges", "GetLineage", "ListDependents"),
    ),
    "modelfoundry.api.registry.v1.SearchService": (
        *("SearchModules", "CreateVocabulary", "GetVocabulary", "ListVocabularies"),
    ),
    "modelfoundry.api.registry.v1.AliasService": ("AddVersion", "ListAliases", "ListAliasMoves", "ListVersions"),
    "modelfoundry.api.registry.v1.StatementService": ("GetStatement", "ListSigningKeys"),
    "modelfoundry.api.registry.v1.CardService": ("GetCard",),
    "modelfoundry.api.registry.v1.LabelService": ("FindLabels",),
    "modelfoundry.api.registry.v1.BlobService": (
        *("FindMissingBlobs", "GetBlob", "CreateUpload", "GetUpload", "FinalizeUpload"),
    ),
    "modelfoundry.api.registry.v1.DirectTransferService": ("CreateDownloadUrl", "CreateUploadUrl"),
    "modelfoundry.api.registry.v1.EventService": ("ListEvents",),
    "modelfoundry.api.registry.v1.MaintenanceService": ("CheckBlobs",),
    "modelfoundry.api.registry.v1.WebhookService": ("GetWebhook", "ListWebhooks"),
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


def service_config() -> str:
    """Service config as JSON: UNAVAILABLE is retried where repeating is safe, and less when nothing succeeds."""
    names = [
        {"service": service, "method": method} for service, methods in REPEATABLE_METHODS.items() for method in methods
    ]
    retry_policy = {
        "maxAttempts": 4,
        # In all longer than the longest reconnect backoff: a service that listens again is found.
        "initialBackoff": "0.3s",
        "maxBackoff": "5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps(
        {
            "methodConfig": [{"name": names, "retryPolicy": retry_policy}],
            "retryThrottling": {"maxTokens": 50, "tokenRatio": 0.5},
            "loadBalancingConfig": [{"round_robin": {}}],
        }
    )


def channel_options(address: str) -> list[tuple[str, str | int]]:
    """Options of a channel to one address."""
    options: list[tuple[str, str | int]] = [
        ("grpc.service_config", service_config()),
        ("grpc.keepalive_time_ms", KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        # A service that was restarted is found again within a second.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 1_000),
    ]
    if _is_loopback(address):
        options.append(("grpc.enable_http_proxy", 0))  # a proxy of the environment cannot reach this machine's loopback
    return options


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
