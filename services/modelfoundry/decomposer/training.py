"""Trains a network on a registered data set and registers it, for those who have no model yet."""

from __future__ import annotations

import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import safetensors.torch

from modelfoundry.artifacts.convert import architecture_to, input_spec_to
from modelfoundry.artifacts.jobs import Workbench
from modelfoundry.artifacts.requests import derived_request_id
from modelfoundry.artifacts.splits import check_validation_split, find_split
from modelfoundry.client import BlobRef, Dataset, Model, ValidationSplit
from modelfoundry.core.architectures import Architecture, InputSpec, build_network
from modelfoundry.core.datasets import channel_statistics, read_split, validation_cut
from modelfoundry.core.devices import seeded, select_device
from modelfoundry.core.training import TrainingSettings, train

WEIGHTS_MEDIA_TYPE = "application/vnd.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """What the caller asked for, with every setting filled in."""

    parent: str
    architecture: Architecture
    dataset: str
    settings: TrainingSettings
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
        UnknownArchitecture: it cannot be built for images of this size.
        TestSplitSealed, InvalidField: the validation split.
    """
    check_validation_split(request.validation, dataset)
    input_spec = InputSpec(dataset.channels, dataset.height, dataset.width)
    build_network(request.architecture, len(dataset.labels), input_spec, device="meta")
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
    train_indices, validation_indices = validation_cut(
        images.labels, request.validation.fraction, request.validation.seed
    )
    training_images = images.subset(train_indices)
    mean, std = channel_statistics(training_images.images)
    input_spec = InputSpec(plan.dataset.channels, plan.dataset.height, plan.dataset.width, mean, std)
    with seeded(request.seed, device):
        network = build_network(request.architecture, len(plan.dataset.labels), input_spec)
    result = train(
        network,
        training_images,
        images.subset(validation_indices),
        input_spec,
        request.settings,
        seed=request.seed,
        device=device,
        monitor=bench.monitor,
        resume=bench.checkpoint,
    )
    bench.monitor.check_cancelled()
    with tempfile.TemporaryDirectory(prefix="modelfoundry-model-") as folder:
        path = Path(folder) / "model.safetensors"
        safetensors.torch.save_file(dict(result.state), path)
        blob = bench.client.blobs.upload(path, media_type=WEIGHTS_MEDIA_TYPE)
    model = Model(
        architecture=architecture_to(request.architecture),
        input=input_spec_to(input_spec),
        labels=plan.dataset.labels,
        weights=BlobRef(blob.digest),
        training_dataset=plan.dataset.name,
        operation=operation,
        description=_description(plan, result.chosen_epoch, result.validation_accuracy),
    )
    created = bench.client.models.create(
        model, model_id=_model_id(plan, operation), request_id=derived_request_id(operation, "model")
    )
    return TrainedModel(created.name, result.validation_accuracy)


def _description(plan: TrainingPlan, chosen_epoch: int, validation_accuracy: float) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in asdict(plan.request.settings).items())
    return (
        f"Trained on {plan.dataset.name} with seed {plan.request.seed} ({settings}). Epoch {chosen_epoch} of "
        f"{plan.request.settings.epochs} was kept: validation accuracy {validation_accuracy:.4f}."
    )


def _model_id(plan: TrainingPlan, operation: str) -> str:
    """The id asked for, or architecture and data set with the beginning of the job's id."""
    if plan.request.model_id:
        return plan.request.model_id
    words = f"{plan.request.architecture.builder.rpartition(':')[2]}-{plan.dataset.id}"
    return f"{re.sub(r'[^a-z0-9]+', '-', words.casefold())[:53].strip('-')}-{operation.rpartition('/')[2][:8]}"
