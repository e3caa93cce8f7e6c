"""Carries a planned decomposition out: search masks, write the module, register it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from modelfoundry.client import BlobRef, Client, DecompositionRecord, Environment, Module
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.evaluation import Run, baselines, pose
from modelfoundry.core.metrics import retention
from modelfoundry.core.modules import ModuleArtifact, write_module
from modelfoundry.decomposer.algorithms.seam import SearchResult, search
from modelfoundry.decomposer.plan import ALGORITHM, DecompositionPlan, settings_record
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.networks import LoadedModel, load_model
from modelfoundry.workbench.requests import derived_request_id
from modelfoundry.workbench.splits import load_split, training_parts

MODULE_MEDIA_TYPE = "application/vnd.modelfoundry.module"


@dataclass(frozen=True, slots=True)
class SearchedModule:
    """What a search gave."""

    base: LoadedModel
    artifact: ModuleArtifact
    result: SearchResult
    samples: tuple[int, int]
    """Training and validation images of the problem."""
    ran_on: Environment


def decompose(plan: DecompositionPlan, operation: str, bench: Workbench) -> str:
    """Searches the masks of one module and registers it.

    Args:
        plan: What to do.
        operation: Name of the job, for provenance and for registering at most once.
        bench: What it computes with.

    Returns:
        Name of the module.
    """
    searched = search_module(plan, bench)
    bench.monitor.check_cancelled()
    return _register(plan, operation, bench.client, searched)


def search_module(plan: DecompositionPlan, bench: Workbench) -> SearchedModule:
    """Searches the masks of one module; registers nothing."""
    request = plan.request
    device = select_device(request.device)
    base = load_model(bench.client, bench.cache, plan.model)
    train, validation = _posed_splits(plan, bench.client, bench.cache)
    run = Run(base.input_spec, device, monitor=bench.monitor)
    base_accuracy = baselines(base.network.to(device), validation, request.problem, plan.model.labels, run).all_outputs
    result = search(
        base.network,
        len(request.problem.outputs),
        train,
        validation,
        base_accuracy.accuracy,
        base.input_spec,
        request.settings,
        seed=request.seed,
        device=device,
        monitor=bench.monitor,
        resume=bench.checkpoint,
    )
    artifact = ModuleArtifact(
        base_digest=plan.model.weights.digest,
        problem=request.problem,
        masks=result.masks,
        head=result.head,
        algorithm=ALGORITHM,
    )
    samples = (len(train), len(validation))
    return SearchedModule(base, artifact, result, samples, environment(device))


def _posed_splits(plan: DecompositionPlan, client: Client, cache: BlobCache) -> tuple[ImageSet, ImageSet]:
    """Training and validation images of the problem, both cut from the same split of the data set."""
    request = plan.request
    images = load_split(
        client, cache, plan.dataset, request.validation.source_split, plan.model.labels, request.problem.labels
    )
    train, validation = training_parts(images, request.validation, plan.subset)
    return (
        pose(train, request.problem, plan.model.labels),
        pose(validation, request.problem, plan.model.labels),
    )


def _record(plan: DecompositionPlan, operation: str, searched: SearchedModule) -> DecompositionRecord:
    training_samples, validation_samples = searched.samples
    result = searched.result
    return DecompositionRecord(
        algorithm=ALGORITHM,
        settings=settings_record(plan.request.settings),
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
    )


def _register(plan: DecompositionPlan, operation: str, client: Client, searched: SearchedModule) -> str:
    module = Module(
        base_model=plan.model.name,
        problem=plan.request.problem,
        artifact=upload_artifact(client, searched.artifact),
        dataset=plan.dataset.name,
        record=_record(plan, operation, searched),
        retention=retention(searched.base.network, searched.artifact.masks),
    )
    made_up = plan.request.force and not plan.request.module_id
    # The id follows from the job: a job that was taken up again after this line finds its module, and makes no other.
    return client.modules.create(
        module,
        module_id=forced_id(plan.module_id, operation) if made_up else plan.module_id,
        request_id=derived_request_id(operation, "module"),
    ).name


def upload_artifact(client: Client, artifact: ModuleArtifact) -> BlobRef:
    """Writes a module file and uploads it."""
    with tempfile.TemporaryDirectory(prefix="modelfoundry-module-") as folder:
        path = Path(folder) / "module.safetensors"
        write_module(path, artifact)
        return BlobRef(client.blobs.upload(path, media_type=MODULE_MEDIA_TYPE).digest)


def forced_id(module_id: str, operation: str) -> str:
    """The id of a module that was searched again and stands beside the one that was there."""
    return f"{module_id[:56].strip('-')}-{operation.rpartition('/')[2][-6:]}"
