"""Carries a planned joint decomposition out: search all modules, write them, register them together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch

from modelfoundry.client import Client, DecompositionRecord, Environment, Module
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.evaluation import Run, evaluate_model
from modelfoundry.core.metrics import retention
from modelfoundry.core.modules import ModuleArtifact
from modelfoundry.decomposer.algorithms.gradsplitter import SplitModule, SplitResult, SplitTask, split
from modelfoundry.decomposer.decompose import forced_id, upload_artifact
from modelfoundry.decomposer.plan import settings_record
from modelfoundry.decomposer.split_plan import ALGORITHM, LABEL_GROUPS, SplitPlan
from modelfoundry.errors import AlreadyExists, DatasetMismatch, ModelFoundryError, NotFound
from modelfoundry.names import shortened
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.networks import LoadedModel, load_model
from modelfoundry.workbench.requests import derived_request_id
from modelfoundry.workbench.splits import load_split, training_parts


@dataclass(frozen=True, slots=True)
class _Draft:
    """A module that is complete and not registered yet."""

    module_id: str
    module: Module


@dataclass(frozen=True, slots=True)
class SearchedModules:
    """What a joint search gave."""

    base: LoadedModel
    artifacts: tuple[ModuleArtifact, ...]
    """In the order of the plan."""
    result: SplitResult
    samples: tuple[int, int]
    """Training and validation images."""
    ran_on: Environment


def decompose_all(plan: SplitPlan, operation: str, bench: Workbench) -> list[str]:
    """Searches the masks of all modules and registers them: all, or none.

    Args:
        plan: What to do.
        operation: Name of the job, for provenance and for registering each module at most once.
        bench: What it computes with.

    Returns:
        Names of the modules, in the order of the plan.
    """
    request = plan.request
    searched = search_modules(plan, bench)
    drafts = []
    for planned, artifact, found in zip(plan.modules, searched.artifacts, searched.result.modules, strict=True):
        bench.monitor.check_cancelled()
        module = Module(
            base_model=plan.model.name,
            problem=planned.problem,
            artifact=upload_artifact(bench.client, artifact),
            dataset=plan.dataset.name,
            record=_record(plan, operation, searched, found),
            retention=retention(searched.base.network, found.masks),
        )
        # An id that was given is kept; it is taken only when somebody else has it.
        made_up = request.force and not request.module_id
        drafts.append(_Draft(forced_id(planned.module_id, operation) if made_up else planned.module_id, module))
    return _register_all(bench.client, operation, drafts)


def search_modules(plan: SplitPlan, bench: Workbench) -> SearchedModules:
    """Searches the masks of all modules; registers nothing."""
    request = plan.request
    device = select_device(request.device)
    base = load_model(bench.client, bench.cache, plan.model)
    labels = plan.model.labels
    images = load_split(bench.client, bench.cache, plan.dataset, request.validation.source_split, labels, labels)
    train, validation = training_parts(images, request.validation, plan.subset)
    for part, what in ((train, "training"), (validation, "validation")):
        _check_every_label(part, labels, what)
    run = Run(base.input_spec, device, monitor=bench.monitor)
    base_accuracy = evaluate_model(base.network, validation, labels, run).accuracy
    task = SplitTask(
        network=base.network,
        plan=plan.channels,
        label_groups=tuple(module.labels for module in plan.modules),
        train=train,
        validation=validation,
        base_accuracy=base_accuracy,
        input_spec=base.input_spec,
        settings=request.settings,
    )
    result = split(task, seed=request.seed, device=device, monitor=bench.monitor, resume=bench.checkpoint)
    base.network.to("cpu")
    artifacts = tuple(
        ModuleArtifact(plan.model.weights.digest, planned.problem, found.masks, found.head, ALGORITHM)
        for planned, found in zip(plan.modules, result.modules, strict=True)
    )
    samples = (len(train), len(validation))
    return SearchedModules(base, artifacts, result, samples, environment(device))


def _check_every_label(part: ImageSet, labels: Sequence[str], what: str) -> None:
    counts = torch.bincount(part.labels, minlength=len(labels)).tolist()
    absent = [label for label, count in zip(labels, counts, strict=True) if not count]
    if absent:
        raise DatasetMismatch(
            f"dataset: no {what} image of {', '.join(repr(shortened(label)) for label in absent[:5])}",
            field="dataset",
            hint="use a data set with images of every label of the model",
        )


def _record(plan: SplitPlan, operation: str, searched: SearchedModules, found: SplitModule) -> DecompositionRecord:
    training_samples, validation_samples = searched.samples
    result = searched.result
    return DecompositionRecord(
        algorithm=ALGORITHM,
        settings={**settings_record(plan.request.settings), LABEL_GROUPS: plan.label_groups},
        seed=plan.request.seed,
        validation=plan.request.validation,
        dataset_digest=plan.dataset.digest,
        operation=operation,
        environment=searched.ran_on,
        validation_accuracy=result.validation_accuracy,
        validation_accuracy_base=result.base_validation_accuracy,
        validation_samples=validation_samples,
        chosen_epoch=result.chosen_epoch,
        epochs_run=result.epochs_run,
        fell_back=result.fell_back,
        cache_key=plan.cache_key,
        training_samples=training_samples,
        subset=plan.subset,
        empty_layers=found.channels.held,
    )


def _register_all(client: Client, operation: str, drafts: Sequence[_Draft]) -> list[str]:
    """Registers all modules, or none of them: what was made before one is refused is taken back.

    A job that was taken up again in the middle finds what it made before, by the ids of its requests; one that begins
    anew where another failed finds that one's modules, by their bytes.
    """
    names: list[str] = []
    made: list[Module] = []
    try:
        for draft in drafts:
            request_id = derived_request_id(operation, f"module/{draft.module_id}")
            try:
                made.append(client.modules.create(draft.module, module_id=draft.module_id, request_id=request_id))
                names.append(made[-1].name)
            except AlreadyExists:
                names.append(_equal_module(client, draft))
    except ModelFoundryError:
        for module in made:
            with suppress(NotFound):
                client.modules.delete(module)
        raise
    return names


def _equal_module(client: Client, draft: _Draft) -> str:
    """Name of the module that has a draft's id, when it is the same.

    Raises:
        AlreadyExists: it is another.
    """
    there = client.modules.get(draft.module_id)
    same = (there.artifact.digest, there.record.cache_key) == (
        draft.module.artifact.digest,
        draft.module.record.cache_key,
    )
    if not same:
        raise AlreadyExists(
            f"module_id: {there.name} is there already and is another module",
            field="module_id",
            hint="give another module_id, or delete the module",
        )
    return there.name
