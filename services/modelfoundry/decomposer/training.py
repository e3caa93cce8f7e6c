"""Trains a network on a registered data set and registers it, for those who have no model yet."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch
import torch

from modelfoundry.client import BlobRef, Dataset, Model, TrainingRecord, ValidationSplit
from modelfoundry.core.datasets import (
    ImageSet,
    channel_statistics,
    read_split,
    subset_counts,
    validation_count,
)
from modelfoundry.core.devices import environment, seeded, select_device
from modelfoundry.core.networks import build_network, check_architecture
from modelfoundry.core.training import ResolvedRecipe, TrainingResult, train
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.workbench.jobs import Workbench, derived_request_id
from modelfoundry.workbench.splits import check_validation_split, find_split, training_parts

WEIGHTS_MEDIA_TYPE = "application/vnd.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """What the caller asked for, with every setting filled in."""

    parent: str
    architecture: Architecture
    dataset: str
    recipe: ResolvedRecipe
    validation: ValidationSplit
    seed: int
    device: str
    model_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """A request that can be carried out."""

    request: TrainingRequest
    dataset: Dataset


def plan_training(request: TrainingRequest, dataset: Dataset) -> TrainingPlan:
    """Checks a request from metadata alone.

    Raises:
        UnknownArchitecture, InvalidField: it cannot be built, or does not take images of this size.
        TestSplitSealed, InvalidField: the validation split, or a subset that cannot be drawn.
    """
    check_validation_split(request.validation, dataset)
    input_spec = InputSpec(dataset.channels, dataset.height, dataset.width)
    check_architecture(request.architecture, len(dataset.labels), input_spec)
    if request.recipe.subset is not None:
        part = find_split(dataset, request.validation.source_split, field="validation.source_split")
        left = [count - validation_count(count, request.validation.fraction) for count in part.label_counts]
        subset_counts(left, request.recipe.subset)
    return TrainingPlan(request=request, dataset=dataset)


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """Name of a registered model and its accuracy on the validation samples."""

    name: str
    validation_accuracy: float


def train_model(plan: TrainingPlan, operation: str, bench: Workbench) -> TrainedModel:
    """Trains, keeps the epoch with the best validation accuracy, and registers it.

    Args:
        plan: What to do.
        operation: Name of the job, for provenance and for registering at most once.
        bench: What it computes with.
    """
    request = plan.request
    device = select_device(request.device)
    part = find_split(plan.dataset, request.validation.source_split, field="validation.source_split")
    images = read_split(bench.cache.fetch(bench.client, part.content.digest))
    training, validation = training_parts(images, request.validation, request.recipe.subset)
    input_spec = _input_spec(plan, images, training)
    with seeded(request.seed, device):
        network = build_network(request.architecture, len(plan.dataset.labels), input_spec)
    result = train(
        network,
        training,
        validation,
        input_spec,
        request.recipe.settings,
        seed=request.seed,
        device=device,
        monitor=bench.monitor,
        resume=bench.checkpoint,
    )
    bench.monitor.check_cancelled()
    record = _record(plan, training, len(validation), result, device)
    return TrainedModel(_register(plan, operation, bench, input_spec, result, record), result.validation_accuracy)


def _input_spec(plan: TrainingPlan, images: ImageSet, training: ImageSet) -> InputSpec:
    """Normalises by all that the validation cut left: models of one data set have the same preprocessing."""
    if plan.request.recipe.subset is not None:
        training, _ = training_parts(images, plan.request.validation, None)
    mean, std = channel_statistics(training.images)
    return InputSpec(plan.dataset.channels, plan.dataset.height, plan.dataset.width, mean, std)


def _record(
    plan: TrainingPlan, training: ImageSet, validation_samples: int, result: TrainingResult, device: torch.device
) -> TrainingRecord:
    request = plan.request
    settings: Mapping[str, object] = json.loads(json.dumps(asdict(request.recipe.settings), allow_nan=False))
    return TrainingRecord(
        recipe=request.recipe.name,
        settings=settings,
        seed=request.seed,
        validation=request.validation,
        subset=request.recipe.subset,
        dataset_digest=plan.dataset.digest,
        label_counts=tuple(torch.bincount(training.labels, minlength=len(plan.dataset.labels)).tolist()),
        validation_accuracy=result.validation_accuracy,
        validation_samples=validation_samples,
        chosen_epoch=result.chosen_epoch,
        epochs_run=result.epochs_run,
        environment=environment(device),
    )


def _register(
    plan: TrainingPlan,
    operation: str,
    bench: Workbench,
    input_spec: InputSpec,
    result: TrainingResult,
    record: TrainingRecord,
) -> str:
    with tempfile.TemporaryDirectory(prefix="modelfoundry-model-") as folder:
        path = Path(folder) / "model.safetensors"
        safetensors.torch.save_file(dict(result.state), path)
        blob = bench.client.blobs.upload(path, media_type=WEIGHTS_MEDIA_TYPE)
    model = Model(
        architecture=plan.request.architecture,
        input=input_spec,
        labels=plan.dataset.labels,
        weights=BlobRef(blob.digest),
        training_dataset=plan.dataset.name,
        operation=operation,
        training=record,
        description=_description(plan, record),
    )
    return bench.client.models.create(
        model, model_id=_model_id(plan, operation), request_id=derived_request_id(operation, "model")
    ).name


def _description(plan: TrainingPlan, record: TrainingRecord) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in asdict(plan.request.recipe.settings).items())
    subset = plan.request.recipe.subset
    part = (
        ""
        if subset is None
        else (
            f"an imbalanced part of (Dirichlet, concentration {subset.concentration:g}, seed {subset.seed}: "
            f"{sum(record.label_counts)} images, {min(record.label_counts)} to {max(record.label_counts)} of a label) "
        )
    )
    return (
        f"Trained on {part}{plan.dataset.name} with recipe {record.recipe} and seed {record.seed} ({settings}). "
        f"Epoch {record.chosen_epoch} of {record.epochs_run} was kept: validation accuracy "
        f"{record.validation_accuracy:.4f}."
    )


def _model_id(plan: TrainingPlan, operation: str) -> str:
    """The id asked for, or architecture and data set with the beginning of the job's id."""
    if plan.request.model_id:
        return plan.request.model_id
    words = f"{plan.request.architecture.builder.rpartition(':')[2]}-{plan.dataset.id}"
    return f"{re.sub(r'[^a-z0-9]+', '-', words.casefold())[:53].strip('-')}-{operation.rpartition('/')[2][:8]}"
