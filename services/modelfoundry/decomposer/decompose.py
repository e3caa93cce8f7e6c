"""Carries a planned decomposition out: search the modules, write them, register them together."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import torch

from modelfoundry.client import BlobRef, Client, DecompositionRecord, Environment, Module
from modelfoundry.core.checkpoints import fingerprint
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.evaluation import Run, base_accuracy, pose, split_logits
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.metrics import retention
from modelfoundry.core.modules import (
    ModuleArtifact,
    RewrittenTensors,
    kept_of_base,
    materialise,
    write_module,
)
from modelfoundry.core.shelf import NoShelf, Shelf
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.decomposer.plan import DecompositionPlan
from modelfoundry.decomposer.samples import few_validation_samples, problem_name
from modelfoundry.errors import AlreadyExists, ModelFoundryError, NonFiniteOutputs, NotFound
from modelfoundry.values.resources import JointValidation
from modelfoundry.workbench.jobs import Workbench, derived_request_id
from modelfoundry.workbench.networks import LoadedModel, load_model
from modelfoundry.workbench.shelf import CacheShelf
from modelfoundry.workbench.splits import load_split, subset_facts, training_parts

_TRIED: Final = 16
"""Images that base and modules are tried on."""
MODULE_MEDIA_TYPE = "application/vnd.modelfoundry.module"


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search gave."""

    base: LoadedModel
    artifacts: tuple[ModuleArtifact, ...]
    """In the order of the plan."""
    result: SearchResult[FoundModule]
    ran_on: Environment
    figures: tuple[ValidationFigures, ...]
    """Of each module on its own problem, in the order of the plan."""


@dataclass(frozen=True, slots=True)
class ValidationFigures:
    """A module on the validation images of its own problem."""

    accuracy: float
    accuracy_base: float
    """Of the base, all of its labels competing."""
    samples: int


@dataclass(frozen=True, slots=True)
class _Draft:
    """A module that is complete and not registered yet."""

    module_id: str
    module: Module


def decompose(plan: DecompositionPlan, operation: str, bench: Workbench) -> list[str]:
    """Searches the modules of a plan and registers them: all, or none.

    Args:
        plan: What to do.
        operation: Name of the job, for provenance and for registering each module at most once.
        bench: What it computes with.

    Returns:
        Names of the modules, in the order of the plan.
    """
    searched = search_modules(plan, bench, CacheShelf(bench.cache, _materials(plan)))
    drafts = []
    # An id that was given is kept; it is taken only when somebody else has it.
    made_up = plan.request.force and not plan.request.module_id
    each = zip(plan.modules, searched.artifacts, searched.result.modules, searched.figures, strict=True)
    for planned, artifact, found, figures in each:
        bench.monitor.check_cancelled()
        kept = kept_of_base(searched.base.network, artifact)
        module = Module(
            base_model=plan.model.name,
            problem=planned.problem,
            artifact=_upload(bench.client, artifact),
            dataset=plan.dataset.name,
            record=_record(plan, operation, searched, found, figures),
            retention=retention(searched.base.network, kept.masks, kept.rewritten),
        )
        drafts.append(_Draft(_forced_id(planned.module_id, operation) if made_up else planned.module_id, module))
    registered = _register_all(bench.client, operation, drafts)
    for draft in drafts:
        for doubt in draft.module.doubts:
            bench.monitor.warn(f"{problem_name(draft.module.problem)}: {doubt.text}")
    return registered


def search_modules(plan: DecompositionPlan, bench: Workbench, shelf: Shelf | None = None) -> Searched:
    """Searches the modules of a plan; registers nothing.

    Args:
        plan: What to do.
        bench: What it computes with.
        shelf: Where searches on the same materials share what they make; None: nowhere.
    """
    request = plan.request
    device = select_device(request.device)
    base = load_model(bench.client, bench.cache, plan.model)
    train, validation = _images(plan, bench)
    for remark in few_validation_samples(plan.problems, plan.model.labels, validation):
        bench.monitor.warn(remark)
    # Before hours of work: what gives no numbers can teach nothing.
    predict_logits(base.network, train.images[:_TRIED], base.input_spec, batch_size=_TRIED, device=device)
    task = SearchTask(
        network=base.network,
        architecture=plan.model.architecture,
        labels=plan.model.labels,
        problems=plan.problems,
        train=train,
        validation=validation,
        input_spec=base.input_spec,
        settings=request.settings,
        seed=request.seed,
        device=device,
        monitor=bench.monitor,
        resume=bench.checkpoint,
        shelf=shelf or NoShelf(),
    )
    result = request.algorithm.search(task)
    for found in result.modules:
        _check_finite(found)
    for note in result.notes:
        bench.monitor.say(note)
    base.network.to("cpu")
    artifacts = tuple(
        ModuleArtifact(
            base_digest=plan.model.weights.digest,
            problem=problem,
            masks=found.masks,
            head=found.head,
            algorithm=request.algorithm.name,
            rewritten=RewrittenTensors(found.rewritten),
            cuts=found.cuts,
            operations=found.operations,
        )
        for problem, found in zip(plan.problems, result.modules, strict=True)
    )
    figures = tuple(_figures(plan, base, artifact, validation, result) for artifact in artifacts)
    return Searched(base, artifacts, result, _ran_on(device, result), figures)


