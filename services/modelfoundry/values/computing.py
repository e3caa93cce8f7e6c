"""Where and with what tensors are computed, and how validation data is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Device(StrEnum):
    """Where tensors are computed. `AUTO`: CUDA when the worker has one, else the CPU."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What ran: Python, library versions by distribution name, platform, device used, threads of one worker."""

    python: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict)
    platform: str = ""
    device: str = ""
    threads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationSplit:
    """How validation data is cut from training data. The test split is sealed.

    Args:
        source_split: The split that samples are taken from. `test` is refused.
        fraction: Share of every label's samples, above 0 and at most 0.5.
        seed: Seed of the cut.
    """

    source_split: str = "train"
    fraction: float = 0.1
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSubset:
    """An imbalanced part of the training data, for weak models that differ (GradSplitter, section 4.1).

    Args:
        concentration: Of the Dirichlet distribution of the labels' shares, 0.01 to 1000. None: the recipe's own, or 1.
        minimum_samples: Samples that every label keeps at least. None: 2 % of its training samples, at most 100.
        seed: Seed of the draw. None: the seed of the training.
    """

    concentration: float | None = None
    minimum_samples: int | None = None
    seed: int | None = None
