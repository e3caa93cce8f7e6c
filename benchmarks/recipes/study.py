"""What is compared: rows of networks, labels, recipes and seeds, in the order in which they are worth their time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

CIFAR10: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
DIGITS: Final = tuple("0123456789")
TRIED: Final = ("horse", "cat", "bird")
"""Labels of CIFAR-10 that variants are tried on; the other seven see what won, untouched."""


@dataclass(frozen=True, slots=True)
class Base:
    """A registered model and the data set that it was trained on."""

    model: str
    dataset: str
    labels: tuple[str, ...]


RESNET20: Final = Base("resnet20", "cifar10", CIFAR10)
RESNET56: Final = Base("resnet56", "cifar10", CIFAR10)
CNN: Final = Base("digits-cnn", "digits", DIGITS)
VIT: Final = Base("digits-vit", "digits", DIGITS)
VGG: Final = Base("digits-vgg", "digits32", DIGITS)


@dataclass(frozen=True, slots=True)
class Variant:
    """A recipe with some of its settings replaced."""

    title: str
    algorithm: str = "seam"
    recipe: str = "distilled"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """One module to search."""

    part: str
    """The table that it belongs to."""
    base: Base
    labels: tuple[str, ...]
    """Of the module: one, or several told apart."""
    variant: Variant
    seed: int = 0

    @property
    def key(self) -> str:
        """Name of its file: readable, and another one where anything differs that its figures depend on."""
        facts = [self.base.model, self.labels, self.variant.algorithm, self.variant.recipe, self.seed]
        settings = dict(self.variant.settings)
        digest = hashlib.sha256(json.dumps([facts, settings], sort_keys=True).encode()).hexdigest()[:8]
        return f"{self.base.model}-{'+'.join(self.labels)}-{self.variant.recipe}-{digest}"


WINNER: Final = Variant("distilled")
SHORT: Final = 840
"""Steps of CIFAR-10's variants: half of the default, so that many can be compared."""


def _distilled(title: str, steps: int, **settings: Any) -> Variant:
    return Variant(title, settings={"steps": steps, **settings})


def _variants(steps: int, paper: Mapping[str, Any]) -> tuple[Variant, ...]:
    """Recipes beside each other at equal numbers of images seen.

    Args:
        steps: Batches of 64 of the distilled ones.
        paper: Settings of the paper's recipe that see as many images.
    """
    return (
        Variant("paper", recipe="paper", settings=paper),
        Variant("magnitude, head trained", "magnitude", "", {"retention": 0.1}),
        _distilled("distilled", steps),
        _distilled("magnitude's masks, norms distilled", steps, lr_mask=1e-12),
        _distilled("masks distilled, norms frozen but re-estimated", steps, lr_norm=1e-12),
        _distilled("negatives alike", steps, hard_negatives=0.0),
        _distilled("hard negatives alone", steps, hard_negatives=1.0),
        _distilled("temperature 4", steps, temperature=4.0),
        _distilled("temperature 16", steps, temperature=16.0),
        _distilled("negatives alike, temperature 2", steps, hard_negatives=0.0, temperature=2.0),
        _distilled("negatives alike, temperature 4", steps, hard_negatives=0.0, temperature=4.0),
        _distilled("lr_mask 0.001", steps, lr_mask=0.001),
        _distilled("lr_mask 0.01", steps, lr_mask=0.01),
        _distilled("half the steps", steps // 2),
        _distilled("twice the steps", steps * 2),
        _distilled("float32", steps, precision="float32"),
        _distilled("retention 0.05", steps, retention=0.05),
        _distilled("retention 0.2", steps, retention=0.2),
    )


def _each(part: str, base: Base, labels: Iterable[str], *variants: Variant, seed: int = 0) -> Iterator[Row]:
    """Rows of single labels, all variants of one after another."""
    for label in labels:
        for variant in variants:
            yield Row(part, base, (label,), variant, seed)


def rows() -> Iterator[Row]:
    """All rows, what the default is judged by first."""
    denser, sparser = Variant("20 %", settings={"retention": 0.2}), Variant("5 %", settings={"retention": 0.05})
    animals = ("cat", "deer", "dog", "horse")
    paper = {"epochs": 6, "lr_head": 0.01, "alpha": 3.0}
    yield from _each("ten labels", RESNET20, CIFAR10, WINNER)
    yield from _each("variants on digits", CNN, ("3", "8"), *_variants(400, {"epochs": 98}))
    yield from _each("ten digits", CNN, DIGITS, WINNER)
    yield from _each("ten digits", CNN, DIGITS, sparser)
    yield from (Row("groups", RESNET20, animals, variant) for variant in (WINNER, denser))
    yield from _each("other networks", VIT, ("3", "8"), WINNER)
    yield from _each("other networks", VGG, ("3", "8"), _distilled("distilled, 200 steps", 200))
    yield from _each("variants on ResNet20", RESNET20, TRIED, *_variants(SHORT, paper))
    yield from _each("other networks", RESNET56, TRIED, WINNER)
    yield from _each("ten labels", RESNET20, CIFAR10, sparser)
    yield from _each("ten labels", RESNET20, CIFAR10, denser)
    yield from _each("ten labels", RESNET20, CIFAR10, WINNER, seed=1)
