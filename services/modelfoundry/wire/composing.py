"""Requests for compositions, and what came of them."""

from __future__ import annotations

from modelfoundry.api.reuser.v1 import composing_pb2
from modelfoundry.values.composing import NewLabel, Strategy
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import full_name, subject_name
from modelfoundry.values.results import Replacement
from modelfoundry.wire.enums import Members
from modelfoundry.wire.pairs import Pair

STRATEGY = Members(Strategy, composing_pb2.CompositionStrategy)
strategy_to_proto = STRATEGY.to_proto

REPLACEMENT = Pair(Replacement, composing_pb2.Replacement)
replacement_to_proto = REPLACEMENT.to_proto
replacement_from_proto = REPLACEMENT.from_proto


def new_label_to_proto(label: NewLabel, parent: str) -> composing_pb2.NewLabel:
    """The message of a label, its sources with their full names."""
    return composing_pb2.NewLabel(
        label=label.label,
        source_label=label.source_label,
        sources=[subject_name(source, parent) for source in label.sources],
        dataset="" if label.dataset is None else full_name(label.dataset, Kind.DATASET, parent),
    )
