"""What repeating a decomposition will do, from the record of its module."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from modelfoundry.client import Dataset, Model, Module
from modelfoundry.decomposer import plan as seam
from modelfoundry.decomposer import split_plan as gradsplitter
from modelfoundry.decomposer.algorithms.gradsplitter import GradSplitterSettings
from modelfoundry.decomposer.algorithms.seam import SeamSettings
from modelfoundry.decomposer.plan import DecompositionPlan, DecompositionRequest, plan_decomposition
from modelfoundry.decomposer.split_plan import LABEL_GROUPS, SplitPlan, SplitRequest, plan_split
from modelfoundry.errors import DatasetMismatch, UnsupportedModel, WeightsMismatch
from modelfoundry.names import parse_name, shortened

Settings = TypeVar("Settings", SeamSettings, GradSplitterSettings)


@dataclass(frozen=True, slots=True)
class RebuildPlan:
    """A decomposition that can be repeated, and which of its modules is meant."""

    search: DecompositionPlan | SplitPlan
    place: int
    """Of the module among those of a joint search."""
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
    if module.record.algorithm == seam.ALGORITHM:
        plan: DecompositionPlan | SplitPlan = plan_decomposition(_seam_request(module), model, dataset)
        place = 0
    elif module.record.algorithm == gradsplitter.ALGORITHM:
        plan = plan_split(_split_request(module), model, dataset)
        place = _place(plan, module)
    else:
        raise _unsupported(f"it was made by {shortened(module.record.algorithm)!r}, which this version does not know")
    if module.record.subset != plan.subset:
        raise _unsupported("its part of the training data is not the one that its base model was trained on")
    return RebuildPlan(plan, place, module.record.environment.threads)


def _seam_request(module: Module) -> DecompositionRequest:
    return DecompositionRequest(
        problem=module.problem,
        settings=_settings(SeamSettings, module.record.settings),
        **_same(module),
    )


def _split_request(module: Module) -> SplitRequest:
    groups = module.record.settings.get(LABEL_GROUPS)
    if not groups:
        raise _unsupported("it was made before the label groups of a joint search were recorded")
    settings = {key: value for key, value in module.record.settings.items() if key != LABEL_GROUPS}
    return SplitRequest(
        label_groups=tuple(tuple(group) for group in groups),
        settings=_settings(GradSplitterSettings, settings),
        **_same(module),
    )


def _same(module: Module) -> dict[str, Any]:
    """What requests of both algorithms have."""
    return {
        "parent": parse_name(module.name, "modules", field="module").parent,
        "model": module.base_model,
        "dataset": module.dataset,
        "validation": module.record.validation,
        "seed": module.record.seed,
        "device": "cuda" if module.record.environment.device.startswith("cuda") else "cpu",
        "module_id": "",
        "force": True,
    }


def _settings(kind: type[Settings], recorded: Mapping[str, Any]) -> Settings:
    """The settings of a record, whose numbers came through JSON."""
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    unknown = recorded.keys() - types.keys()
    missing = types.keys() - recorded.keys()
    if unknown or missing:
        what = f"names {shortened(min(unknown))!r}" if unknown else f"does not name {min(missing)}"
        raise _unsupported(f"its record {what} among the settings")
    values: dict[str, Any] = {
        name: float(value) if types[name] == "float" else value for name, value in recorded.items()
    }
    return kind(**values)


def _place(plan: SplitPlan, module: Module) -> int:
    problem = module.problem
    for place, planned in enumerate(plan.modules):
        if planned.problem == problem:
            return place
    raise _unsupported("its labels are no group of its record")


def _unsupported(why: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"the module cannot be repeated: {why}",
        field="module",
        hint="decompose its base model again to have a module whose record says everything",
    )
