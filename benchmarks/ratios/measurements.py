"""What is measured, in the order in which it is run. Each runs in a process of its own."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from interleaved import Ratio


class NotHere(Exception):
    """This machine or checkout lacks what a measurement needs; the message says what."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much work a measurement may be."""

    folder: Path
    """For what measurements keep for each other: trained networks."""
    tiny: bool = False
    """As little as shows that it runs; the figures mean nothing."""
    cifar10: Path | None = None
    """Folder of CIFAR-10's images."""
    resnet20: Path | None = None
    """File of the public ResNet20's weights."""

    def rounds(self, usual: int) -> int:
        """Turns of every way."""
        return 1 if self.tiny else usual


@dataclass(frozen=True, slots=True)
class Report:
    """What a measurement found."""

    judged: Mapping[str, tuple[Ratio, ...]]
    """Key of a target to the ratios that have to reach it, each of them."""
    beside: tuple[Ratio, ...] = ()
    """Ratios that no target asks for."""
    notes: tuple[str, ...] = ()
    """Sentences that the page shows: sizes that were reduced, accuracies, latencies."""
    machine: Mapping[str, Any] = field(default_factory=dict)
    """Where it ran and what else ran there."""

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> Report:
        facts = json.loads(text)
        return cls(
            judged={key: tuple(Ratio(**one) for one in found) for key, found in facts["judged"].items()},
            beside=tuple(Ratio(**one) for one in facts["beside"]),
            notes=tuple(facts["notes"]),
            machine=facts["machine"],
        )


@dataclass(frozen=True, slots=True)
class Measurement:
    """One process's work."""

    name: str
    function: str
    """`module:function`; it takes an `Effort` and gives a `Report`, or raises `NotHere`."""
    targets: tuple[str, ...]
    """Keys of the targets that it answers."""
    minutes: float
    """That it takes on an idle machine of two cores; it is stopped after three times as long."""
    threads: int = 1
    """That it computes on; 0: as many as there are cores."""

    def run(self, effort: Effort) -> Report:
        module, _, name = self.function.partition(":")
        found: Report = getattr(importlib.import_module(module), name)(effort)
        return found


MEASUREMENTS: Final = (
    Measurement("mask-steps", "ratios.steps:mask_steps", ("mask-float32", "mask-bfloat16"), 2),
    Measurement("splitter-steps", "ratios.steps:splitter_steps", ("splitter-epoch",), 2),
    Measurement("quality", "ratios.searches:time_to_quality", ("quality",), 1),
    Measurement("quality-cifar10", "ratios.cifar10:time_to_quality", ("quality",), 4),
    Measurement("ten-labels", "ratios.searches:ten_labels", ("ten-labels",), 1, threads=0),
    Measurement("splitter-quality", "ratios.splitting:splitter_quality", ("splitter-quality",), 3),
    Measurement("sparse", "ratios.sparse:sparse_module", ("sparse",), 1),
    Measurement("specialise", "ratios.specialised:specialised", ("specialise",), 1),
    Measurement("evaluation", "ratios.evaluation:evaluation", ("evaluation",), 1),
    Measurement("serving", "ratios.serving:serving", ("callers", "one-image"), 1),
    Measurement("blobs", "ratios.blobs:blobs", ("blobs",), 1),
    Measurement("composed", "ratios.composed:composed", (), 2),
)
