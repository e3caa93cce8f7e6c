"""What is known of compositions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfoundry.api.registry.v1 import composition_pb2
from modelfoundry.registry.cards.facts import (
    MADE,
    PROVENANCE,
    SHAPE,
    chosen_facts,
    chosen_limits,
    environment_facts,
    few_validation_samples,
    input_facts,
    settings_facts,
)
from modelfoundry.registry.cards.quantities import last, percent, short
from modelfoundry.registry.cards.sheet import Account
from modelfoundry.values.cards import CardFact, CardLimit, LimitKind
from modelfoundry.values.doubts import calibration_doubts
from modelfoundry.values.kinds import Kind, kind_of

TASKS: Final = {
    composition_pb2.Composition.TASK_MORE_ACCURATE: "the best source of every label of several models",
    composition_pb2.Composition.TASK_NEW_TASK: "labels of different models and data sets as one classifier",
    composition_pb2.Composition.TASK_PATCH: "a model of which weak labels were replaced",
}
PARTS: Final = "Where every label comes from"


def composition_account(composition: composition_pb2.Composition) -> Account:
    """What the services know of a composition."""
    sources = dict.fromkeys(member.source for member in composition.members)
    models = [composition.base_model, *sources, *(baseline.name for baseline in composition.record.baselines)]
    return Account(
        summary=f"A classifier of {len(composition.labels):,} labels joined from {len(sources)} sources: "
        f"{TASKS.get(composition.task, 'joined')}.",
        labels=composition.labels,
        facts=(*_parts(composition), *_shape(composition), *_made(composition), *_provenance(composition)),
        limits=tuple(_limits(composition)),
        algorithm=composition.record.strategy,
        base_models=tuple(dict.fromkeys(name for name in models if kind_of(name) is Kind.MODEL)),
        datasets=tuple(composition.datasets),
    )


def _parts(composition: composition_pb2.Composition) -> Iterator[CardFact]:
    for member in composition.members:
        renamed = f", its label {member.source_label}" if member.source_label != member.label else ""
        yield CardFact(PARTS, member.label, f"{short(member.source)}{renamed}")


def _shape(composition: composition_pb2.Composition) -> Iterator[CardFact]:
    yield from input_facts(composition.input)
    record = composition.record
    if record.parameters:
        yield CardFact(SHAPE, "Parameters, without dead channels", f"{record.parameters:,}")
        yield CardFact(SHAPE, "Multiply-accumulates of an image, dense", f"{record.macs:,}")


def _made(composition: composition_pb2.Composition) -> Iterator[CardFact]:
    record = composition.record
    yield CardFact(MADE, "Strategy", record.strategy)
    if record.score:
        yield CardFact(MADE, "Sources ranked by", record.score)
    yield CardFact(MADE, "Data sets", ", ".join(map(short, composition.datasets)))
    yield from chosen_facts(record.validation, record.validation_accuracy, record.validation_samples)
    for baseline in record.baselines:
        costs = f"; {baseline.parameters:,} parameters, {baseline.macs:,} multiply-accumulates, dense"
        accuracy = f"{percent(baseline.validation_accuracy)} of the validation samples"
        yield CardFact(MADE, f"Compared with {last(baseline.name)}", accuracy + costs)
    for change in record.label_changes:
        yield CardFact(
            MADE, f"F1 of {change.label}", f"{percent(change.before_f1)} before, {percent(change.after_f1)} after"
        )
    yield CardFact(MADE, "Seed", str(record.seed))
    yield from settings_facts(record.settings)


def _provenance(composition: composition_pb2.Composition) -> Iterator[CardFact]:
    yield CardFact(PROVENANCE, "Name", composition.name)
    yield CardFact(PROVENANCE, "Digest", composition.digest)
    digests = {member.source: member.source_digest for member in composition.members}
    for source, digest in digests.items():
        yield CardFact(PROVENANCE, "Source", f"{short(source)}, {digest}")
    for dataset, digest in zip(composition.datasets, composition.record.dataset_digests, strict=False):
        yield CardFact(PROVENANCE, "Data set", f"{short(dataset)}, {digest}")
    if composition.record.operation:
        yield CardFact(PROVENANCE, "Job", short(composition.record.operation))
    yield from environment_facts(composition.record.environment)


def _limits(composition: composition_pb2.Composition) -> Iterator[CardLimit]:
    record = composition.record
    yield from few_validation_samples(record.validation_samples)
    guess = 1 / max(2, len(composition.members))
    yield from chosen_limits(record.validation_accuracy, record.validation_samples, guess)
    if not record.calibrated:
        yield CardLimit(
            LimitKind.NOT_CALIBRATED,
            "Scores of different sources were not calibrated: their probabilities are not quite comparable.",
        )
    else:
        for one in composition.members:
            for doubt in calibration_doubts(one.label, short(one.source), one.scale):
                yield CardLimit(LimitKind.NOT_CALIBRATED, f"{doubt.text}.")
    yield CardLimit(LimitKind.CLOSED_SET, "It answers with one of its labels for every image, also for images of none.")
    better = [each for each in record.baselines if each.validation_accuracy > record.validation_accuracy]
    if better:
        best = max(better, key=lambda each: each.validation_accuracy)
        yield CardLimit(
            LimitKind.LESS_ACCURATE,
            f"On validation data {short(best.name)} has {percent(best.validation_accuracy)}, the composition "
            f"{percent(record.validation_accuracy)}.",
        )
