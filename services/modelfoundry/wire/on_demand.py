"""Requests for modules by label, and the answers."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import label_service_pb2, search_pb2
from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.values.on_demand import ChoiceFigures, FoundLabels, ModuleOrigin, RequestedModule
from modelfoundry.values.searching import Match, MatchKind
from modelfoundry.wire.conversions import Custom
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.searching import MATCH

FOUND_LABELS = Pair(FoundLabels, label_service_pb2.FindLabelsResponse, MATCH)
found_labels_to_proto = FOUND_LABELS.to_proto
found_labels_from_proto = FOUND_LABELS.from_proto


def _match_from_proto(message: search_pb2.Match) -> Match:
    """Why a label was answered so: there always is a reason, if only its label."""
    return MATCH.known_from_proto(message) or Match(kind=MatchKind.LABEL, label=message.label)


REQUESTED_MODULE = Pair(
    RequestedModule,
    pb.RequestedModule,
    Custom(Match, search_pb2.Match, MATCH.to_proto, _match_from_proto),
    Pair(ChoiceFigures, pb.ChoiceFigures),
    otherwise={"origin": ModuleOrigin.REGISTERED},
)
requested_module_to_proto = REQUESTED_MODULE.to_proto
requested_module_from_proto = REQUESTED_MODULE.from_proto
