"""Requests for modules by label, and the answers."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import label_service_pb2
from modelfoundry.api.reuser.v1 import on_demand_service_pb2 as pb
from modelfoundry.values.on_demand import ChoiceFigures, FoundLabels, ModuleOrigin, RequestedModule
from modelfoundry.values.searching import Match, MatchKind
from modelfoundry.wire.enums import enum_from_proto
from modelfoundry.wire.searching import match_from_proto


def found_labels_from_proto(message: label_service_pb2.FindLabelsResponse) -> FoundLabels:
    """Message to value; reasons of a kind that a newer registry knows are left out."""
    matches = map(match_from_proto, message.matches)
    return FoundLabels(
        matches=tuple(match for match in matches if match is not None), known_labels=tuple(message.known_labels)
    )


def requested_module_from_proto(message: pb.RequestedModule) -> RequestedModule:
    """Message to value; an origin that a newer service knows reads as registered."""
    origin = enum_from_proto(pb.ModuleOrigin, "MODULE_ORIGIN", message.origin, ModuleOrigin)
    return RequestedModule(
        label=message.label,
        match=match_from_proto(message.match) or Match(kind=MatchKind.LABEL, label=message.match.label),
        origin=origin or ModuleOrigin.REGISTERED,
        module=message.module,
        reason=message.reason,
        figures=_figures_from_proto(message.figures),
        model=message.model,
        dataset=message.dataset,
        algorithm=message.algorithm,
        to_be_measured=tuple(message.to_be_measured),
        alternatives=message.alternatives,
    )


def _figures_from_proto(message: pb.ChoiceFigures) -> ChoiceFigures:
    return ChoiceFigures(
        validation_accuracy=message.validation_accuracy if message.HasField("validation_accuracy") else None,
        validation_samples=message.validation_samples,
        accuracy_lower_bound=message.accuracy_lower_bound,
        size_bytes=message.size_bytes,
        latency_ms=message.latency_ms if message.HasField("latency_ms") else None,
    )
