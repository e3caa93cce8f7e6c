"""What a card says, before it is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from modelfoundry.api.types.v1.forms_pb2 import FormComparison


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known."""

    section: str
    name: str
    value: str
    """On one line, as people read it."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A share between two bounds."""

    lower: float
    upper: float
    level: float


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement. Ratios lie in [0, 1]."""

    evaluation: str
    subject: str
    scoring: str
    """`ALL_OUTPUTS`, `RESTRICTED` or `ENSEMBLE`."""
    dataset: str
    dataset_digest: str
    split: str
    problem_labels: tuple[str, ...]
    """Empty: all labels of the subject."""
    sample_count: int
    accuracy: float
    interval: Interval
    precision: float
    recall: float
    f1: float
    create_time: datetime


class LimitKind(StrEnum):
    """Kinds of limits, see the contract."""

    NOT_TESTED = "NOT_TESTED"
    FEW_SAMPLES = "FEW_SAMPLES"
    FELL_BACK = "FELL_BACK"
    LAYERS_KEPT_OPEN = "LAYERS_KEPT_OPEN"
    LESS_ACCURATE = "LESS_ACCURATE"
    PARTIAL_DATA = "PARTIAL_DATA"
    CLOSED_SET = "CLOSED_SET"
    COST_UNKNOWN = "COST_UNKNOWN"
    NOT_CALIBRATED = "NOT_CALIBRATED"
    ORIGIN_UNKNOWN = "ORIGIN_UNKNOWN"
    NO_LICENSE = "NO_LICENSE"


@dataclass(frozen=True, slots=True)
class Limit:
    """Something to know before relying on a resource."""

    kind: LimitKind
    text: str


@dataclass(frozen=True, slots=True)
class Account:
    """What the services know of a resource, apart from measurements."""

    summary: str
    """One sentence."""
    labels: Sequence[str]
    """Meaning of every output, in order; of a data set its labels."""
    facts: Sequence[Fact]
    limits: Sequence[Limit]
    algorithm: str = ""
    """What made it."""
    base_models: Sequence[str] = ()
    """Names of models that it was made from."""
    datasets: Sequence[str] = ()
    """Names of data sets that it was made on."""
    forms: FormComparison | None = None
    sample_count: int = 0
    """Of a data set: images in all splits."""


@dataclass(frozen=True, slots=True)
class Owned:
    """What people wrote about a resource."""

    display_name: str = ""
    description: str = ""
    intended_use: str = ""
    license: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Card:
    """All that is to be known of a resource before it is used."""

    name: str
    etag: str
    owned: Owned
    account: Account
    results: Sequence[Result]
    limits: Sequence[Limit]
    """Those of the account, and those that follow from results and from what people wrote."""

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]

    @property
    def title(self) -> str:
        """The display name, else the id."""
        return self.owned.display_name or self.id
