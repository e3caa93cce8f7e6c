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
