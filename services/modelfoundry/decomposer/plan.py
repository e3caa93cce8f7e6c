"""What a decomposition will do, checked and complete before anything is computed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from modelfoundry.client import Dataset, Model, ValidationSplit
from modelfoundry.core.architectures import check_weights
from modelfoundry.decomposer.algorithms.gradsplitter import GradSplitterSettings
from modelfoundry.decomposer.algorithms.seam import SeamSettings
from modelfoundry.values.computing import TrainingSubset
from modelfoundry.values.problems import BinaryProblem, Problem, resolve
from modelfoundry.workbench.splits import check_dataset_fits, check_validation_split, recorded_subset, subset_facts

ALGORITHM: Final = "seam"
ALGORITHM_VERSION: Final = "1"
"""Changes when the same settings give other masks, so that older modules are not taken for equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecompositionRequest:
    """What the caller asked for, with every setting filled in."""

    parent: str
    model: str
    dataset: str
    problem: Problem
    settings: SeamSettings
    validation: ValidationSplit
    seed: int
    device: str
    module_id: str
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecompositionPlan:
    """A request that can be carried out, and the name of its result."""

    request: DecompositionRequest
    model: Model
    dataset: Dataset
    label_indices: tuple[int, ...]
    """Places of the problem's labels among the model's."""
    subset: TrainingSubset | None
    """The part of the training data to use: the one that the model was trained on."""
    cache_key: str
    module_id: str


def plan_decomposition(request: DecompositionRequest, model: Model, dataset: Dataset) -> DecompositionPlan:
    """Checks a request against the model and the data set, from metadata alone.

    Raises:
        UnknownLabel: the model lacks a label of the problem.
        InvalidField: the problem or the validation split is malformed.
        TestSplitSealed: validation data was asked from the test split.
        DatasetMismatch: the data set's images or labels do not fit.
        WeightsMismatch: the model's tensors do not fit its architecture.
        UnknownArchitecture: the installed libraries cannot build it.
    """
    label_indices = resolve(request.problem, model.labels, field="seam.problem")
    check_validation_split(request.validation, dataset)
    check_dataset_fits(dataset, model.input.shape, request.problem.labels)
    check_weights(model.architecture, len(model.labels), model.input, model.tensors)
    subset = recorded_subset(model, dataset, request.validation)
    cache_key = _cache_key(request, model, dataset, subset)
    return DecompositionPlan(
        request=request,
        model=model,
        dataset=dataset,
        label_indices=label_indices,
        subset=subset,
        cache_key=cache_key,
        module_id=request.module_id or _module_id(model, request.problem, cache_key),
    )


def settings_record(settings: SeamSettings | GradSplitterSettings) -> Mapping[str, object]:
    """The settings as JSON types, for cards and for comparing."""
    record: Mapping[str, object] = json.loads(json.dumps(asdict(settings)))
    return record


def _cache_key(request: DecompositionRequest, model: Model, dataset: Dataset, subset: TrainingSubset | None) -> str:
    """SHA-256 over everything that the masks depend on, except the machine."""
    facts: dict[str, object] = {
        "algorithm": f"{ALGORITHM}/{ALGORITHM_VERSION}",
        "architecture": [model.architecture.builder, dict(model.architecture.parameters)],
        "input": asdict(model.input),
        "labels": model.labels,
        "weights": model.weights.digest,
        "dataset": dataset.digest,
        "problem": [type(request.problem).__name__, request.problem.labels],
        "settings": settings_record(request.settings),
        "validation": asdict(request.validation),
        "seed": request.seed,
        "device": request.device,
        "parent": request.parent,
        "module_id": request.module_id,
    }
    if subset is not None:
        facts["subset"] = subset_facts(subset)
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _module_id(model: Model, problem: Problem, cache_key: str) -> str:
    """A readable id: model, label and the beginning of the cache key, at most 63 characters."""
    what = problem.label if isinstance(problem, BinaryProblem) else "-".join(problem.labels)
    words = re.sub(r"[^a-z0-9]+", "-", f"{model.id[:24]}-{what.casefold()}")
    return f"{words[:53].strip('-')}-{cache_key[:8]}"
