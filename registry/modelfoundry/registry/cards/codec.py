"""Cards as messages."""

from __future__ import annotations

from typing import Final

from modelfoundry.api.registry.v1 import card_service_pb2, evaluation_pb2
from modelfoundry.api.types.v1 import metrics_pb2
from modelfoundry.registry.cards.card import Card, Result
from modelfoundry.registry.cards.markdown import render

LABELS_SENT: Final = 1000


def card_to_proto(card: Card) -> card_service_pb2.Card:
    """The message of a card."""
    labels = card.account.labels
    return card_service_pb2.Card(
        name=card.name,
        etag=card.etag,
        title=card.title,
        description=card.owned.description,
        intended_use=card.owned.intended_use,
        license=card.owned.license,
        tags=card.owned.tags,
        labels=labels[:LABELS_SENT],
        label_count=len(labels),
        facts=[
            card_service_pb2.CardFact(section=fact.section, name=fact.name, value=fact.value)
            for fact in card.account.facts
        ],
        results=map(_result_to_proto, card.results),
        forms=card.account.forms,
        limits=[
            card_service_pb2.CardLimit(
                kind=card_service_pb2.CardLimit.Kind.Value(f"KIND_{limit.kind}"), text=limit.text
            )
            for limit in card.limits
        ],
        markdown=render(card),
    )


def _result_to_proto(result: Result) -> card_service_pb2.CardResult:
    message = card_service_pb2.CardResult(
        evaluation=result.evaluation,
        subject=result.subject,
        scoring=evaluation_pb2.Scoring.Value(f"SCORING_{result.scoring}"),
        dataset=result.dataset,
        split=result.split,
        problem_labels=result.problem_labels,
        sample_count=result.sample_count,
        accuracy=result.accuracy,
        accuracy_interval=metrics_pb2.Interval(
            lower=result.interval.lower, upper=result.interval.upper, level=result.interval.level
        ),
        precision=result.precision,
        recall=result.recall,
        f1=result.f1,
    )
    message.create_time.FromDatetime(result.create_time)
    return message
