"""Devices, environments, validation cuts and problems."""

from __future__ import annotations

from modelfoundry.api.types.v1 import compute_pb2, problem_pb2, training_pb2
from modelfoundry.values.computing import Device, Environment, TrainingSubset, ValidationSplit
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem
from modelfoundry.wire.enums import enum_to_proto


def device_to_proto(device: Device) -> compute_pb2.Device.ValueType:
    """Value to number."""
    number: compute_pb2.Device.ValueType = enum_to_proto(compute_pb2.Device, "DEVICE", device)
    return number


def environment_to_proto(environment: Environment) -> compute_pb2.Environment:
    """Value to message."""
    return compute_pb2.Environment(
        python=environment.python,
        libraries=dict(environment.libraries),
        platform=environment.platform,
        device=environment.device,
        threads=environment.threads,
    )


def environment_from_proto(message: compute_pb2.Environment) -> Environment:
    """Message to value."""
    return Environment(
        python=message.python,
        libraries=dict(message.libraries),
        platform=message.platform,
        device=message.device,
        threads=message.threads,
    )


def validation_to_proto(validation: ValidationSplit) -> compute_pb2.ValidationSplit:
    """Value to message."""
    return compute_pb2.ValidationSplit(
        source_split=validation.source_split, fraction=validation.fraction, seed=validation.seed
    )


def validation_from_proto(message: compute_pb2.ValidationSplit) -> ValidationSplit:
    """Message to value; fields that are empty on the wire take their defaults."""
    default = ValidationSplit()
    return ValidationSplit(
        source_split=message.source_split or default.source_split,
        fraction=message.fraction or default.fraction,
        seed=message.seed,
    )


def subset_to_proto(subset: TrainingSubset) -> training_pb2.TrainingSubset:
    """Value to message."""
    return training_pb2.TrainingSubset(
        concentration=subset.concentration or 0.0, minimum_samples=subset.minimum_samples or 0, seed=subset.seed
    )


def subset_from_proto(message: training_pb2.TrainingSubset) -> TrainingSubset:
    """Message to value."""
    return TrainingSubset(
        concentration=message.concentration or None,
        minimum_samples=message.minimum_samples or None,
        seed=message.seed if message.HasField("seed") else None,
    )


def problem_to_proto(problem: Problem) -> problem_pb2.TargetProblem:
    """Value to message."""
    match problem:
        case BinaryProblem(label):
            return problem_pb2.TargetProblem(binary=problem_pb2.BinaryProblem(label=label))
        case MultiClassProblem(labels):
            return problem_pb2.TargetProblem(multi_class=problem_pb2.MultiClassProblem(labels=labels))
        case OpenSetProblem(labels):
            return problem_pb2.TargetProblem(open_set=problem_pb2.OpenSetProblem(labels=labels))


def problem_from_proto(message: problem_pb2.TargetProblem) -> Problem | None:
    """Message to value; None when no kind is set."""
    match message.WhichOneof("kind"):
        case "binary":
            return BinaryProblem(message.binary.label)
        case "multi_class":
            return MultiClassProblem(tuple(message.multi_class.labels))
        case "open_set":
            return OpenSetProblem(tuple(message.open_set.labels))
        case _:
            return None
