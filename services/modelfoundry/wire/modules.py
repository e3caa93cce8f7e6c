"""Modules and evaluations."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import evaluation_pb2, module_pb2
from modelfoundry.values.resources import (
    DecompositionRecord,
    EvaluatedPart,
    Evaluation,
    JointValidation,
    Module,
    Scoring,
)
from modelfoundry.wire.computing import ENVIRONMENT, PROBLEM, SUBSET, VALIDATION
from modelfoundry.wire.figures import (
    BASE_COMPARISON,
    CLASSIFICATION,
    COST,
    DISCRIMINATION,
    FORMS,
    MODULARITY,
    RETENTION,
)
from modelfoundry.wire.frontiers import FRONTIER
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.resources import BLOB_REF

JOINT = Pair(JointValidation, module_pb2.JointValidation)
RECORD = Pair(DecompositionRecord, module_pb2.DecompositionRecord, VALIDATION, SUBSET, ENVIRONMENT, FRONTIER, JOINT)

MODULE = Pair(Module, module_pb2.Module, PROBLEM, BLOB_REF, RECORD, RETENTION, FORMS)
module_to_request = MODULE.to_request
module_from_proto = MODULE.from_proto

EVALUATED_PART = Pair(EvaluatedPart, evaluation_pb2.EvaluatedPart)
evaluated_part_from_proto = EVALUATED_PART.from_proto

EVALUATION = Pair(
    Evaluation,
    evaluation_pb2.Evaluation,
    PROBLEM,
    CLASSIFICATION,
    DISCRIMINATION,
    BASE_COMPARISON,
    RETENTION,
    COST,
    MODULARITY,
    EVALUATED_PART,
    ENVIRONMENT,
    otherwise={"scoring": Scoring.ALL_OUTPUTS},
)
evaluation_to_request = EVALUATION.to_request
evaluation_from_proto = EVALUATION.from_proto
