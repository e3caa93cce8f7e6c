"""Data sets, small models and SeaM modules for tests of composing, made in this process and registered by the SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from handwritten_digits import digits

from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobRef,
    Client,
    Dataset,
    DecompositionRecord,
    InputSpec,
    Model,
    Module,
    RetentionMetrics,
    ValidationSplit,
)
from modelfoundry.client.weights import SAFETENSORS_MEDIA_TYPE
from modelfoundry.core import networks
from modelfoundry.core.datasets import ImageSet, pose_binary, validation_cut, write_split
from modelfoundry.core.devices import seeded
from modelfoundry.core.modules import ModuleArtifact, write_module
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.training import TrainingSettings, train
from modelfoundry.decomposer.algorithms.linear_head import PosedTask
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.seam.search import search

CPU = torch.device("cpu")
ARCHITECTURE = "zoo:digits_cnn"
LOW, HIGH = (0, 1, 2), (3, 4, 5)
VALIDATION = ValidationSplit(fraction=0.3)
WAIT = 240
PROJECT = "projects/zoo"
ANYHOW = {"allow_different_preprocessing": True}
"""For `a` and `b`, which normalise images differently."""


@dataclass(frozen=True)
class Stock:
    """Services with models `a` and `b` of low digits, `high` of high ones, and `weak`, which hardly saw a 2."""

    client: Client
    images: dict[str, np.ndarray]
    """Test images by data set."""


def some_digits(split: str, numbers: Sequence[int], limits: dict[int, int] | None = None) -> ImageSet:
    """Images of some digits, of a few only the first; labels are their places in `numbers`."""
    whole = digits().splits[split]
    parts = []
    for place, number in enumerate(numbers):
        found = torch.nonzero(whole.labels == number).flatten()[: (limits or {}).get(number, len(whole))]
        parts.append(ImageSet(whole.images[found], torch.full((len(found),), place)))
    return ImageSet(torch.cat([part.images for part in parts]), torch.cat([part.labels for part in parts]))


def push_digits(
    client: Client,
    folder: Path,
    dataset_id: str,
    numbers: Sequence[int],
    limits: dict[int, int] | None = None,
    fresh: ImageSet | None = None,
) -> Dataset:
    """Registers some digits; `limits` apply to training images; `fresh` is a third split."""
    folder = folder / dataset_id
    folder.mkdir()
    write_split(folder / "train.safetensors", some_digits("train", numbers, limits))
    write_split(folder / "test.safetensors", some_digits("test", numbers))
    if fresh is not None:
        write_split(folder / "fresh.safetensors", fresh)
    return client.datasets.push(folder, dataset_id=dataset_id, labels=[str(number) for number in numbers])


def push_model(
    client: Client,
    folder: Path,
    model_id: str,
    numbers: Sequence[int],
    *,
    seed: int = 0,
    epochs: int = 3,
    mean: float = 0.3,
    limits: dict[int, int] | None = None,
) -> Model:
    """Trains a small network on some digits and registers it."""
    spec = InputSpec(1, 8, 8, (mean,), (0.4,))
    images = some_digits("train", numbers, limits)
    learn, choose = validation_cut(images.labels, 0.1, 0)
    with seeded(seed, CPU):
        network = networks.build_network(Architecture(ARCHITECTURE), len(numbers), spec)
    result = train(
        network,
        images.subset(learn),
        images.subset(choose),
        spec,
        TrainingSettings(epochs=epochs, batch_size=64),
        seed=seed,
        device=CPU,
        monitor=Unwatched(),
    )
    return _registered(client, folder, model_id, numbers, spec, result.state)


def push_untrained(client: Client, folder: Path, model_id: str, numbers: Sequence[int], spec: InputSpec) -> Model:
    """Registers a small network that knows nothing."""
    with seeded(0, CPU):
        network = networks.build_network(Architecture(ARCHITECTURE), len(numbers), spec)
    return _registered(client, folder, model_id, numbers, spec, network.state_dict())


def _registered(
    client: Client,
    folder: Path,
    model_id: str,
    numbers: Sequence[int],
    spec: InputSpec,
    state: Mapping[str, torch.Tensor],
) -> Model:
    """What `client.models.push` does, without asking the evaluator, so that tests need not start one."""
    path = folder / f"{model_id}.safetensors"
    safetensors.torch.save_file(dict(state), path)
    model = Model(
        architecture=Architecture(ARCHITECTURE),
        input=spec,
        labels=tuple(str(number) for number in numbers),
        weights=client.blobs.upload(path, SAFETENSORS_MEDIA_TYPE),
    )
    return client.models.create(model, model_id=model_id)


def push_module(client: Client, folder: Path, model: Model, dataset: Dataset, label: str, epochs: int = 3) -> Module:
    """Searches the weights that a label needs and registers them as a module, `MODEL-LABEL`."""
    weights = client.blobs.download(model.weights, folder / f"base-of-{model.id}-{label}.safetensors")
    network = networks.load_network(Architecture(ARCHITECTURE), len(model.labels), model.input, weights)
    numbers = [int(each) for each in model.labels]
    images = some_digits("train", numbers)
    learn, choose = validation_cut(images.labels, 0.1, 0)
    place = model.labels.index(label)
    task = PosedTask(
        network=network,
        outputs=2,
        train=pose_binary(images.subset(learn), place),
        validation=pose_binary(images.subset(choose), place),
        base_accuracy=0.5,
        input_spec=model.input,
        settings=SEAM.resolve("paper", {"epochs": epochs, "augmentation": "none"}),
        seed=0,
        device=CPU,
        monitor=Unwatched(),
    )
    (found,) = search(task).modules
    problem = BinaryProblem(label)
    path = folder / f"{model.id}-{label}.safetensors"
    write_module(path, ModuleArtifact(model.weights.digest, problem, found.masks, found.head, "seam"))
    module = Module(
        base_model=model.name,
        problem=problem,
        artifact=BlobRef(client.blobs.upload(path, media_type="application/vnd.modelfoundry.module").digest),
        dataset=dataset.name,
        record=DecompositionRecord(algorithm="seam", dataset_digest=dataset.digest),
        retention=RetentionMetrics(
            weight_retention=found.masks.retention,
            kept_weights=found.masks.kept,
            total_weights=found.masks.total,
        ),
    )
    return client.modules.create(module, module_id=f"{model.id}-{label}")
