"""Cards."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import card_service_pb2 as pb
from modelfoundry.values.cards import Card, CardFact, CardLimit, CardResult, LimitKind
from modelfoundry.values.resources import Scoring
from modelfoundry.wire.figures import BASE_COMPARISON, DISCRIMINATION, FORMS, INTERVAL
from modelfoundry.wire.pairs import Pair

CARD = Pair(
    Card,
    pb.Card,
    Pair(CardFact, pb.CardFact),
    Pair(
        CardResult,
        pb.CardResult,
        INTERVAL,
        DISCRIMINATION,
        BASE_COMPARISON,
        otherwise={"scoring": Scoring.ALL_OUTPUTS},
    ),
    FORMS,
    Pair(CardLimit, pb.CardLimit, otherwise={"kind": LimitKind.OTHER}),
)
card_to_proto = CARD.to_proto
card_from_proto = CARD.from_proto
