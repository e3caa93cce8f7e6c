"""What an evaluation will measure, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelfoundry.client import Composition, CompositionTask, Dataset, Model, Module
from modelfoundry.errors import DatasetMismatch, InvalidField, NotFound
from modelfoundry.evaluator.request import EvaluationRequest, check_evaluation
from modelfoundry.values.kinds import Kind
from modelfoundry.values.problems import Problem, resolve
from modelfoundry.workbench.compositions import ENSEMBLE, label_names_in
from modelfoundry.workbench.resources import AsyncResources, Subject
from modelfoundry.workbench.splits import check_dataset_fits, find_split
from modelfoundry.workbench.subject_images import ImageSource, plan_images
from modelfoundry.workbench.subject_names import subject_collection


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """A request that can be carried out, with its subjects in the order asked."""

    request: EvaluationRequest
    dataset: Dataset
    other_datasets: tuple[Dataset, ...]
    """That compositions are measured on together with `dataset`."""
    subjects: tuple[Subject, ...]
    calibration: Mapping[str, ImageSource] = field(default_factory=dict)
    """Of subjects, by name, where they are measured in int8 too."""


async def plan_evaluation(request: EvaluationRequest, resources: AsyncResources) -> EvaluationPlan:
    """Looks up what is to be measured and checks that the data set fits each subject.

    Raises:
        NotFound: a subject, a module's base model, the data set, or what a composition is compared with, is not there.
        InvalidField: no such split, or a problem was given for a module or composition.
        UnknownLabel: a model lacks a label of the problem.
        DatasetMismatch: the data set's images or labels do not fit a subject.
    """
    check_evaluation(request)
    dataset = await resources.dataset(request.dataset)
    find_split(dataset, request.split, field="split")
    others = await _other_datasets(request, resources)
    datasets = (dataset, *others)
    subjects = [await _planned(place, request, datasets, resources) for place in range(len(request.subjects))]
    calibration = {}
    if request.in_int8:
        calibration = {each.name: await _calibration(each, dataset.name, resources) for each in subjects}
    return EvaluationPlan(
        request=request, dataset=dataset, other_datasets=others, subjects=tuple(subjects), calibration=calibration
    )


async def _calibration(subject: Subject, dataset: str, resources: AsyncResources) -> ImageSource:
    """Where images to calibrate int8 on come from: the recorded data set, else the one that is measured on."""
    source = await plan_images(subject, "", resources) or await plan_images(subject, dataset, resources)
    if source is None:
        raise ValueError(f"{dataset} was given")
    return source


async def _planned(
    place: int, request: EvaluationRequest, datasets: tuple[Dataset, ...], resources: AsyncResources
) -> Subject:
    """The subject in that place, which can be measured on the data sets."""
    name = request.subjects[place]
    if request.problem is not None and subject_collection(name, field="subjects") != Kind.MODEL:
        raise InvalidField(
            f"problem: {name} has its own target problem",
            field="problem",
            hint=f"leave the problem out, or leave subjects[{place}] out",
        )
    subject = await resources.subject(name, field="subjects")
    match subject:
        case Model():
            _check_model(subject, datasets[0], request.problem)
        case Module():
            base = await resources.model(subject.base_model)
            check_dataset_fits(datasets[0], base.input.shape, subject.problem.labels)
        case Composition():
            for dataset_place, dataset in enumerate(datasets):
                field = f"other_datasets[{dataset_place - 1}]" if dataset_place else "dataset"
                _check_composition(subject, dataset, field, own=len(datasets) > 1)
            if request.baselines:
                await _check_rivals(subject, resources)
    return subject


async def _other_datasets(request: EvaluationRequest, resources: AsyncResources) -> tuple[Dataset, ...]:
    """The data sets beside the first one.

    Raises:
        NotFound: one is not there.
        InvalidField: one is there twice or lacks the split, or a subject is no composition.
    """
    found: list[Dataset] = []
    for place, name in enumerate(request.other_datasets):
        field = f"other_datasets[{place}]"
        if name in (request.dataset, *request.other_datasets[:place]):
            raise InvalidField(f"{field}: {name} is there twice", field=field, hint="name every data set once")
        found.append(await resources.dataset(name))
        find_split(found[-1], request.split, field="split")
    for place, subject in enumerate(request.subjects):
        if found and subject_collection(subject, field="subjects") != Kind.COMPOSITION:
            field = f"subjects[{place}]"
            raise InvalidField(
                f"{field}: {subject} is no composition, and only these have labels of several data sets",
                field=field,
                hint="measure it on one data set at a time",
            )
    return tuple(found)


def _check_model(model: Model, dataset: Dataset, problem: Problem | None) -> None:
    needed = model.labels
    if problem is not None:
        resolve(problem, model.labels, field="problem")
        needed = problem.labels
    check_dataset_fits(dataset, model.input.shape, needed)


def _check_composition(composition: Composition, dataset: Dataset, field: str, *, own: bool) -> None:
    """Checks that a composition can be measured on a data set.

    Args:
        composition: To be measured.
        dataset: Where.
        field: Path of the request field that names the data set.
        own: Whether the data set must be one that the composition was chosen on.

    Raises:
        InvalidField: it is another data set.
        DatasetMismatch: the images have another size, or none a label of the composition.
    """
    if own and (composition.task is not CompositionTask.NEW_TASK or dataset.name not in composition.datasets):
        raise InvalidField(
            f"{field}: {composition.name} has no labels that were chosen on {dataset.name} beside those of others",
            field=field,
            hint=f"name data sets of a new task together, here {', '.join(composition.datasets)}, or one alone",
        )
    names = label_names_in(composition, dataset)
    needed = composition.labels if composition.task is not CompositionTask.NEW_TASK else ()
    check_dataset_fits(dataset, composition.input.shape, needed, field=field)
    if not names:
        raise DatasetMismatch(
            f"{field}: {dataset.name} has none of the labels of {composition.name}",
            field=field,
            hint="measure it on a data set that it was composed for, or on one with labels of the same names",
        )


async def _check_rivals(composition: Composition, resources: AsyncResources) -> None:
    for baseline in composition.record.baselines:
        if baseline.name == ENSEMBLE:
            continue
        try:
            await resources.subject(baseline.name, field="subjects")
        except NotFound as error:
            raise NotFound(
                f"baselines: {baseline.name}, which {composition.name} was compared with, is gone",
                field="baselines",
                hint="leave baselines out",
                metadata=error.metadata,
            ) from error
