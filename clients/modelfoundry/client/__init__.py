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
from modelfoundry.client._async.cards import AsyncCards
from modelfoundry.client._async.client import AsyncClient, connect_async
from modelfoundry.client._async.compositions import AsyncCompositions
from modelfoundry.client._async.datasets import AsyncDatasets
from modelfoundry.client._async.evaluations import AsyncEvaluations
from modelfoundry.client._async.hub import AsyncHub
from modelfoundry.client._async.jobs import AsyncJob, AsyncJobs
from modelfoundry.client._async.maintenance import AsyncMaintenance
from modelfoundry.client._async.models import AsyncModels
from modelfoundry.client._async.modules import AsyncModules
from modelfoundry.client._async.on_demand import AsyncModuleRequest
from modelfoundry.client._async.statements import AsyncStatements
from modelfoundry.client._async.vocabularies import AsyncVocabularies
from modelfoundry.client._async.webhooks import AsyncWebhooks
from modelfoundry.client._sync.aliases import Aliases
from modelfoundry.client._sync.blobs import Blobs
from modelfoundry.client._sync.cards import Cards
from modelfoundry.client._sync.client import Client, connect
from modelfoundry.client._sync.compositions import Compositions
from modelfoundry.client._sync.datasets import Datasets
from modelfoundry.client._sync.evaluations import Evaluations
from modelfoundry.client._sync.hub import Hub
from modelfoundry.client._sync.jobs import Job, Jobs
from modelfoundry.client._sync.maintenance import Maintenance
from modelfoundry.client._sync.models import Models
from modelfoundry.client._sync.modules import Modules
from modelfoundry.client._sync.on_demand import ModuleRequest
from modelfoundry.client._sync.statements import Statements
from modelfoundry.client._sync.vocabularies import Vocabularies
from modelfoundry.client._sync.webhooks import Webhooks
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.endpoints import Endpoints, Retries, Service, Timeouts, data_directory
from modelfoundry.client.images import ImageLike
from modelfoundry.client.sources.prepared import FileRemark, SourceReport
from modelfoundry.values.algorithms import AlgorithmDescription, NamedSettings, SettingDescription, SettingType
from modelfoundry.values.aliases import Alias, AliasMove, Version
from modelfoundry.values.architectures import Architecture, InputSpec, MaskableLayer, ModelCheck, TensorSpec
from modelfoundry.values.cards import Card, CardFact, CardLimit, CardResult, LimitKind
from modelfoundry.values.composing import NewLabel, Strategy
from modelfoundry.values.compositions import (
    Baseline,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    LabelChange,
    StrategyReport,
)
from modelfoundry.values.computing import Device, Environment, TrainingSubset, ValidationSplit
from modelfoundry.values.exports import Export, ExportedFile, ExportFormat, ExportMeasurement
from modelfoundry.values.figures import (
    BaseComparison,
    ClassificationMetrics,
    ConfusionMatrix,
    CostMetrics,
    Difference,
    DiscriminationMetrics,
    FormComparison,
    FormCost,
    Interval,
    LabelMetrics,
    Latency,
    LayerRetention,
    ModularityMetrics,
    PriorThreshold,
    RetentionMetrics,
)
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.frontiers import Frontier, FrontierPoint
from modelfoundry.values.lineage import (
    Dependents,
    Direction,
    EventKind,
    Lineage,
    LineageNode,
    RegistryEvent,
    Webhook,
    WebhookState,
)
from modelfoundry.values.maintenance import BlobFinding, CheckProgress, FindingKind, GarbageSummary
from modelfoundry.values.on_demand import (
    ChoiceFigures,
    FoundLabels,
    ModuleOrigin,
    RequestedModule,
)
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem
from modelfoundry.values.recipes import (
    Augmentation,
    GradSplitterRecipe,
    GradSplitterRecipeDescription,
    InitialMasks,
    Precision,
    RecipeDescription,
    SeamRecipe,
    TrainingRecipe,
    TrainingRecipeDescription,
)
from modelfoundry.values.references import Named
from modelfoundry.values.resources import (
    BlobRef,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    EvaluatedPart,
    Evaluation,
    JointValidation,
    Model,
    ModelOrigin,
    Module,
    ProvenanceEdge,
    Relation,
    Scoring,
    TrainingRecord,
)
from modelfoundry.values.results import (
    Compaction,
    ComposedModel,
    JobEvent,
    JobResult,
    JobState,
    JobStatus,
    LabelProbability,
    LogWritten,
    Prediction,
    Progress,
    ProgressMade,
    Replacement,
    RequestedModules,
    ServiceHealth,
    Severity,
    StateChanged,
    TrainedModel,
)
from modelfoundry.values.searching import Match, MatchKind, MeasuredSummary, SearchResult, Vocabulary, VocabularyTerm
from modelfoundry.values.statements import (
    Check,
    EnvironmentChange,
    Rebuild,
    SigningKey,
    Statement,
    TensorDifference,
    Verification,
)

