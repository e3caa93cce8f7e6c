"""What repeating a decomposition will do, from the record of its module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelfoundry.client import Dataset, Model, Module
from modelfoundry.decomposer.algorithms import find_algorithm
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.problems import LabelGroups, Wanted
from modelfoundry.decomposer.algorithms.settings import Settings, settings_of
from modelfoundry.decomposer.plan import DecompositionPlan, DecompositionRequest, plan_decomposition
from modelfoundry.errors import DatasetMismatch, UnsupportedModel, WeightsMismatch
from modelfoundry.names import parse_name, shortened
from modelfoundry.values.kinds import Kind
from modelfoundry.values.resources import JOINT_SETTING


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """A decomposition that can be repeated, and which of its modules is meant."""

    search: DecompositionPlan
    place: int
    """Of the module among those of the search."""
    threads: int
    """That were computed with; 0 when the record does not say."""


def plan_rebuild(module: Module, model: Model, dataset: Dataset) -> RebuildPlan:
    """Checks that a module's record says everything, and that its materials are what they were.

    Raises:
        UnsupportedModel: the record does not say enough for this version to repeat it.
        WeightsMismatch, DatasetMismatch: base model or data set have other bytes than the record says.
        InvalidField, UnknownLabel, TestSplitSealed, UnknownArchitecture: the record says something impossible.
    """
    if model.weights.digest != module.base_digest:
        raise WeightsMismatch(
            f"{model.name} has weights {model.weights.digest}, the module was made from {module.base_digest}",
            field="module",
            hint="the module cannot be repeated without the model that it was made from",
        )
    if dataset.digest != module.record.dataset_digest:
        raise DatasetMismatch(
            f"{dataset.name} is {dataset.digest}, the module was made from {module.record.dataset_digest}",
            field="module",
            hint="the module cannot be repeated without the data that it was made from",
        )
    plan = plan_decomposition(_request(module), model, dataset)
    if module.record.subset != plan.subset:
        raise _unsupported("its part of the training data is not the one that its base model was trained on")
    return RebuildPlan(plan, _place(plan, module), module.record.environment.threads)


def _request(module: Module) -> DecompositionRequest:
    """The request that a module's record answers."""
    record = module.record
    algorithm = find_algorithm(record.algorithm)
    if algorithm is None:
        raise _unsupported(f"it was made by {shortened(record.algorithm)!r}, which this version does not know")
    settings = dict(record.settings)
    wanted: Wanted = module.problem
    if algorithm.joint:
        groups = settings.pop(JOINT_SETTING, None)
        if not groups:
            raise _unsupported("it was made before the label groups of a joint search were recorded")
        wanted = LabelGroups(tuple(tuple(group) for group in groups))
    return DecompositionRequest(
        parent=parse_name(module.name, Kind.MODULE, field="module").parent,
        model=module.base_model,
        dataset=module.dataset,
        algorithm=algorithm,
        wanted=wanted,
        settings=_settings(algorithm, settings),
        validation=record.validation,
        calibration_split=record.calibration_split,
        seed=record.seed,
        device="cuda" if record.environment.device.startswith("cuda") else "cpu",
        module_id="",
        force=True,
    )


def _settings(algorithm: Algorithm[Settings], recorded: Mapping[str, Any]) -> Settings:
    """The settings of a record, whose numbers came through JSON."""
    recipe = str(recorded.get("recipe", ""))
    if recipe not in algorithm.recipes:
        raise _unsupported(f"its recipe {shortened(recipe)!r} is none that this version knows")
    kind = type(algorithm.recipes[recipe].settings)
    known = tuple(settings_of(kind))
    types: dict[str, Any] = {"recipe": str, **{one.name: one.type for one in known}}
    recorded = {**{one.name: one.earlier for one in known if one.earlier is not None}, **recorded}
    unknown = recorded.keys() - types.keys()
    missing = types.keys() - recorded.keys()
    if unknown or missing:
        what = f"names {shortened(min(unknown))!r}" if unknown else f"does not name {min(missing)}"
        raise _unsupported(f"its record {what} among the settings")
    return kind(**{name: float(value) if types[name] is float else value for name, value in recorded.items()})


def _place(plan: DecompositionPlan, module: Module) -> int:
    problem = module.problem
    if problem not in plan.problems:
        raise _unsupported("its labels are no group of its record")
    return plan.problems.index(problem)


def _unsupported(why: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"the module cannot be repeated: {why}",
        field="module",
        hint="decompose its base model again to have a module whose record says everything",
    )
