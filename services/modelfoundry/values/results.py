"""What jobs tell while they run, and what they and predictions result in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from modelfoundry.errors import ModelFoundryError
from modelfoundry.values.compositions import Composition
from modelfoundry.values.exports import Export
from modelfoundry.values.figures import FormComparison
from modelfoundry.values.on_demand import RequestedModule
from modelfoundry.values.resources import Evaluation, Model, Module
from modelfoundry.values.statements import Rebuild


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a job is.

    Args:
        phase: What is being done, for example `masks and head`.
        fraction: Share that is done, in [0, 1].
        done_units: Units done.
        total_units: Units in all.
        unit: What a unit is, for example `epoch`.
        metrics: Figures of the moment, for example `loss`, `accuracy`, `weight_retention`.
        remaining: Estimated time to the end, or None when unknown.
    """

    phase: str = ""
    fraction: float = 0.0
    done_units: int = 0
    total_units: int = 0
    unit: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    remaining: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStatus:
    """A job as it was when it was asked for. `error` is set when it failed or was cancelled."""

    name: str
    kind: str = ""
    target: str = ""
    state: JobState = JobState.QUEUED
    progress: Progress = field(default_factory=Progress)
    attempt: int = 0
    cache_hit: bool = False
    request_id: str = ""
    last_sequence: int = 0
    error: ModelFoundryError | None = None
    create_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]


class Severity(StrEnum):
    """How grave a log line is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class LogLine:
    """What a worker has to say to the people who watch its job."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """A job changed its state; `error` says why it failed, was cancelled or was queued again."""

    sequence: int
    time: datetime | None
    state: JobState
    error: ModelFoundryError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressMade:
    """A job went on."""

    sequence: int
    time: datetime | None
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWritten:
    """A worker had something to say."""

    sequence: int
    time: datetime | None
    severity: Severity
    text: str


JobEvent = StateChanged | ProgressMade | LogWritten


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Result of a training: the model, and its accuracy on the validation samples, in [0, 1]."""

    model: Model
    validation_accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """What became of one label of a patched model; all figures are of validation data and lie in [0, 1].

    `refusal` says why the model's own output stays; it is empty when the label was replaced by an output of `source`.
    """

    label: str
    source: str
    f1_before: float
    f1_after: float
    others_before: float
    others_after: float
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class ComposedModel:
    """Result of composing: the composition, and of a patch every label that was to be replaced."""

    composition: Composition
    replacements: tuple[Replacement, ...] = ()


@dataclass(frozen=True, slots=True)
class Compaction:
    """Result of a compaction: the module, and what its forms cost."""

    module: str
    forms: FormComparison


@dataclass(frozen=True, slots=True)
class RequestedModules:
    """Everything that was asked for.

    Args:
        answers: One for every label, in the order asked.
        modules: The modules, in the same order.
        composition: The classifier of all labels, where it was asked for.
        exports: The files, where they were asked for: of the classifier, or of the modules.
    """

    answers: tuple[RequestedModule, ...]
    modules: tuple[Module, ...]
    composition: Composition | None = None
    exports: tuple[Export, ...] = ()


JobResult = (
    tuple[Module, ...]
    | tuple[Evaluation, ...]
    | TrainedModel
    | Export
    | Compaction
    | ComposedModel
    | Rebuild
    | RequestedModules
)


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """A label (`rest` for everything else in a binary module) and its probability in [0, 1]."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The answer for one image: labels, most probable first, what answered, and what to know of the image.

    `notes` say how a file became pixels where that may surprise: `the first of several frames`.
    """

    labels: tuple[LabelProbability, ...]
    subject: str
    subject_digest: str
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The most probable label."""
        return self.labels[0].label

    @property
    def probability(self) -> float:
        """Probability of the most probable label."""
        return self.labels[0].probability


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """Whether a service answers at its address and says that it is ready; `detail` says what is wrong."""

    address: str
    ready: bool
    detail: str = ""
