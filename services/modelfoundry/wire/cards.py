"""Cards."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import card_service_pb2, evaluation_pb2
from modelfoundry.values.cards import Card, CardFact, CardLimit, CardResult, LimitKind
from modelfoundry.values.figures import Interval
from modelfoundry.values.resources import Scoring
from modelfoundry.wire.enums import enum_from_proto
from modelfoundry.wire.figures import forms_from_proto
from modelfoundry.wire.times import time_from_proto


def card_from_proto(message: card_service_pb2.Card) -> Card:
    """Message to value."""
    return Card(
        name=message.name,
        etag=message.etag,
        title=message.title,
        description=message.description,
        intended_use=message.intended_use,
        license=message.license,
        tags=dict(message.tags),
        labels=tuple(message.labels),
        label_count=message.label_count,
        facts=tuple(CardFact(fact.section, fact.name, fact.value) for fact in message.facts),
        results=tuple(_result_from_proto(result) for result in message.results),
        forms=forms_from_proto(message.forms) if message.HasField("forms") else None,
        limits=tuple(_limit_from_proto(limit) for limit in message.limits),
        markdown=message.markdown,
    )


def _result_from_proto(message: card_service_pb2.CardResult) -> CardResult:
    scoring = enum_from_proto(evaluation_pb2.Scoring, "SCORING", message.scoring, Scoring)
    interval = message.accuracy_interval
    return CardResult(
        evaluation=message.evaluation,
        subject=message.subject,
        scoring=scoring or Scoring.ALL_OUTPUTS,
        dataset=message.dataset,
        split=message.split,
        problem_labels=tuple(message.problem_labels),
        sample_count=message.sample_count,
        accuracy=message.accuracy,
        accuracy_interval=Interval(interval.lower, interval.upper, interval.level),
        precision=message.precision,
        recall=message.recall,
        f1=message.f1,
        create_time=time_from_proto(message, "create_time"),
    )


def _limit_from_proto(message: card_service_pb2.CardLimit) -> CardLimit:
    kind = enum_from_proto(card_service_pb2.CardLimit.Kind, "KIND", message.kind, LimitKind)
    return CardLimit(kind or LimitKind.OTHER, message.text)
