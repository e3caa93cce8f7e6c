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
    labels, networks = (CIFAR10[7:8], NETWORKS[2:]) if tiny else (CIFAR10, NETWORKS)
    if tiny:
        yield Row("network", PUBLIC, "tiny", settings={"epochs": 3, "batch_size": 32, "lr": 0.1})
    for name in networks:
        yield _network(name, 1 if tiny else EPOCHS)
    # The longest first: what runs beside each other ends together.
    yield from _modules(PUBLIC, labels, "paper", **({"epochs": 2} if tiny else {"epochs": 300}))
    yield from _modules(PUBLIC, labels, "distilled", **({"steps": 2} if tiny else {}))
    for name in networks:
        yield _joint(name, "paper", **_short(tiny=tiny))
    for name in networks:
        yield from _modules(name, labels, "distilled", **({"steps": 2} if tiny else {}))
    for name in networks:
        yield from _modules(name, labels, "paper", epochs=2 if tiny else 60)


def needs(row: Row) -> Row | None:
    """The row whose network another one is about; None: it is there from the beginning."""
    return None if row.kind == "network" else next((one for one in rows() if _trains(one, row.base)), None)


def _trains(row: Row, name: str) -> bool:
    return row.kind == "network" and row.base == name


def _network(name: str, epochs: int) -> Row:
    """As the seed's networks, on the imbalanced part that a seed draws, for fewer epochs."""
    settings = {"epochs": epochs, "lr": 0.01, "batch_size": 128, "augmentation": "crop_flip", "concentration": 1.0}
    if epochs >= 4:
        settings["milestones"] = [epochs * 3 // 10, epochs * 6 // 10]
    return Row("network", name, f"{epochs} epochs", settings=settings, seed=WEAK_SEED)


def _modules(name: str, labels: tuple[str, ...], recipe: str, **settings: Any) -> Iterator[Row]:
    for label in labels:
        yield Row("module", name, recipe, label, "seam", recipe, settings)


def _joint(name: str, recipe: str, **settings: Any) -> Row:
    return Row("modules", name, f"gradsplitter {recipe}", "", "gradsplitter", recipe, settings)


def _short(*, tiny: bool) -> dict[str, Any]:
    """GradSplitter's 145 epochs in 9: masks move so much faster."""
    if tiny:
        return {"warmup_epochs": 1, "cycles": 1, "mask_epochs": 1, "head_epochs": 0, "lr_mask": 0.05}
    return {"warmup_epochs": 2, "cycles": 1, "mask_epochs": 5, "head_epochs": 2, "lr_mask": 0.01}
