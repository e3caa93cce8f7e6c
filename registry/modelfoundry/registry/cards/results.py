"""Measurements of a resource, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from modelfoundry.api.registry.v1 import evaluation_pb2
from modelfoundry.registry.cards.facts import FEW_SAMPLES
from modelfoundry.registry.cards.quantities import difference_points, percent, percent_range, short
from modelfoundry.registry.cards.sheet import Measurement
from modelfoundry.values.cards import CardLimit, LimitKind
from modelfoundry.values.doubts import DoubtKind
from modelfoundry.values.figures import Difference, Interval
from modelfoundry.values.resources import Scoring
from modelfoundry.wire.modules import evaluation_from_proto

TEST_SPLIT: Final = "test"


def newest_results(evaluations: Iterable[evaluation_pb2.Evaluation]) -> tuple[Measurement, ...]:
    """Of what was measured several times in the same way the newest measurement.

    Args:
        evaluations: Newest first.
    """
    found: dict[tuple[object, ...], Measurement] = {}
    for evaluation in evaluations:
        if evaluation.HasField("classification"):
            result = _result(evaluation)
            same = (result.subject, result.scoring, result.dataset, result.split, result.problem_labels)
            found.setdefault(same, result)
    return tuple(found.values())


def result_limits(name: str, results: Sequence[Measurement]) -> Iterator[CardLimit]:
    """What speaks against a model, module or composition after it was measured, or that it was not."""
    own = [result for result in results if result.subject == name and result.scoring == Scoring.ALL_OUTPUTS]
    tested = [result for result in own if result.split == TEST_SPLIT]
    if not tested:
        yield CardLimit(LimitKind.NOT_TESTED, "It was not measured on a test split.")
    for result in tested:
        if result.sample_count < FEW_SAMPLES:
            yield CardLimit(
                LimitKind.FEW_SAMPLES,
                f"On {result.split} of {short(result.dataset)} it was measured on {result.sample_count} images: the "
                f"95 % interval of its accuracy there is {percent_range(result.accuracy_interval)}.",
            )
        yield from (
            CardLimit(LimitKind.NO_BETTER_THAN_CHANCE, f"On {result.split} of {short(result.dataset)} it is {text}.")
            for text in result.chance
        )
        yield from _less_accurate(result, results)


def _less_accurate(own: Measurement, results: Sequence[Measurement]) -> Iterator[CardLimit]:
    """Others on the same images: the base model in each way that is fair, or an ensemble."""
    for other in results:
        compared = (other.dataset, other.split, other.sample_count) == (own.dataset, own.split, own.sample_count)
        if not compared or other is own or other.scoring in {Scoring.ALL_OUTPUTS, Scoring.IN_INT8}:
            continue
        ensemble = other.scoring == Scoring.ENSEMBLE
        who = "the ensemble" if ensemble else f"{short(other.subject)}, restricted to its labels,"
        found = own.against_base
        restricted = None if found is None or ensemble else found.accuracy_restricted or found.accuracy
        yield from _less_than(own, who, other.accuracy, restricted)
        if other.discrimination is not None and (prior := other.discrimination.at_prior) is not None:
            difference = None if found is None else found.accuracy_at_prior
            yield from _less_than(own, f"{short(other.subject)}, at the prior,", prior.accuracy, difference)


def _less_than(own: Measurement, who: str, accuracy: float, difference: Difference | None) -> Iterator[CardLimit]:
    if accuracy <= own.accuracy:
        return
    has = percent(own.accuracy) + (f": {difference_points(difference)}" if difference is not None else "")
    yield CardLimit(
        LimitKind.LESS_ACCURATE,
        f"On {own.split} of {short(own.dataset)} {who} has {percent(accuracy)}, it has {has}.",
    )


def _result(message: evaluation_pb2.Evaluation) -> Measurement:
    evaluation = evaluation_from_proto(message)
    measured = evaluation.classification
    if measured is None:
        raise ValueError(f"{evaluation.name} says nothing of classification")
    return Measurement(
        evaluation=evaluation.name,
        subject=evaluation.subject,
        scoring=evaluation.scoring,
        dataset=evaluation.dataset,
        dataset_digest=evaluation.dataset_digest,
        split=evaluation.split,
        problem_labels=() if evaluation.problem is None else evaluation.problem.labels,
        sample_count=evaluation.sample_count,
        chance=tuple(each.text for each in evaluation.doubts if each.kind is DoubtKind.NO_BETTER_THAN_CHANCE),
        accuracy=measured.accuracy,
        accuracy_interval=measured.accuracy_interval or Interval(0.0, 0.0, 0.0),
        precision=measured.precision,
        recall=measured.recall,
        f1=measured.f1,
        discrimination=evaluation.discrimination,
        against_base=evaluation.against_base,
        create_time=evaluation.create_time,
    )
