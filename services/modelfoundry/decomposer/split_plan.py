"""What a joint decomposition will do (GradSplitter), checked and complete before anything is computed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Final

from modelfoundry.client import Dataset, Model, ValidationSplit
from modelfoundry.core.architectures import build_network, check_weights
from modelfoundry.core.channels import ChannelPlan, plan_channels
from modelfoundry.decomposer.algorithms.gradsplitter import GradSplitterSettings
from modelfoundry.decomposer.plan import settings_record
from modelfoundry.errors import DatasetMismatch, InvalidField, UnsupportedModel
from modelfoundry.names import shortened
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.computing import TrainingSubset
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem, Problem, resolve, resolve_labels
from modelfoundry.workbench.splits import (
    check_dataset_fits,
    check_validation_split,
    find_split,
    recorded_subset,
    subset_facts,
)

ALGORITHM: Final = "gradsplitter"
ALGORITHM_VERSION: Final = "1"
"""Changes when the same settings give other masks, so that older modules are not taken for equal."""
LABEL_GROUPS: Final = "label_groups"
"""Key of the record's settings that says the labels of every module, in order: a search finds all modules together."""
MOST_CHARACTERS_OF_A_PREFIX: Final = 40
_FIELD: Final = "gradsplitter.label_groups"


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequest:
    """What the caller asked for, with every setting filled in."""

    parent: str
    model: str
    dataset: str
    label_groups: tuple[tuple[str, ...], ...]
    settings: GradSplitterSettings
    validation: ValidationSplit
    seed: int
    device: str
    module_id: str
    force: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedModule:
    """One of the modules."""

    problem: Problem
    labels: tuple[int, ...]
    """Places of the problem's labels among the model's."""
    module_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """A request that can be carried out, and the names of its results."""

    request: SplitRequest
    model: Model
    dataset: Dataset
    modules: tuple[PlannedModule, ...]
    """In the order of the model's labels."""
    channels: ChannelPlan
    subset: TrainingSubset | None
    """The part of the training data to use: the one that the model was trained on."""
    cache_key: str

    @property
    def label_groups(self) -> list[list[str]]:
        """Labels of every module, in order: asking for these gives the same modules."""
        return [list(module.problem.labels) for module in self.modules]


def plan_split(request: SplitRequest, model: Model, dataset: Dataset) -> SplitPlan:
    """Checks a request against the model and the data set, from metadata and the model's structure alone.

    Raises:
        UnknownLabel: the model lacks a label of a group.
        InvalidField: groups, module id or validation split are malformed.
        TestSplitSealed: validation data was asked from the test split.
        DatasetMismatch: the data set's images or labels do not fit, or a label has too few images.
        WeightsMismatch: the model's tensors do not fit its architecture.
        UnknownArchitecture: the installed libraries cannot build it.
        UnsupportedModel: no kernel of it can be cut out; layer and reason are named.
    """
    problems = _problems(request.label_groups, model.labels)
    if len(request.module_id) > MOST_CHARACTERS_OF_A_PREFIX:
        raise InvalidField(
            f"module_id: {shortened(request.module_id)!r} is too long to begin several ids with",
            field="module_id",
            hint=f"give at most {MOST_CHARACTERS_OF_A_PREFIX} characters; the labels follow",
        )
    check_validation_split(request.validation, dataset)
    check_dataset_fits(dataset, model.input.shape, model.labels)
    _check_label_counts(request.validation, model, dataset)
    check_weights(model.architecture, len(model.labels), model.input, model.tensors)
    parameters = json.dumps(dict(model.architecture.parameters), sort_keys=True)
    channels = _channels(model.architecture.builder, parameters, len(model.labels), model.input)
    subset = recorded_subset(model, dataset, request.validation)
    cache_key = _cache_key(request, problems, model, dataset, subset)
    ids = _module_ids(request.module_id, model, problems, cache_key)
    return SplitPlan(
        request=request,
        model=model,
        dataset=dataset,
        modules=tuple(
            PlannedModule(problem=problem, labels=resolve(problem, model.labels), module_id=module_id)
            for problem, module_id in zip(problems, ids, strict=True)
        ),
        channels=channels,
        subset=subset,
        cache_key=cache_key,
    )


