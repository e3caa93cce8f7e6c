"""What a decomposition will do, checked and complete before anything is computed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from modelfoundry.client import Dataset, Model, ValidationSplit
from modelfoundry.core.networks import check_weights
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.problems import Wanted, wanted_problems
from modelfoundry.decomposer.algorithms.settings import Settings
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.computing import TrainingSubset
from modelfoundry.values.problems import Problem
from modelfoundry.values.resources import JOINT_SETTING
from modelfoundry.workbench.splits import (
    check_calibration_split,
    check_dataset_fits,
    check_label_counts,
    check_validation_labels,
    check_validation_split,
    recorded_subset,
    subset_facts,
)

MOST_CHARACTERS_OF_A_PREFIX: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class DecompositionRequest:
    """What the caller asked for, with every setting filled in."""

    parent: str
    model: str
    dataset: str
    algorithm: Algorithm[Any]
    wanted: Wanted
    settings: Settings
    validation: ValidationSplit
    calibration_split: str = ""
    """The split of the data set that is validation data in place of the cut; empty: the cut."""
    seed: int
    device: str
    module_id: str
    """Of the module; the beginning of all ids where one search finds several. Empty: made up."""
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModule:
    """One of the modules."""

    problem: Problem
    module_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecompositionPlan:
    """A request that can be carried out, and the names of its results."""

    request: DecompositionRequest
    model: Model
    dataset: Dataset
    modules: tuple[PlannedModule, ...]
    """One or more, in the order of the model's labels."""
    subset: TrainingSubset | None
    """The part of the training data to use: the one that the model was trained on."""
    cache_key: str

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What every module tells apart."""
        return tuple(module.problem for module in self.modules)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that the data must have images of."""
        return labels_needed(self.request.algorithm, self.problems, self.model)

    @property
    def recorded_settings(self) -> dict[str, Any]:
        """What a record says of the settings: asking for the same again gives the same modules."""
        record = self.request.settings.record()
        if self.request.algorithm.joint:
            record[JOINT_SETTING] = [list(problem.labels) for problem in self.problems]
        return record


def plan_decomposition(request: DecompositionRequest, model: Model, dataset: Dataset) -> DecompositionPlan:
    """Checks a request against the model and the data set, from metadata and the model's structure alone.

    Raises:
        UnknownLabel, InvalidField, TestSplitSealed, DatasetMismatch: as `plan_checked`.
        WeightsMismatch: the model's tensors do not fit its architecture.
        UnknownArchitecture: the installed libraries cannot build it.
        UnsupportedModel: the algorithm cannot take it apart; layer and reason are named.
    """
    plan = plan_checked(request, model, dataset)
    check_weights(model.architecture, len(model.labels), model.input, model.tensors)
    if request.algorithm.check_model is not None:
        request.algorithm.check_model(model.architecture, len(model.labels), model.input)
    return plan


def plan_checked(request: DecompositionRequest, model: Model, dataset: Dataset) -> DecompositionPlan:
    """The same for a model that was checked when the request came: from metadata alone, no network is built for it.

    Raises:
        UnknownLabel: the model lacks a label that is asked for.
        InvalidField: problem, groups, module id, validation or calibration split are malformed.
        TestSplitSealed: validation data was asked from the test split.
        DatasetMismatch: the data set's images or labels do not fit, or a label has too few images.
    """
    algorithm = request.algorithm
    problems = wanted_problems(algorithm, request.wanted, model.labels)
    if algorithm.joint and len(request.module_id) > MOST_CHARACTERS_OF_A_PREFIX:
        raise InvalidField(
            f"module_id: {shortened(request.module_id)!r} is too long to begin several ids with",
            field="module_id",
            hint=f"give at most {MOST_CHARACTERS_OF_A_PREFIX} characters; the labels follow",
        )
    check_validation_split(request.validation, dataset)
    labels = labels_needed(algorithm, problems, model)
    check_dataset_fits(dataset, model.input.shape, labels)
    if request.calibration_split:
        check_calibration_split(request.calibration_split, request.validation, dataset, model, labels)
    if algorithm.joint:
        check_validation_labels(dataset, request.validation, model.labels)
    least = request.settings.least_training, request.settings.least_validation
    if any(least):
        check_label_counts(dataset, request.validation, labels, least, calibration_split=request.calibration_split)
    subset = recorded_subset(model, dataset, request.validation)
    key = cache_key(request, problems, model, dataset, subset)
    ids = module_ids(request, problems, model, key)
    return DecompositionPlan(
        request=request,
        model=model,
        dataset=dataset,
        modules=tuple(
            PlannedModule(problem=problem, module_id=module_id)
            for problem, module_id in zip(problems, ids, strict=True)
        ),
        subset=subset,
        cache_key=key,
    )


def labels_needed(algorithm: Algorithm[Any], problems: Sequence[Problem], model: Model) -> tuple[str, ...]:
    """Labels that the data must have images of: those of the problem; all of the model for modules found together."""
    return model.labels if algorithm.joint else problems[0].labels


def cache_key(
    request: DecompositionRequest,
    problems: Sequence[Problem],
    model: Model,
    dataset: Dataset,
    subset: TrainingSubset | None,
) -> str:
    """SHA-256 over everything that the masks depend on, except the machine."""
    algorithm = request.algorithm
    facts: dict[str, object] = {
        "algorithm": f"{algorithm.name}/{algorithm.version}",
        "architecture": [model.architecture.builder, dict(model.architecture.parameters)],
        "input": asdict(model.input),
        "labels": model.labels,
        "weights": model.weights.digest,
        "dataset": dataset.digest,
        "settings": request.settings.record(),
        "validation": asdict(request.validation),
        "seed": request.seed,
        "device": request.device,
        "parent": request.parent,
        "module_id": request.module_id,
    }
    # Keys of both kinds were spelt before there was one plan; registries find equal work by them.
    if algorithm.joint:
        facts["groups"] = [problem.labels for problem in problems]
        facts["subset"] = None
    else:
        (problem,) = problems
        facts["problem"] = [type(problem).__name__, problem.labels]
    if request.calibration_split:
        facts["calibration_split"] = request.calibration_split
    if subset is not None:
        facts["subset"] = subset_facts(subset)
    return hashlib.sha256(json.dumps(facts, sort_keys=True, allow_nan=False).encode()).hexdigest()


def module_ids(request: DecompositionRequest, problems: Sequence[Problem], model: Model, key: str) -> list[str]:
    """Readable ids, all different, at most 63 characters: model, labels and the beginning of the cache key.

    An id that was given is that of the one module; where there are several it stands in place of model and key.
    """
    given = request.module_id
    if given and not request.algorithm.joint:
        return [given]
    begin, end = (given, "") if given else (model.id[:24], f"-{key[:8]}")
    ids: list[str] = []
    for place, problem in enumerate(problems):
        words = re.sub(r"[^a-z0-9]+", "-", f"{begin}-{'-'.join(problem.labels).casefold()}")[:53].strip("-")
        if len(problems) > 1 and (f"{words}{end}" in ids or words == begin):
            words = f"{words[:48].strip('-')}-{place}"
        ids.append(f"{words}{end}")
    return ids
