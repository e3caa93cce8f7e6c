"""Measurements of a resource, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from modelfoundry.api.registry.v1 import evaluation_pb2
from modelfoundry.registry.cards.card import Interval, Limit, LimitKind, Result
from modelfoundry.registry.cards.facts import FEW_SAMPLES
from modelfoundry.registry.cards.quantities import percent, percent_range, short

TEST_SPLIT: Final = "test"


def newest_results(evaluations: Iterable[evaluation_pb2.Evaluation]) -> tuple[Result, ...]:
    """Of what was measured several times in the same way the newest measurement.

    Args:
        evaluations: Newest first.
    """
    found: dict[tuple[object, ...], Result] = {}
    for evaluation in evaluations:
        if evaluation.HasField("classification"):
            result = _result(evaluation)
            same = (result.subject, result.scoring, result.dataset, result.split, result.problem_labels)
            found.setdefault(same, result)
    return tuple(found.values())


def result_limits(name: str, results: Sequence[Result]) -> Iterator[Limit]:
    """What speaks against a model, module or composition after it was measured, or that it was not."""
    own = [result for result in results if result.subject == name and result.scoring == "ALL_OUTPUTS"]
    tested = [result for result in own if result.split == TEST_SPLIT]
    if not tested:
        yield Limit(LimitKind.NOT_TESTED, "It was not measured on a test split.")
    for result in tested:
        if result.sample_count < FEW_SAMPLES:
            yield Limit(
                LimitKind.FEW_SAMPLES,
                f"On {result.split} of {short(result.dataset)} it was measured on {result.sample_count} images: the "
                f"95 % interval of its accuracy there is {percent_range(result.interval)}.",
            )
        yield from _less_accurate(result, results)


def _less_accurate(own: Result, results: Sequence[Result]) -> Iterator[Limit]:
    """Others on the same images: the base model restricted to the same labels, or an ensemble."""
    for other in results:
        compared = (other.dataset, other.split, other.sample_count) == (own.dataset, own.split, own.sample_count)
        if not compared or other is own or other.scoring == "ALL_OUTPUTS" or other.accuracy <= own.accuracy:
            continue
        who = "the ensemble" if other.scoring == "ENSEMBLE" else f"{short(other.subject)}, restricted to its labels,"
        yield Limit(
            LimitKind.LESS_ACCURATE,
            f"On {own.split} of {short(own.dataset)} {who} has {percent(other.accuracy)}, it has "
            f"{percent(own.accuracy)}.",
        )


def _result(evaluation: evaluation_pb2.Evaluation) -> Result:
    measured = evaluation.classification
    interval = measured.accuracy_interval
    problem = evaluation.problem
    kind = problem.WhichOneof("kind")
    labels = [problem.binary.label] if kind == "binary" else getattr(problem, kind).labels if kind else []
    return Result(
        evaluation=evaluation.name,
        subject=evaluation.subject,
        scoring=evaluation_pb2.Scoring.Name(evaluation.scoring).removeprefix("SCORING_"),
        dataset=evaluation.dataset,
        dataset_digest=evaluation.dataset_digest,
        split=evaluation.split,
        problem_labels=tuple(labels),
        sample_count=evaluation.sample_count,
        accuracy=measured.accuracy,
        interval=Interval(interval.lower, interval.upper, interval.level),
        precision=measured.precision,
        recall=measured.recall,
        f1=measured.f1,
        create_time=evaluation.create_time.ToDatetime(),
    )
