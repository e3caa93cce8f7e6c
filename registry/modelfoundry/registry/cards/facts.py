"""Facts that resources of several kinds have."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

from modelfoundry.api.types.v1 import architecture_pb2, compute_pb2
from modelfoundry.registry.cards.quantities import percent
from modelfoundry.values.cards import CardFact, CardLimit, LimitKind
from modelfoundry.values.doubts import DoubtKind, accuracy_doubts

MADE: Final = "How it was made"
SHAPE: Final = "What it is"
PROVENANCE: Final = "Where it comes from"
CHOSEN_ON: Final = "optimistic: it was chosen on these samples, so that others will be answered less well"
"""Behind every validation figure. It comes without an interval, which would be one for samples that were not seen."""
FEW_SAMPLES: Final = 200
"""Below this, an accuracy of 95 % is known no better than within 3 points."""


def input_facts(spec: architecture_pb2.InputSpec) -> Iterator[CardFact]:
    """What an image looks like."""
    yield CardFact(SHAPE, "Image", f"{spec.channels} x {spec.height} x {spec.width} (channels, height, width)")
    if spec.mean:
        yield CardFact(SHAPE, "Mean, subtracted", numbers(spec.mean))
    if spec.std:
        yield CardFact(SHAPE, "Standard deviation, divided by", numbers(spec.std))


def settings_facts(settings: Struct) -> Iterator[CardFact]:
    """Every setting in force."""
    for key, value in sorted(MessageToDict(settings).items()):
        yield CardFact(
            MADE, f"Setting {key}", json.dumps(_whole(value), ensure_ascii=False, sort_keys=True, allow_nan=False)
        )


def chosen_facts(
    split: compute_pb2.ValidationSplit, accuracy: float, samples: int, calibration_split: str = ""
) -> Iterator[CardFact]:
    """What it was chosen on, and how well it did there: said so that nobody takes it for a measurement."""
    part = f"{split.fraction:g} of {split.source_split or 'train'}, seed {split.seed}"
    if calibration_split:
        part = f"split {calibration_split}, named as images that the model did not train on"
    yield CardFact(MADE, "Validation data", f"{samples:,} samples, {part}")
    yield CardFact(MADE, "Validation accuracy", f"{percent(accuracy)}, {CHOSEN_ON}")


def environment_facts(environment: compute_pb2.Environment) -> Iterator[CardFact]:
    """Libraries and device."""
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(environment.libraries.items()))
    for name, value in (
        ("Libraries", libraries),
        ("Python", environment.python),
        ("Platform", environment.platform),
        ("Device", environment.device),
    ):
        if value:
            yield CardFact(PROVENANCE, name, value)


def few_validation_samples(samples: int) -> Iterator[CardLimit]:
    """The limit of a choice on few samples."""
    if 0 < samples < FEW_SAMPLES:
        yield CardLimit(
            LimitKind.FEW_SAMPLES,
            f"It was chosen on {samples} validation samples: another choice may have been as good by chance.",
        )


def chosen_limits(accuracy: float, samples: int, guess: float, base: float | None = None) -> Iterator[CardLimit]:
    """The limits of a choice that is no better than guessing, or below its base, on the samples it was made on."""
    for doubt in accuracy_doubts(accuracy, samples, guess, base):
        if doubt.kind is DoubtKind.NO_BETTER_THAN_CHANCE:
            yield CardLimit(LimitKind.NO_BETTER_THAN_CHANCE, f"On what it was chosen on it is {doubt.text}.")
        elif doubt.kind is DoubtKind.BELOW_BASE:
            yield CardLimit(LimitKind.LESS_ACCURATE, f"On what it was chosen on it is {doubt.text}.")


def partial_data(share_of: str) -> CardLimit:
    """The limit of training on an imbalanced part."""
    return CardLimit(LimitKind.PARTIAL_DATA, f"{share_of} on an imbalanced part of the training data.")


def numbers(values: Sequence[float]) -> str:
    """Figures side by side."""
    return ", ".join(f"{value:g}" for value in values)


def some(names: Sequence[str], most: int = 10) -> str:
    """Names side by side, of many only the first."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
