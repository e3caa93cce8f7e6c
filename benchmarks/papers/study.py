"""Rows that a CPU can measure, what is worth most first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tables.rows import CIFAR10, PUBLIC, Row

SEAM_LABELS: Final = ("horse", "cat")
"""Labels that the paper's recipe is run on, shortened: a label at full length takes hours of a core."""
SHORT_EPOCHS: Final = 6
TENTH: Final = 26_834
"""Weights of a module at 10 %: what small networks may have."""
TINY_NETWORK: Final[dict[str, Any]] = {"epochs": 3, "batch_size": 32, "lr": 0.1}


def rows(*, tiny: bool = False) -> Iterator[Row]:
    """All rows; tiny ones take seconds and mean nothing."""
    labels = CIFAR10[7:8] if tiny else CIFAR10
    if tiny:
        yield Row("network", PUBLIC, "tiny", settings=TINY_NETWORK)
    for label in labels:
        yield _of_label("scratch", label, "scratch", weights=TENTH, epochs=1 if tiny else 12, augmentation="crop_flip")
    for label in labels:
        epochs = {"epochs": 1} if tiny else {}
        yield _module(label, "magnitude", "magnitude", "baseline", retention=0.1, **epochs)
    for label in labels:
        yield _module(label, "distilled", "seam", "distilled", **({"steps": 4} if tiny else {}))
    for label in labels if tiny else SEAM_LABELS:
        yield _module(label, "paper", "seam", "paper", epochs=2 if tiny else SHORT_EPOCHS)


def _of_label(kind: Any, label: str, title: str, **settings: Any) -> Row:
    return Row(kind, PUBLIC, title, label, settings=settings)


def _module(label: str, title: str, algorithm: str, recipe: str, **settings: Any) -> Row:
    return Row("module", PUBLIC, title, label, algorithm, recipe, settings)
