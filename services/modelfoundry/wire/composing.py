"""Requests for compositions, and what came of them."""

from __future__ import annotations

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.values.composing import NewLabel, Strategy
from modelfoundry.values.references import full_name, subject_name
from modelfoundry.values.results import Replacement
from modelfoundry.wire.enums import enum_to_proto


def strategy_to_proto(strategy: Strategy) -> composing_pb2.CompositionStrategy.ValueType:
    """Value to number."""
    number: composing_pb2.CompositionStrategy.ValueType = enum_to_proto(
        composing_pb2.CompositionStrategy, "COMPOSITION_STRATEGY", strategy
    )
    return number


def new_label_to_proto(label: NewLabel, parent: str) -> composing_pb2.NewLabel:
    """Value to message."""
    return composing_pb2.NewLabel(
        label=label.label,
        source_label=label.source_label,
        sources=[subject_name(source, parent) for source in label.sources],
        dataset="" if label.dataset is None else full_name(label.dataset, "datasets", parent),
    )


def replacement_from_proto(message: composing_pb2.Replacement) -> Replacement:
    """Message to value."""
    return Replacement(
        label=message.label,
        source=message.source,
        f1_before=message.f1_before,
        f1_after=message.f1_after,
        others_before=message.others_before,
        others_after=message.others_after,
        refusal=message.refusal,
    )