def _problems(groups: Sequence[Sequence[str]], labels: Sequence[str]) -> tuple[Problem, ...]:
    """One problem a module: the groups, and every other label by itself, each where its first label stands."""
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for number, group in enumerate(groups):
        path = f"{_FIELD}[{number}].labels"
        resolve_labels(group, labels, field=path, least=1)
        for position, label in enumerate(group):
            if label in places:
                raise InvalidField(
                    f"{path}[{position}]: {shortened(label)!r} is {places[label]} already",
                    field=f"{path}[{position}]",
                    hint="put every label into one group at most",
                )
            places[label] = f"{path}[{position}]"
        problems.append(BinaryProblem(group[0]) if len(group) == 1 else OpenSetProblem(tuple(group)))
    problems += [BinaryProblem(label) for label in labels if label not in places]
    return tuple(sorted(problems, key=lambda problem: min(resolve(problem, labels))))


def _check_label_counts(validation: ValidationSplit, model: Model, dataset: Dataset) -> None:
    part = find_split(dataset, validation.source_split, field="validation.source_split")
    counts = dict(zip(dataset.labels, part.label_counts, strict=False))
    for label in model.labels:
        if counts.get(label, 2) < 2:
            raise DatasetMismatch(
                f"dataset: {dataset.name} has {counts[label]} images of {shortened(label)!r} in "
                f"{validation.source_split}, one for training and one for validation are the least",
                field="dataset",
                hint="use a data set with images of every label of the model",
            )


@lru_cache(maxsize=64)
def _channels(builder: str, parameters: str, labels: int, input_spec: InputSpec) -> ChannelPlan:
    """The channels of an architecture, of which some kernels can be cut out; they depend on the structure alone."""
    network = build_network(Architecture(builder, json.loads(parameters)), labels, input_spec)
    hint = "decompose it with SeaM, which needs no kernels to cut out"
    try:
        plan = plan_channels(network, input_spec)
    except UnsupportedModel as error:
        raise UnsupportedModel(
            f"model: {error.message}", field="model", hint=error.hint or hint, metadata=error.metadata
        ) from error
    if not plan.kernel_groups:
        first = plan.whole[0]
        raise UnsupportedModel(
            f"model: layer {first.layer} cannot be cut: {first.reason}",
            field="model",
            hint=hint,
            metadata={"layer": first.layer},
        )
    return plan


def _cache_key(
    request: SplitRequest,
    problems: Sequence[Problem],
    model: Model,
    dataset: Dataset,
    subset: TrainingSubset | None,
) -> str:
    """SHA-256 over everything that the masks depend on, except the machine."""
    facts = {
        "algorithm": f"{ALGORITHM}/{ALGORITHM_VERSION}",
        "architecture": [model.architecture.builder, dict(model.architecture.parameters)],
        "input": asdict(model.input),
        "labels": model.labels,
        "weights": model.weights.digest,
        "dataset": dataset.digest,
        "groups": [problem.labels for problem in problems],
        "settings": settings_record(request.settings),
        "validation": asdict(request.validation),
        "subset": None if subset is None else subset_facts(subset),
        "seed": request.seed,
        "device": request.device,
        "parent": request.parent,
        "module_id": request.module_id,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _module_ids(prefix: str, model: Model, problems: Sequence[Problem], cache_key: str) -> list[str]:
    """Readable ids, all different: model (or prefix), labels and the beginning of the cache key; at most 63 long."""
    begin, end = (prefix, "") if prefix else (model.id[:24], f"-{cache_key[:8]}")
    ids: list[str] = []
    for place, problem in enumerate(problems):
        words = re.sub(r"[^a-z0-9]+", "-", f"{begin}-{'-'.join(problem.labels).casefold()}")[:53].strip("-")
        if f"{words}{end}" in ids or words == begin:
            words = f"{words[:48].strip('-')}-{place}"
        ids.append(f"{words}{end}")
    return ids
