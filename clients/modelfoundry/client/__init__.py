"""The Python SDK of ModelFoundry: typed, for threads and for asyncio, without torch.

    from modelfoundry.client import Client

    with Client() as client:
        job = client.decompose("resnet20", "cifar10", label="horse")
        (module,) = job.wait(on_progress=print)
        print(module.retention.weight_retention, client.predict(module, "horse.png")[0].label)

Everything that `Client` does, `AsyncClient` does with `await`. Errors are the classes of `modelfoundry.errors`.
"""

from modelfoundry.client._async.aliases import AsyncAliases
from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client._async.client import AsyncClient, connect_async
from modelfoundry.client._async.datasets import AsyncDatasets
from modelfoundry.client._async.evaluations import AsyncEvaluations
from modelfoundry.client._async.jobs import AsyncJob, AsyncJobs
from modelfoundry.client._async.maintenance import AsyncMaintenance
from modelfoundry.client._async.models import AsyncModels
from modelfoundry.client._async.modules import AsyncModules
from modelfoundry.client._sync.aliases import Aliases
from modelfoundry.client._sync.blobs import Blobs
from modelfoundry.client._sync.client import Client, connect
from modelfoundry.client._sync.datasets import Datasets
from modelfoundry.client._sync.evaluations import Evaluations
from modelfoundry.client._sync.jobs import Job, Jobs
from modelfoundry.client._sync.maintenance import Maintenance
from modelfoundry.client._sync.models import Models
from modelfoundry.client._sync.modules import Modules
from modelfoundry.client.architectures import Architecture, InputSpec, MaskableLayer, ModelCheck, TensorSpec
from modelfoundry.client.computing import Device, Environment, ValidationSplit
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.endpoints import Endpoints, Retries, Service, Timeouts, data_directory
from modelfoundry.client.images import ImageLike
from modelfoundry.client.maintenance import BlobFinding, CheckProgress, FindingKind, GarbageSummary
from modelfoundry.client.metrics import (
    ClassificationMetrics,
    ConfusionMatrix,
    CostMetrics,
    Interval,
    LabelMetrics,
    Latency,
    LayerRetention,
    RetentionMetrics,
)
from modelfoundry.client.problems import BinaryProblem, MultiClassProblem, Problem
from modelfoundry.client.recipes import Augmentation, InitialMasks, RecipeDescription, SeamRecipe, TrainingRecipe
from modelfoundry.client.references import Named
from modelfoundry.client.resources import (
    BlobRef,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    Evaluation,
    Model,
    Module,
    ProvenanceEdge,
    Relation,
    Scoring,
)
from modelfoundry.client.results import (
    Export,
    ExportedFile,
    ExportFormat,
    JobEvent,
    JobResult,
    JobState,
    JobStatus,
    LabelProbability,
    LogWritten,
    Prediction,
    Progress,
    ProgressMade,
    ServiceHealth,
    Severity,
    StateChanged,
    TrainedModel,
)
from modelfoundry.client.versions import Alias, AliasMove, Version

__all__ = [
    "Alias",
    "AliasMove",
    "Aliases",
    "Architecture",
    "AsyncAliases",
    "AsyncBlobs",
    "AsyncClient",
    "AsyncDatasets",
    "AsyncEvaluations",
    "AsyncJob",
    "AsyncJobs",
    "AsyncMaintenance",
    "AsyncModels",
    "AsyncModules",
    "Augmentation",
    "BinaryProblem",
    "BlobFinding",
    "BlobRef",
    "Blobs",
    "CheckProgress",
    "ClassificationMetrics",
    "Client",
    "ConfusionMatrix",
    "CostMetrics",
    "Dataset",
    "DatasetSplit",
    "Datasets",
    "DecompositionRecord",
    "Device",
    "Endpoints",
    "Environment",
    "Evaluation",
    "Evaluations",
    "Export",
    "ExportFormat",
    "ExportedFile",
    "FindingKind",
    "GarbageSummary",
    "ImageLike",
    "InitialMasks",
    "InputSpec",
    "Interval",
    "Job",
    "JobEvent",
    "JobResult",
    "JobState",
    "JobStatus",
    "Jobs",
    "LabelMetrics",
    "LabelProbability",
    "Latency",
    "LayerRetention",
    "LogWritten",
    "Maintenance",
    "MaskableLayer",
    "Model",
    "ModelCheck",
    "Models",
    "Module",
    "Modules",
    "MultiClassProblem",
    "Named",
    "OnTransfer",
    "Prediction",
    "Problem",
    "Progress",
    "ProgressMade",
    "ProvenanceEdge",
    "RecipeDescription",
    "Relation",
    "RetentionMetrics",
    "Retries",
    "Scoring",
    "SeamRecipe",
    "Service",
    "ServiceHealth",
    "Severity",
    "StateChanged",
    "TensorSpec",
    "Timeouts",
    "TrainedModel",
    "TrainingRecipe",
    "ValidationSplit",
    "Version",
    "connect",
    "connect_async",
    "data_directory",
]
