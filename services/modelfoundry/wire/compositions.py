"""Compositions."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import composition_pb2 as pb
from modelfoundry.values.compositions import (
    Baseline,
    Composition,
    CompositionMember,
    CompositionRecord,
    LabelChange,
    StrategyReport,
)
from modelfoundry.wire.architectures import INPUT_SPEC
from modelfoundry.wire.computing import ENVIRONMENT, VALIDATION
from modelfoundry.wire.pairs import Pair

MEMBER = Pair(CompositionMember, pb.CompositionMember)

COMPOSITION_RECORD = Pair(
    CompositionRecord,
    pb.CompositionRecord,
    VALIDATION,
    Pair(StrategyReport, pb.StrategyReport),
    Pair(Baseline, pb.Baseline),
    Pair(LabelChange, pb.LabelChange),
    ENVIRONMENT,
)

COMPOSITION = Pair(Composition, pb.Composition, MEMBER, INPUT_SPEC, COMPOSITION_RECORD)
composition_to_request = COMPOSITION.to_request
composition_from_proto = COMPOSITION.from_proto
