"""Devices, environments, validation cuts, training subsets and problems."""

from __future__ import annotations

from modelfoundry.api.types.v1 import compute_pb2, problem_pb2, training_pb2
from modelfoundry.values.computing import Device, Environment, TrainingSubset, ValidationSplit
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem
from modelfoundry.wire.enums import Members
from modelfoundry.wire.pairs import OneOf, Pair

DEVICE = Members(Device, compute_pb2.Device)
device_to_proto = DEVICE.to_proto

ENVIRONMENT = Pair(Environment, compute_pb2.Environment)

VALIDATION = Pair(ValidationSplit, compute_pb2.ValidationSplit, defaults={"source_split", "fraction"})
validation_to_proto = VALIDATION.to_proto

SUBSET = Pair(TrainingSubset, training_pb2.TrainingSubset)
subset_to_proto = SUBSET.to_proto

PROBLEM: OneOf[Problem, problem_pb2.TargetProblem] = OneOf(
    problem_pb2.TargetProblem,
    "set `binary` with one label, or `multi_class` or `open_set` with two labels or more",
    binary=Pair(BinaryProblem, problem_pb2.BinaryProblem),
    multi_class=Pair(MultiClassProblem, problem_pb2.MultiClassProblem),
    open_set=Pair(OpenSetProblem, problem_pb2.OpenSetProblem),
)
problem_to_proto = PROBLEM.to_proto
problem_from_proto = PROBLEM.known_from_proto
