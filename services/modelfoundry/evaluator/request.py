"""What is asked for of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2 as pb
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_name, parse_parent
from modelfoundry.values.computing import Device
from modelfoundry.values.file_forms import Compute
from modelfoundry.values.kinds import Kind
from modelfoundry.values.problems import Problem
from modelfoundry.wire.computing import DEVICE, PROBLEM
from modelfoundry.wire.exports import COMPUTE
from modelfoundry.workbench.batch_sizes import check_batch_sizes
from modelfoundry.workbench.splits import SEALED_SPLIT
from modelfoundry.workbench.subject_names import subject_collection

DEFAULT_SPLIT: Final = SEALED_SPLIT
"""Nothing is chosen by an evaluation, so that the test split is open to it."""
MOST_SUBJECTS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What the caller asked for, with every default filled in."""

    parent: str
    subjects: tuple[str, ...]
    dataset: str
    other_datasets: tuple[str, ...]
    split: str
    baselines: bool
    modularity: bool
    problem: Problem | None
    latency_batch_sizes: tuple[int, ...]
    device: Device
    in_int8: bool
    """Also as files in int8 answer."""


def evaluation_from_proto(request: pb.EvaluateRequest) -> EvaluationRequest:
    """A request with its defaults filled in.

    Raises:
        InvalidField: a name is malformed, or the device or the kind of the problem is unknown.
    """
    parse_parent(request.parent)
    parse_name(request.dataset, Kind.DATASET, field="dataset")
    for place, name in enumerate(request.other_datasets):
        parse_name(name, Kind.DATASET, field=f"other_datasets[{place}]")
    return EvaluationRequest(
        parent=request.parent,
        subjects=tuple(request.subjects),
        dataset=request.dataset,
        other_datasets=tuple(request.other_datasets),
        split=request.split or DEFAULT_SPLIT,
        baselines=request.baselines or request.modularity,
        modularity=request.modularity,
        problem=PROBLEM.from_request(request.problem, field="problem") if request.HasField("problem") else None,
        latency_batch_sizes=tuple(request.latency_batch_sizes),
        device=DEVICE.from_request(request.device, field="device", default=Device.AUTO),
        in_int8=COMPUTE.from_request(request.compute, field="compute", default=Compute.FP32) is Compute.INT8,
    )


def check_evaluation(request: EvaluationRequest) -> None:
    """Checks what can be checked without asking the registry.

    Raises:
        InvalidField: too many or malformed subjects, or batch sizes out of range.
    """
    if not 1 <= len(request.subjects) <= MOST_SUBJECTS:
        raise InvalidField(
            f"subjects: {len(request.subjects)} are named", field="subjects", hint=f"name 1 to {MOST_SUBJECTS}"
        )
    for place, subject in enumerate(request.subjects):
        parse_name(subject, subject_collection(subject, field=f"subjects[{place}]"), field=f"subjects[{place}]")
    check_batch_sizes(request.latency_batch_sizes)
    if request.in_int8 and (request.problem is not None or request.other_datasets):
        field = "problem" if request.problem is not None else "other_datasets"
        raise InvalidField(
            f"{field}: in int8 a subject is measured on its own task and one data set",
            field=field,
            hint="leave it out, or measure in float32",
        )
