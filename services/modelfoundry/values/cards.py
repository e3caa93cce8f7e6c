"""Cards: what a person reads before reuse, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from modelfoundry.values.figures import BaseComparison, DiscriminationMetrics, FormComparison, Interval
from modelfoundry.values.resources import Scoring


@dataclass(frozen=True, slots=True)
class CardFact:
    """One thing that is known: what it belongs to, its name, and its value on one line."""

    section: str
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CardResult:
    """One measurement of a resource, or of what it is compared with on the same images. Ratios lie in [0, 1].

    `problem_labels` are those of the problem that was posed; empty for all labels of the subject.
    """

    evaluation: str
    subject: str
    scoring: Scoring
    dataset: str
    split: str
    problem_labels: tuple[str, ...] = ()
    sample_count: int
    accuracy: float
    accuracy_interval: Interval
    precision: float
    recall: float
    f1: float
    discrimination: DiscriminationMetrics | None = None
    against_base: BaseComparison | None = None
    create_time: datetime | None = None


class LimitKind(StrEnum):
    """What kind of limit it is; `card_service.proto` says what each means. `OTHER`: one that a newer service knows."""

    OTHER = "other"
    NOT_TESTED = "not_tested"
    FEW_SAMPLES = "few_samples"
    FELL_BACK = "fell_back"
    LAYERS_KEPT_OPEN = "layers_kept_open"
    LESS_ACCURATE = "less_accurate"
    PARTIAL_DATA = "partial_data"
    CLOSED_SET = "closed_set"
    COST_UNKNOWN = "cost_unknown"
    NOT_CALIBRATED = "not_calibrated"
    ORIGIN_UNKNOWN = "origin_unknown"
    NO_LICENSE = "no_license"
    NO_BETTER_THAN_CHANCE = "no_better_than_chance"


@dataclass(frozen=True, slots=True)
class CardLimit:
    """Something to know before relying on a resource, in a sentence or two."""

    kind: LimitKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known of a model, data set, module or composition, as it was when it was asked for.

    `labels` are the first 1000 of `label_count`. `markdown` is all of it with the front matter of the Hugging Face Hub.
    """

    name: str
    etag: str
    title: str
    description: str = ""
    intended_use: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    label_count: int = 0
    facts: tuple[CardFact, ...] = ()
    results: tuple[CardResult, ...] = ()
    forms: FormComparison | None = None
    limits: tuple[CardLimit, ...] = ()
    markdown: str = ""

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]
