"""What comes of asking for modules by label: which ones, why these, and what was made of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from modelfoundry.values.searching import Match


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLabels:
    """What a word means among the labels that models know, the strongest reason first.

    `known_labels` are some labels that there are, where nothing answers the word.
    """

    matches: tuple[Match, ...] = ()
    known_labels: tuple[str, ...] = ()


class ModuleOrigin(StrEnum):
    """Where a module comes from; see `on_demand_service.proto`."""

    REGISTERED = "registered"
    TO_BE_MEASURED = "to_be_measured"
    TO_BE_MADE = "to_be_made"
    MADE = "made"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceFigures:
    """What a module, or the model to make one from, was chosen by. None: not on record.

    Candidates are ranked by `accuracy_lower_bound`, of the 95 % Wilson interval of the validation accuracy. `macs` and
    `latency` are shares of the base model's.
    """

    validation_accuracy: float | None = None
    validation_samples: int = 0
    accuracy_lower_bound: float = 0.0
    size_bytes: int = 0
    latency_ms: float | None = None
    macs: float | None = None
    latency: float | None = None
    base_accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedModule:
    """The answer for one label: `module` is empty while it is not there yet; `reason` says why this one."""

    label: str
    match: Match
    origin: ModuleOrigin
    module: str
    reason: str
    figures: ChoiceFigures
    model: str
    dataset: str
    algorithm: str
    to_be_measured: tuple[str, ...] = ()
    alternatives: int = 0