__all__ = [
    "AlgorithmDescription",
    "Alias",
    "AliasMove",
    "Aliases",
    "Architecture",
    "AsyncAliases",
    "AsyncBlobs",
    "AsyncCards",
    "AsyncClient",
    "AsyncCompositions",
    "AsyncDatasets",
    "AsyncEvaluations",
    "AsyncHub",
    "AsyncJob",
    "AsyncJobs",
    "AsyncMaintenance",
    "AsyncModels",
    "AsyncModuleRequest",
    "AsyncModules",
    "AsyncStatements",
    "AsyncVocabularies",
    "AsyncWebhooks",
    "Augmentation",
    "BaseComparison",
    "Baseline",
    "BinaryProblem",
    "BlobFinding",
    "BlobRef",
    "Blobs",
    "Card",
    "CardFact",
    "CardLimit",
    "CardResult",
    "Cards",
    "Check",
    "CheckProgress",
    "ChoiceFigures",
    "ClassificationMetrics",
    "Client",
    "Compaction",
    "ComposedModel",
    "Composition",
    "CompositionMember",
    "CompositionRecord",
    "CompositionTask",
    "Compositions",
    "Compute",
    "ConfusionMatrix",
    "CostMetrics",
    "Dataset",
    "DatasetSplit",
    "Datasets",
    "DecompositionRecord",
    "Dependents",
    "Device",
    "Difference",
    "Direction",
    "DiscriminationMetrics",
    "Endpoints",
    "Environment",
    "EnvironmentChange",
    "EvaluatedPart",
    "Evaluation",
    "Evaluations",
    "EventKind",
    "Export",
    "ExportFormat",
    "ExportMeasurement",
    "ExportedFile",
    "FileRemark",
    "FindingKind",
    "FormComparison",
    "FormCost",
    "FoundLabels",
    "Frontier",
    "FrontierPoint",
    "GarbageSummary",
    "GradSplitterRecipe",
    "GradSplitterRecipeDescription",
    "Hub",
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
    "JointValidation",
    "LabelChange",
    "LabelMetrics",
    "LabelProbability",
    "Latency",
    "LayerRetention",
    "LimitKind",
    "Lineage",
    "LineageNode",
    "LogWritten",
    "Maintenance",
    "MaskableLayer",
    "Match",
    "MatchKind",
    "MeasuredSummary",
    "Model",
    "ModelCheck",
    "ModelOrigin",
    "Models",
    "ModularityMetrics",
    "Module",
    "ModuleOrigin",
    "ModuleRequest",
    "Modules",
    "MultiClassProblem",
    "Named",
    "NamedSettings",
    "NewLabel",
    "OnTransfer",
    "OpenSetProblem",
    "Precision",
    "Prediction",
    "PriorThreshold",
    "Problem",
    "Progress",
    "ProgressMade",
    "ProvenanceEdge",
    "Rebuild",
    "RecipeDescription",
    "RegistryEvent",
    "Relation",
    "Replacement",
    "RequestedModule",
    "RequestedModules",
    "RetentionMetrics",
    "Retries",
    "Scoring",
    "SeamRecipe",
    "SearchResult",
    "Service",
    "ServiceHealth",
    "SettingDescription",
    "SettingType",
    "Severity",
    "SigningKey",
    "SourceReport",
    "StateChanged",
    "Statement",
    "Statements",
    "Strategy",
    "StrategyReport",
    "TensorDifference",
    "TensorSpec",
    "Timeouts",
    "TrainedModel",
    "TrainingRecipe",
    "TrainingRecipeDescription",
    "TrainingRecord",
    "TrainingSubset",
    "ValidationSplit",
    "Verification",
    "Version",
    "Vocabularies",
    "Vocabulary",
    "VocabularyTerm",
    "Webhook",
    "WebhookState",
    "Webhooks",
    "WeightFormat",
    "connect",
    "connect_async",
    "data_directory",
]