def _check_finite(found: FoundModule) -> None:
    """Checks that what a search came to are numbers.

    Raises:
        NonFiniteOutputs: it has diverged.
    """
    if not all(bool(value.isfinite().all()) for value in (*found.head.tensors.values(), *found.rewritten.values())):
        raise NonFiniteOutputs(
            "the search has diverged: what it found holds NaN or infinity", hint="smaller learning rates may help"
        )


def _figures(
    plan: DecompositionPlan,
    base: LoadedModel,
    artifact: ModuleArtifact,
    validation: ImageSet,
    result: SearchResult[FoundModule],
) -> ValidationFigures:
    """What a module does on its own problem, whatever its search was judged by; it is tried in any case.

    Raises:
        NonFiniteOutputs: it gives NaN or infinity.
    """
    run = Run(base.input_spec, torch.device("cpu"))
    module = materialise(base.network, artifact)
    if not plan.request.algorithm.joint:
        split_logits(module, validation.images[:_TRIED], run)
        return ValidationFigures(result.validation_accuracy, result.base_validation_accuracy, result.samples[1])
    posed = pose(validation, artifact.problem, plan.model.labels)
    right = split_logits(module, posed.images, run).argmax(dim=1) == posed.labels
    known = base_accuracy(base.network, posed, artifact.problem, plan.model.labels, run)
    return ValidationFigures(int(right.sum()) / len(posed), known, len(posed))


def _images(plan: DecompositionPlan, bench: Workbench) -> tuple[ImageSet, ImageSet]:
    """Training and validation images. The cut stays out of training where another split is validation data too:
    modules share it with what is composed of them.
    """
    request = plan.request

    def images(split: str) -> ImageSet:
        return load_split(bench.client, bench.cache, plan.dataset, split, plan.model.labels, plan.labels)

    train, cut = training_parts(images(request.validation.source_split), request.validation, plan.subset)
    return train, images(request.calibration_split) if request.calibration_split else cut


def _ran_on(device: torch.device, result: SearchResult[FoundModule]) -> Environment:
    """What a search ran on; without a number of threads when it began with another one, so that none is promised."""
    whole = environment(device)
    return replace(whole, threads=0) if result.threads_changed else whole


def _materials(plan: DecompositionPlan) -> str:
    """A fingerprint of a search's model and training images, whatever it searches in them."""
    model, subset = plan.model, plan.subset
    return fingerprint(
        architecture=[model.architecture.builder, dict(model.architecture.parameters)],
        weights=model.weights.digest,
        input=asdict(model.input),
        labels=model.labels,
        dataset=plan.dataset.digest,
        validation=asdict(plan.request.validation),
        subset=None if subset is None else subset_facts(subset),
    )


def _record(
    plan: DecompositionPlan, operation: str, searched: Searched, found: FoundModule, figures: ValidationFigures
) -> DecompositionRecord:
    result = searched.result
    training_samples, validation_samples = result.samples
    joint = JointValidation(
        accuracy=result.validation_accuracy,
        accuracy_base=result.base_validation_accuracy,
        samples=validation_samples,
    )
    return DecompositionRecord(
        algorithm=plan.request.algorithm.name,
        settings={**plan.recorded_settings, **result.settled},
        seed=plan.request.seed,
        validation=plan.request.validation,
        calibration_split=plan.request.calibration_split,
        dataset_digest=plan.dataset.digest,
        operation=operation,
        environment=searched.ran_on,
        validation_accuracy=figures.accuracy,
        validation_accuracy_base=figures.accuracy_base,
        validation_samples=figures.samples,
        joint=joint if plan.request.algorithm.joint else None,
        chosen_epoch=result.chosen_epoch,
        epochs_run=result.epochs_run,
        fell_back=result.fell_back,
        cache_key=plan.cache_key,
        training_samples=training_samples,
        subset=plan.subset,
        empty_layers=found.empty_layers,
        frontier=result.frontier,
    )


def _upload(client: Client, artifact: ModuleArtifact) -> BlobRef:
    """Writes a module file and uploads it."""
    with tempfile.TemporaryDirectory(prefix="modelfoundry-module-") as folder:
        path = Path(folder) / "module.safetensors"
        write_module(path, artifact)
        return BlobRef(client.blobs.upload(path, media_type=MODULE_MEDIA_TYPE).digest)


def _forced_id(module_id: str, operation: str) -> str:
    """The id of a module that was searched again and stands beside the one that was there.

    It follows from the job: a job that was taken up again after registering finds its module, and makes no other.
    """
    return f"{module_id[:56].strip('-')}-{operation.rpartition('/')[2][-6:]}"


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
