"""What can be asked for on demand, and what there is to choose from: plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from modelfoundry.core.metrics import wilson_interval
from modelfoundry.values.on_demand import ModuleOrigin

Shape = tuple[int, int, int]
"""Channels, height and width of an image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """What a module has to satisfy. Empty or 0: anything will do. Fields are named like those of the contract."""

    min_accuracy: float = 0.0
    """On validation samples, in [0, 1]."""
    max_bytes: int = 0
    max_latency_ms: float = 0.0
    license: str = ""
    dataset: str = ""
    architecture: str = ""
    algorithm: str = ""
    min_accuracy_of_base: bool = False
    """At least that of the base on the same samples."""
    max_macs: float = 0.0
    """As a share of the base's, as the next."""
    max_latency: float = 0.0

    @property
    def given(self) -> tuple[str, ...]:
        """Names of those that ask for something."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name))

    def without(self, name: str) -> Constraints:
        """The same, one of them asking for nothing."""
        others: dict[str, Any] = {each: getattr(self, each) for each in self.given if each != name}
        return Constraints(**others)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Accuracy on validation samples, and how sure it is."""

    value: float
    """In [0, 1]."""
    samples: int

    @property
    def lower_bound(self) -> float:
        """Of the 95 % Wilson interval; 0 without samples."""
        return wilson_interval(round(self.value * self.samples), self.samples).lower


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleOffer:
    """A registered module that recognises one label."""

    name: str
    label: str
    """As its model spells it."""
    accuracy: Accuracy | None
    """None: no validation samples are on record."""
    size_bytes: int
    latency_ms: float | None
    """Of one image; None: not measured."""
    macs: float | None = None
    """As a share of the base's; None: not counted."""
    latency: float | None = None
    """Time of one image as a share of the base's; None: not measured."""
    base_accuracy: float | None = None
    """Of the base on the same samples; None: not on record."""
    license: str
    model: str
    dataset: str
    architecture: str
    algorithm: str
    shape: Shape

    @property
    def below_base(self) -> bool:
        """Whether it answers fewer validation samples rightly than its base, or nobody knows. Figures are counts."""
        if self.accuracy is None or self.base_accuracy is None:
            return True
        return self.accuracy.value + 0.5 / max(1, self.accuracy.samples) < self.base_accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOffer:
    """A model that a module of the label can be made from, and the data set to make it with."""

    name: str
    label: str
    """As the model spells it."""
    accuracy: Accuracy | None
    size_bytes: int
    license: str
    architecture: str
    dataset: str
    """Empty: none of the registered ones fits."""
    shape: Shape


Offer = ModuleOffer | ModelOffer


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOffers:
    """Everything that there is for one label."""

    label: str
    """As asked for."""
    modules: tuple[ModuleOffer, ...]
    models: tuple[ModelOffer, ...]

    def shapes(self) -> Iterator[Shape]:
        """Image sizes of the offers."""
        yield from (offer.shape for offer in self.modules)
        yield from (offer.shape for offer in self.models)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be taken for one label, and why."""

    origin: ModuleOrigin
    offer: Offer
    """The module; of one that is to be made, the model."""
    reason: str
    to_be_measured: tuple[str, ...] = ()
    """Modules in the order in which they are to be tried."""
    fallback: ModelOffer | None = None
    """What to make a module from when none of the measured ones will do."""
    alternatives: int = 0
    """Other modules that satisfy the constraints."""
