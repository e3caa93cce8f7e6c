"""Parts that the requests of all computing services have in common."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from typing import Final

from google.protobuf.json_format import MessageToDict

from modelfoundry.api.types.v1 import architecture_pb2, compute_pb2, problem_pb2
from modelfoundry.client import ValidationSplit
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.architectures import EXPORTED_BUILDERS, Architecture
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

_DEVICES: Final[dict[int, str]] = {
    compute_pb2.DEVICE_UNSPECIFIED: "auto",
    compute_pb2.DEVICE_AUTO: "auto",
    compute_pb2.DEVICE_CPU: "cpu",
    compute_pb2.DEVICE_CUDA: "cuda",
}
DEFAULT_VALIDATION_FRACTION = 0.1
MOST_BATCH_SIZES: Final = 8
LARGEST_BATCH: Final = 1024


def device_from_proto(device: int, *, field: str = "device") -> str:
    """`auto`, `cpu` or `cuda`.

    Raises:
        InvalidField: a number that no device has.
    """
    if device not in _DEVICES:
        raise InvalidField(f"{field}: no device has number {device}", field=field, hint="pass DEVICE_AUTO")
    return _DEVICES[device]


def problem_from_proto(problem: problem_pb2.TargetProblem, *, field: str) -> Problem:
    """The core's problem.

    Raises:
        InvalidField: no kind is set.
    """
    match problem.WhichOneof("kind"):
        case "binary":
            return BinaryProblem(problem.binary.label)
        case "multi_class":
            return MultiClassProblem(tuple(problem.multi_class.labels))
        case "open_set":
            return OpenSetProblem(tuple(problem.open_set.labels))
        case _:
            raise InvalidField(
                f"{field}: no target problem is set",
                field=field,
                hint="set `binary` with one label, or `multi_class` or `open_set` with two labels or more",
            )


def validation_from_proto(validation: compute_pb2.ValidationSplit) -> ValidationSplit:
    """The validation split with its defaults filled in."""
    return ValidationSplit(
        source_split=validation.source_split or "train",
        fraction=validation.fraction or DEFAULT_VALIDATION_FRACTION,
        seed=validation.seed,
    )


def architecture_from_proto(architecture: architecture_pb2.Architecture, *, field: str) -> Architecture:
    """The core's architecture.

    Raises:
        InvalidField: a parameter is neither a number, a string nor a boolean.
    """
    if architecture.builder in EXPORTED_BUILDERS:
        return Architecture(architecture.builder, MessageToDict(architecture.parameters))
    parameters: dict[str, str | int | float | bool] = {}
    for key, value in architecture.parameters.fields.items():
        match value.WhichOneof("kind"):
            case "number_value":
                parameters[key] = value.number_value
            case "string_value":
                parameters[key] = value.string_value
            case "bool_value":
                parameters[key] = value.bool_value
            case _:
                raise InvalidField(
                    f"{field}.parameters.{shortened(key)}: neither a number, a string nor a boolean",
                    field=f"{field}.parameters.{shortened(key)}",
                    hint="parameters are plain values; leave out what the architecture needs no setting for",
                )
    return Architecture(architecture.builder, parameters)


def derived_request_id(operation: str, what: str) -> str:
    """A UUID4-shaped id that follows from a job and what it makes.

    A job that was taken up again after it had registered its result finds that, and registers no other.
    """
    return str(uuid.UUID(bytes=hashlib.sha256(f"{operation}/{what}".encode()).digest()[:16], version=4))


def subject_collection(name: str, *, field: str) -> str:
    """`models`, `modules` or `compositions`: what a subject's name says it is.

    Raises:
        InvalidField: it is none of these.
    """
    match name.split("/", 4):
        case ["projects", _, ("models" | "modules" | "compositions") as collection, _]:
            return collection
        case _:
            raise InvalidField(
                f"{field}: {shortened(name)!r} is neither a model, a module nor a composition",
                field=field,
                hint="pass for example projects/{project}/models/{model}, or a name in modules or compositions",
            )


def check_batch_sizes(sizes: Sequence[int]) -> None:
    """Checks batch sizes at which forward passes are to be timed.

    Raises:
        InvalidField: there are more than 8, or one is not from 1 to 1024.
    """
    if len(sizes) > MOST_BATCH_SIZES:
        raise InvalidField(
            f"latency_batch_sizes: {len(sizes)} are given",
            field="latency_batch_sizes",
            hint=f"give at most {MOST_BATCH_SIZES}",
        )
    for place, size in enumerate(sizes):
        if not 1 <= size <= LARGEST_BATCH:
            field = f"latency_batch_sizes[{place}]"
            raise InvalidField(f"{field}: {size} is out of range", field=field, hint=f"give 1 to {LARGEST_BATCH}")
