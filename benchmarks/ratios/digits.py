"""A digits network that measurements share: trained once by the product's own training, kept as a file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from modelfoundry.client.sources import digits
from modelfoundry.core.architectures.zoo import NETWORKS
from modelfoundry.core.datasets import ImageSet, read_split, validation_cut
from modelfoundry.core.devices import seeded
from modelfoundry.core.modules import MaterialisedModule, ModuleArtifact, RewrittenTensors, materialise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.shelf import NoShelf, Shelf
from modelfoundry.core.training import TrainingSettings, train
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem
from ratios.measurements import Effort

LABELS: Final = tuple("0123456789")
ARCHITECTURE: Final = Architecture("zoo:digits_cnn")
SPEC: Final = InputSpec(1, 8, 8, (0.3,), (0.38,))
CPU: Final = torch.device("cpu")
TRAINING: Final = TrainingSettings(epochs=30, batch_size=64, augmentation="crop")
VALIDATION: Final = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """The network, and the images of scikit-learn's digits: 1,170 it learnt from, 130 to choose on, 497 to test on."""

    network: nn.Module
    train: ImageSet
    validation: ImageSet
    test: ImageSet


def trained_digits(effort: Effort) -> Digits:
    """Gives the network, trained for 30 epochs (tiny efforts: one) if no measurement did so before."""
    images, test = _images()
    learnt, held_out = validation_cut(images.labels, VALIDATION, 0)
    parts = images.subset(learnt), images.subset(held_out)
    path = effort.folder / ("digits-tiny.safetensors" if effort.tiny else "digits.safetensors")
    if not path.exists():
        _train(*parts, path, epochs=1 if effort.tiny else TRAINING.epochs)
    network = _untrained()
    network.load_state_dict(load_file(path))
    return Digits(network.eval().requires_grad_(False), *parts, test)


def searched(
    digits: Digits, label: str, recipe: str, shelf: Shelf | None = None, **settings: float | str
) -> SearchResult[FoundModule]:
    """What a recipe of SeaM finds for one label."""
    return SEAM.search(
        SearchTask(
            network=digits.network,
            architecture=ARCHITECTURE,
            labels=LABELS,
            problems=(BinaryProblem(label),),
            train=digits.train,
            validation=digits.validation,
            input_spec=SPEC,
            settings=SEAM.resolve(recipe, {"augmentation": "crop", **settings}),
            seed=0,
            device=CPU,
            monitor=Unwatched(),
            shelf=shelf or NoShelf(),
        )
    )


def distilled_module(digits: Digits, label: str, retention: float, steps: int) -> MaterialisedModule:
    """The module that the recipe `distilled` finds for one label."""
    (found,) = searched(digits, label, "distilled", retention=retention, steps=steps).modules
    artifact = ModuleArtifact(
        f"sha256:{'0' * 64}",
        BinaryProblem(label),
        found.masks,
        found.head,
        SEAM.name,
        RewrittenTensors(found.rewritten),
    )
    return materialise(digits.network, artifact)


def _untrained() -> nn.Module:
    with seeded(0, CPU):
        return NETWORKS["digits_cnn"](label_count=len(LABELS), input_channels=1)


def _images() -> tuple[ImageSet, ImageSet]:
    with tempfile.TemporaryDirectory() as folder:
        files = digits.read(Path(folder), ()).files
        train_part, test_part = (read_split(files[split]) for split in ("train", "test"))
    return train_part, test_part


def _train(images: ImageSet, validation: ImageSet, path: Path, epochs: int) -> None:
    settings = TrainingSettings(epochs, TRAINING.batch_size, augmentation=TRAINING.augmentation)
    found = train(_untrained(), images, validation, SPEC, settings, seed=0, device=CPU, monitor=Unwatched())
    save_file(dict(found.state), path)
