"""What an evaluation will measure, checked before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from modelfoundry.artifacts.convert import input_spec_from
from modelfoundry.artifacts.requests import subject_collection
from modelfoundry.artifacts.splits import SEALED_SPLIT, check_dataset_fits, find_split
from modelfoundry.client import AsyncClient, Dataset, Model, Module
from modelfoundry.core.problems import Problem, resolve
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_reference

DEFAULT_SPLIT: Final = SEALED_SPLIT
"""Nothing is chosen by an evaluation, so that the test split is open to it."""
MOST_SUBJECTS: Final = 1000
MOST_BATCH_SIZES: Final = 8
LARGEST_BATCH: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRequest:
    """What the caller asked for."""

    parent: str
    subjects: tuple[str, ...]
    dataset: str
    split: str
    baselines: bool
    problem: Problem | None
    latency_batch_sizes: tuple[int, ...]
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """A request that can be carried out, with its subjects in the order asked."""

    request: EvaluationRequest
    dataset: Dataset
    subjects: tuple[Model | Module, ...]


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
        parse_reference(subject, subject_collection(subject, field=f"subjects[{place}]"), field=f"subjects[{place}]")
    if len(request.latency_batch_sizes) > MOST_BATCH_SIZES:
        raise InvalidField(
            f"latency_batch_sizes: {len(request.latency_batch_sizes)} are given",
            field="latency_batch_sizes",
            hint=f"give at most {MOST_BATCH_SIZES}",
        )
    for place, size in enumerate(request.latency_batch_sizes):
        if not 1 <= size <= LARGEST_BATCH:
            field = f"latency_batch_sizes[{place}]"
            raise InvalidField(f"{field}: {size} is out of range", field=field, hint=f"give 1 to {LARGEST_BATCH}")


async def plan_evaluation(request: EvaluationRequest, client: AsyncClient) -> EvaluationPlan:
    """Looks up what is to be measured and checks that the data set fits each subject.

    Raises:
        NotFound: a subject, a module's base model or the data set is not there.
        InvalidField: no such split, or a problem was given for a module.
        UnknownLabel: a model lacks a label of the problem.
        DatasetMismatch: the data set's images or labels do not fit a subject.
    """
    check_evaluation(request)
    dataset = await client.datasets.get(request.dataset)
    find_split(dataset, request.split, field="split")
    bases: dict[str, Model] = {}
    subjects: list[Model | Module] = []
    for place, name in enumerate(request.subjects):
        if subject_collection(name, field="subjects") == "models":
            model = await client.models.get(name)
            subjects.append(model)
            _check_model(model, dataset, request.problem)
            continue
        module = await client.modules.get(name)
        subjects.append(module)
        if request.problem is not None:
            raise InvalidField(
                f"problem: {name} has its own target problem",
                field="problem",
                hint=f"leave the problem out, or leave subjects[{place}] out",
            )
        if module.base_model not in bases:
            bases[module.base_model] = await client.models.get(module.base_model)
        check_dataset_fits(dataset, input_spec_from(bases[module.base_model].input).shape, module.problem.labels)
    return EvaluationPlan(request=request, dataset=dataset, subjects=tuple(subjects))


def _check_model(model: Model, dataset: Dataset, problem: Problem | None) -> None:
    needed = model.labels
    if problem is not None:
        resolve(problem, model.labels, field="problem")
        needed = problem.labels
    check_dataset_fits(dataset, input_spec_from(model.input).shape, needed)
