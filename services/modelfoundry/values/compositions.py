"""Compositions: classifiers joined from modules and models, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from modelfoundry.names import label_text, label_texts
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.computing import Environment, ValidationSplit
from modelfoundry.values.doubts import Doubt, calibration_doubts, composition_doubts


class CompositionTask(StrEnum):
    """What a composition was made for.

    `MORE_ACCURATE`: of several models of the same labels the best source of every label. `NEW_TASK`: labels of
    different models and data sets as one classifier. `PATCH`: a model of which only the weak labels were replaced.
    """

    MORE_ACCURATE = "more_accurate"
    NEW_TASK = "new_task"
    PATCH = "patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionMember:
    """Where one label comes from. Its score is `sigmoid(scale * z + bias)`; see `composition.proto` for z.

    Args:
        label: The label, once in a composition.
        source: Full name of a module or model.
        source_label: Label of the source that is meant.
        source_digest: SHA-256 of the module's artifact or the model's weights. Empty: filled in by the server.
        scale: Factor of the logit: finite and not 0.
        bias: Added to the scaled logit: finite.
        validation_score: What the source was chosen by.
    """

    label: str
    source: str
    source_label: str
    source_digest: str = ""
    scale: float = 1.0
    bias: float = 0.0
    validation_score: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", label_text(self.label))
        object.__setattr__(self, "source_label", label_text(self.source_label))


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyReport:
    """What one strategy chose: the name of the source of every label, and the accuracy on the validation samples."""

    strategy: str
    validation_accuracy: float
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """What could be used instead: a model's name, or `ensemble`, with the same samples' accuracy and the cost."""

    name: str
    validation_accuracy: float
    parameters: int = 0
    macs: int = 0


@dataclass(frozen=True, slots=True)
class LabelChange:
    """F1 of one label on the validation samples before and after a patch."""

    label: str
    before_f1: float
    after_f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionRecord:
    """Everything that repeats a composition, and what was seen while choosing. `composition.proto` has each field."""

    strategy: str
    score: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    calibrated: bool = False
    validation: ValidationSplit = field(default_factory=ValidationSplit)
    seed: int = 0
    validation_samples: int = 0
    validation_accuracy: float = 0.0
    strategies: tuple[StrategyReport, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    parameters: int = 0
    macs: int = 0
    label_changes: tuple[LabelChange, ...] = ()
    operation: str = ""
    environment: Environment = field(default_factory=Environment)
    dataset_digests: tuple[str, ...] = ()
    cache_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """A classifier joined from modules and models: the label with the highest score is predicted.

    `labels` are those of the members; `base_model` is the model that a patch patches.
    """

    name: str = ""
    task: CompositionTask
    members: tuple[CompositionMember, ...]
    input: InputSpec
    datasets: tuple[str, ...]
    record: CompositionRecord
    base_model: str = ""
    labels: tuple[str, ...] = ()
    digest: str = ""
    display_name: str = ""
    description: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    intended_use: str = ""
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

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What speaks against relying on it, by the samples that it was chosen on."""
        record = self.record
        others = [(baseline.name, baseline.validation_accuracy) for baseline in record.baselines]
        members = self.members if record.calibrated else ()
        return (
            *composition_doubts(record.validation_accuracy, record.validation_samples, len(self.members), others),
            *(doubt for one in members for doubt in calibration_doubts(one.label, one.source, one.scale)),
        )
