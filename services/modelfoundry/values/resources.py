"""What the registry remembers, as frozen values. Fields that the server fills in have defaults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from modelfoundry.names import label_texts
from modelfoundry.values.architectures import Architecture, InputSpec, TensorSpec
from modelfoundry.values.computing import Environment, TrainingSubset, ValidationSplit
from modelfoundry.values.doubts import Doubt, accuracy_doubts, guessing, measured_doubts
from modelfoundry.values.figures import (
    BaseComparison,
    ClassificationMetrics,
    CostMetrics,
    DiscriminationMetrics,
    FormComparison,
    ModularityMetrics,
    RetentionMetrics,
)
from modelfoundry.values.frontiers import Frontier
from modelfoundry.values.problems import Problem


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Names bytes by what they are: `sha256:` and 64 hexadecimal digits, their number, and their media type."""

    digest: str
    size_bytes: int = 0
    media_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """Everything that repeats a training, and what it saw while choosing. See `model.proto` for each field.

    `label_counts` are the samples trained on, in the order of the model's labels; `subset` is None for all of them.
    """

    recipe: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    validation: ValidationSplit = field(default_factory=ValidationSplit)
    subset: TrainingSubset | None = None
    dataset_digest: str = ""
    label_counts: tuple[int, ...] = ()
    validation_accuracy: float = 0.0
    validation_samples: int = 0
    chosen_epoch: int = 0
    epochs_run: int = 0
    environment: Environment = field(default_factory=Environment)


@dataclass(frozen=True, slots=True)
class ModelOrigin:
    """Where an imported model was before.

    Args:
        format: How the folder was written: `modelfoundry` or `timm`.
        resource: Name of what was exported, in the registry that it came from; empty for other folders.
        digest: SHA-256 of its weights, artifact or composition there; empty for other folders.
    """

    format: str
    resource: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A trained classifier: an architecture, its weights and the meaning of its outputs."""

    name: str = ""
    architecture: Architecture
    input: InputSpec
    labels: tuple[str, ...]
    weights: BlobRef
    display_name: str = ""
    description: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    intended_use: str = ""
    training_dataset: str = ""
    operation: str = ""
    training: TrainingRecord | None = None
    origin: ModelOrigin | None = None
    tensors: tuple[TensorSpec, ...] = ()
    uid: str = ""
    create_time: datetime | None = None
    update_time: datetime | None = None
    etag: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", label_texts(self.labels))

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSplit:
    """One part of a data set: a safetensors file with `images` (U8, [n, c, h, w]) and `labels` (I64, [n])."""

    split: str
    content: BlobRef
    sample_count: int = 0
    label_counts: tuple[int, ...] = ()


def dataset_digest(labels: Sequence[str], splits: Iterable[DatasetSplit]) -> str:
    """The digest of a data set: SHA-256 over label names, split names and split digests, in any order of the splits."""
    named = sorted([split.split, split.content.digest] for split in splits)
    text = json.dumps({"labels": list(labels), "splits": named}, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Images with labels, in splits."""

    name: str = ""
    labels: tuple[str, ...]
    splits: tuple[DatasetSplit, ...]
    display_name: str = ""
    description: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    intended_use: str = ""
    channels: int = 0
    height: int = 0
    width: int = 0
    digest: str = ""
    uid: str = ""
    create_time: datetime | None = None
    update_time: datetime | None = None
    etag: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", label_texts(self.labels))

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]


