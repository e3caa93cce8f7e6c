"""What is worth most first: tests, ResNet20's ten labels at full length, then the seed's three networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tables.rows import CIFAR10, PUBLIC, Row

NETWORKS: Final = ("simcnn", "rescnn", "incecnn")
WEAK_SEED: Final = 3
"""Of the networks whose modules the seed's table shows."""
EPOCHS: Final = 20
"""Of training; the published networks have 200."""


def rows(*, tiny: bool = False) -> Iterator[Row]:
    """All rows. Tiny ones are the same on little data with few steps, and mean nothing."""
    if tiny:
        yield from _tiny_rows()
        return
    yield from _modules(PUBLIC, "distilled")
    for name in NETWORKS:
        yield _network(name)
    yield from _modules(PUBLIC, "paper", epochs=300)
    for name in NETWORKS:
        yield _joint(name, "paper", warmup_epochs=2, cycles=1, mask_epochs=5, head_epochs=2, lr_mask=0.01)
        yield _joint(name, "distilled")
    for name in NETWORKS:
        yield from _modules(name, "distilled")
    for name in NETWORKS:
        yield from _modules(name, "paper", epochs=60)


def _tiny_rows() -> Iterator[Row]:
    (horse,) = (label for label in CIFAR10 if label == "horse")
    yield Row("network", PUBLIC, "tiny", settings={"epochs": 3, "batch_size": 32, "lr": 0.1, "concentration": 100.0})
    yield from _modules(PUBLIC, "paper", (horse,), epochs=2)
    yield from _modules(PUBLIC, "distilled", (horse,), steps=2)
    yield _joint(PUBLIC, "paper", warmup_epochs=1, cycles=1, mask_epochs=1, head_epochs=0, lr_mask=0.05)


def _network(name: str) -> Row:
    """As the seed's networks, on the imbalanced part that a seed draws, for fewer epochs."""
    milestones = [EPOCHS * 3 // 10, EPOCHS * 6 // 10]
    settings = {"epochs": EPOCHS, "lr": 0.01, "batch_size": 128, "milestones": milestones, "augmentation": "crop_flip"}
    return Row("network", name, f"{EPOCHS} epochs", settings=settings | {"concentration": 1.0}, seed=WEAK_SEED)


def _modules(name: str, recipe: str, labels: tuple[str, ...] = CIFAR10, **settings: Any) -> Iterator[Row]:
    for label in labels:
        yield Row("module", name, recipe, label, "seam", recipe, settings)


def _joint(name: str, recipe: str, **settings: Any) -> Row:
    return Row("modules", name, f"gradsplitter {recipe}", "", "gradsplitter", recipe, settings)
