"""Compositions."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import composition_pb2 as pb
from modelfoundry.values.compositions import (
    Baseline,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    LabelChange,
    StrategyReport,
)
from modelfoundry.wire.architectures import INPUT_SPEC
from modelfoundry.wire.computing import ENVIRONMENT, VALIDATION
from modelfoundry.wire.enums import Members
from modelfoundry.wire.pairs import Pair

TASK = Members(CompositionTask, pb.Composition.Task)

MEMBER = Pair(CompositionMember, pb.CompositionMember)
member_from_proto = MEMBER.from_proto

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
