"""What callers ask to be stored, before anything about it was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelfoundry.registry.records.drafts import About
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.compositions import CompositionMember, CompositionTask
from modelfoundry.values.problems import Problem
from modelfoundry.values.resources import DatasetSplit, EvaluatedPart, ModelOrigin


@dataclass(frozen=True, slots=True)
class TrainingDraft:
    """How a model was trained: what the registry looks at, and the whole as JSON."""

    content: Mapping[str, Any]
    dataset_digest: str = ""
    source_split: str = ""
    label_counts: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A model to be registered."""

    builder: str
    parameters: Mapping[str, Any]
    input: InputSpec
    labels: Sequence[str]
    weights: str
    """Digest."""
    about: About = field(default_factory=About)
    training_dataset: str = ""
    operation: str = ""
    training: TrainingDraft | None = None
    origin: ModelOrigin | None = None


@dataclass(frozen=True, slots=True)
class DatasetDraft:
    """A data set to be registered."""

    labels: Sequence[str]
    splits: Sequence[DatasetSplit]
    about: About = field(default_factory=About)


@dataclass(frozen=True, slots=True)
class RecordDraft:
    """How a module was made: what the registry looks at, and the whole as JSON."""

    algorithm: str
    content: Mapping[str, Any]
    dataset_digest: str = ""
    source_split: str = ""
    calibration_split: str = ""
    operation: str = ""
    cache_key: str = ""


@dataclass(frozen=True, slots=True)
class ModuleDraft:
    """A module to be registered."""

    base_model: str
    problem: Problem | None
    artifact: str
    """Digest."""
    dataset: str
    record: RecordDraft
    about: About = field(default_factory=About)
    retention: Mapping[str, Any] | None = None
    weight_retention: float | None = None


@dataclass(frozen=True, slots=True)
class CompositionRecordDraft:
    """How a composition was made: what the registry looks at, and the whole as JSON."""

    strategy: str
    content: Mapping[str, Any]
    score: str = ""
    source_split: str = ""
    dataset_digests: Sequence[str] = ()
    operation: str = ""
    cache_key: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Every accuracy and score, by its path in the record."""


@dataclass(frozen=True, slots=True)
class CompositionDraft:
    """A composition to be registered."""

    task: CompositionTask | None
    members: Sequence[CompositionMember]
    input: InputSpec
    datasets: Sequence[str]
    record: CompositionRecordDraft
    about: About = field(default_factory=About)
    base_model: str = ""


@dataclass(frozen=True, slots=True)
class FormsDraft:
    """What was measured of a module's forms."""

    content: Mapping[str, Any]
    figures: Mapping[str, int]
    """Path of a figure, for example `masked.parameters`, to its value."""
    measured: frozenset[str]
    """The forms that are there."""
    max_difference: float
    operation: str


@dataclass(frozen=True, slots=True)
class EvaluationDraft:
    """A measurement to be stored."""

    subject: str
    subject_digest: str
    scored: bool
    """Whether it says which outputs predictions were chosen from."""
    dataset: str
    dataset_digest: str
    split: str
    content: Mapping[str, Any]
    module: str = ""
    problem: Problem | None = None
    sample_count: int = 0
    accuracy: float | None = None
    operation: str = ""
    parts: tuple[EvaluatedPart, ...] = ()
