"""Where and with what tensors are computed, and how validation data is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from modelfoundry.errors import InvalidField

DEFAULT_CONCENTRATION: Final = 1.0
_LEAST_PERCENT: Final = 2
_LEAST_SAMPLES: Final = 100


class Device(StrEnum):
    """Where tensors are computed. `AUTO`: CUDA when the worker has one, else the CPU."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What ran, for repeating it.

    Args:
        python: Its version.
        libraries: Versions of the libraries that touch numbers, by distribution name.
        platform: Operating system and processor, for example `Linux-x86_64`.
        device: `cpu`, or `cuda:` and the name of the card.
        threads: Threads of tensor operations in one worker; 0 when it is not known, or work was taken up with others.
    """

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
        concentration: Of the symmetric Dirichlet distribution of the labels' shares, 0.01 to 1000: the smaller, the
            less balanced. The paper takes 1 for CIFAR-10 and 0.5 for SVHN. None: the recipe's own, or 1.
        minimum_samples: Samples that every label keeps at least, up to 1,000,000. None or 0: 2 % of its training
            samples, rounded up, at most 100, which is the paper's 100 of CIFAR-10's 5,000 and fits small data sets too.
        seed: Any integer; seeds that are equal modulo 2**32 draw the same. None: the seed of the training.
    """

    concentration: float | None = None
    minimum_samples: int | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "minimum_samples", self.minimum_samples or None)

    def checked(self) -> TrainingSubset:
        """The same, when it can be drawn. A record is read without this: it says what it says.

        Raises:
            InvalidField: a value is out of range; the path is `recipe.subset.<field>`.
        """
        concentration, least = self.concentration, self.minimum_samples
        _check("concentration", concentration, concentration is None or 0.01 <= concentration <= 1000, "0.01 to 1000")
        _check("minimum_samples", least, least is None or 0 <= least <= 1_000_000, "0 to 1,000,000")
        return self

    def minimum_of(self, samples: int) -> int:
        """What a label with so many samples keeps at least: 1 or more."""
        return self.minimum_samples or min(_LEAST_SAMPLES, -(-samples * _LEAST_PERCENT // 100))


def _check(name: str, value: float | None, fits: bool, allowed: str) -> None:
    if not fits:
        path = f"recipe.subset.{name}"
        raise InvalidField(f"{path}: {value} is out of range", field=path, hint=f"give {allowed}")