JOINT_SETTING: Final = "label_groups"
"""What records of joint searches have among their settings: the labels of all modules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointValidation:
    """All modules of a search together on validation samples of all labels. See `module.proto` for each field."""

    accuracy: float = 0.0
    accuracy_base: float = 0.0
    samples: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DecompositionRecord:
    """Everything that repeats a decomposition, and what it saw while choosing. See `module.proto` for each field."""

    algorithm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    validation: ValidationSplit = field(default_factory=ValidationSplit)
    dataset_digest: str = ""
    operation: str = ""
    environment: Environment = field(default_factory=Environment)
    validation_accuracy: float = 0.0
    validation_accuracy_base: float = 0.0
    validation_samples: int = 0
    chosen_epoch: int = 0
    epochs_run: int = 0
    fell_back: bool = False
    cache_key: str = ""
    training_samples: int = 0
    subset: TrainingSubset | None = None
    empty_layers: tuple[str, ...] = ()
    calibration_split: str = ""
    frontier: Frontier | None = None
    joint: JointValidation | None = None

    @property
    def holds_joint(self) -> bool:
        """Whether its validation figures are those of all modules together: in records of joint searches of before."""
        return self.joint is None and JOINT_SETTING in self.settings

    @property
    def compares(self) -> bool:
        """Whether the base's validation figure says anything beside the module's.

        An epoch was chosen by it, or the samples are said to be none that the base was trained on. Else the base may
        have memorised them, and it would be compared with itself.
        """
        return self.epochs_run > 0 or bool(self.calibration_split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """The part of a model that solves one target problem: what it changes of its base model, and a head."""

    name: str = ""
    base_model: str
    problem: Problem
    artifact: BlobRef
    dataset: str
    record: DecompositionRecord
    retention: RetentionMetrics | None = None
    forms: FormComparison | None = None
    outputs: tuple[str, ...] = ()
    display_name: str = ""
    description: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    intended_use: str = ""
    base_digest: str = ""
    uid: str = ""
    create_time: datetime | None = None
    update_time: datetime | None = None
    etag: str = ""

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What speaks against relying on it, by the samples that it was chosen on; none where no figure is its own."""
        record = self.record
        if record.holds_joint:
            return ()
        base = record.validation_accuracy_base if record.compares else None
        guess = guessing(self.problem)
        return tuple(accuracy_doubts(record.validation_accuracy, record.validation_samples, guess, base))


class Scoring(StrEnum):
    """Which outputs a prediction was chosen from: all of them, those for the labels of the problem, or an ensemble's.

    `ENSEMBLE`: of the models that the subject, a composition, is compared with. `IN_INT8`: all of them, as the file
    computes them that an export in int8 writes.
    """

    ALL_OUTPUTS = "all_outputs"
    RESTRICTED = "restricted"
    ENSEMBLE = "ensemble"
    IN_INT8 = "in_int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedPart:
    """Images of one data set among those of several that a composition was measured on at once."""

    dataset: str
    dataset_digest: str
    labels: tuple[str, ...] = ()
    """Of the composition, that its images have."""
    sample_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What was measured of a model, module or composition, once, on one split. Never changed afterwards.

    `module` is the module whose problem was posed: the subject itself, or the one that a base model is a baseline for.
    """

    name: str = ""
    subject: str
    subject_digest: str
    dataset: str
    dataset_digest: str
    split: str
    scoring: Scoring = Scoring.ALL_OUTPUTS
    module: str = ""
    problem: Problem | None = None
    sample_count: int = 0
    classification: ClassificationMetrics | None = None
    discrimination: DiscriminationMetrics | None = None
    """Of evaluations that were made before there was any: None."""
    against_base: BaseComparison | None = None
    """Of a module that was measured together with its base model."""
    retention: RetentionMetrics | None = None
    cost: CostMetrics | None = None
    modularity: ModularityMetrics | None = None
    parts: tuple[EvaluatedPart, ...] = ()
    """Of a composition measured on several data sets at once: what came from each, that of `dataset` first."""
    operation: str = ""
    environment: Environment = field(default_factory=Environment)
    create_time: datetime | None = None

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What speaks against relying on it, by these samples."""
        if self.classification is None:
            return ()
        return tuple(measured_doubts(self.classification, self.sample_count, self.against_base))


class Relation(StrEnum):
    """How one resource came from another; read `subject RELATION object`."""

    MODULE_OF = "module_of"
    TRAINED_ON = "trained_on"
    PRODUCED_BY = "produced_by"
    EVALUATES = "evaluates"
    MEASURED_ON = "measured_on"
    COMPOSED_OF = "composed_of"
    PATCH_OF = "patch_of"
    SELECTED_ON = "selected_on"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceEdge:
    """One step of provenance; `object_digest` names the object's bytes at that time."""

    subject: str
    relation: Relation
    object: str
    object_digest: str = ""
    create_time: datetime | None = None
