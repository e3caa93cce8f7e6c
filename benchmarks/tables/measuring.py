"""Measures rows by the product's own code, the same on every device."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modelfoundry.core.datasets import imbalanced_subset
from modelfoundry.core.devices import seeded
from modelfoundry.core.evaluation import pose
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.metrics import retention
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, kept_of_base, materialise, write_module
from modelfoundry.core.training import TrainingSettings, train
from modelfoundry.decomposer.algorithms import find_algorithm
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.computing import TrainingSubset
from modelfoundry.values.problems import BinaryProblem
from tables.figures import joint_figures, label_figures
from tables.keeping import keep
from tables.material import SPEC, Images, trained, untrained
from tables.resuming import Resuming
from tables.rows import CIFAR10, PUBLIC, Row

AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Place:
    """Where rows are measured, and with what."""

    images: Images
    device: torch.device
    folder: Path
    """Of the rows; networks that are rows lie in it."""
    public: Path | None
    """Weights of the published ResNet20; None: it is a row like the others (in tiny runs)."""

    def base(self, row: Row) -> nn.Module:
        """The network that a row is about."""
        if row.base == PUBLIC and self.public is not None:
            return trained(row.base, self.public)
        return trained(row.base, self.folder / f"{row.base}.safetensors")


def measure(row: Row, place: Place) -> dict[str, Any]:
    """Measures a row, from its last checkpoint on where it was ended, and writes its file."""
    work = {"network": _network, "module": _modules, "modules": _modules, "scratch": _scratch}[row.kind]
    path = place.folder / f"{row.key}.json"
    watch = Resuming(path)
    found = work(row, place, watch)
    seconds, cpu_seconds = watch.seconds
    figures = found | {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "device": _device_name(place.device),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    keep(path, figures)
    watch.done()
    return figures


def _network(row: Row, place: Place, watch: Resuming) -> dict[str, Any]:
    """Trained as the seed's: on the imbalanced part of a seed, where the row has one."""
    settings = dict(row.settings)
    concentration = settings.pop("concentration", None)
    images = place.images.train
    if concentration is not None:
        images = images.subset(
            imbalanced_subset(images.labels, TrainingSubset(concentration=concentration, seed=row.seed))
        )
    found = train(
        untrained(row.base, row.seed),
        images,
        place.images.validation,
        SPEC,
        _training(settings),
        seed=row.seed,
        device=place.device,
        monitor=watch,
        resume=watch.resume,
    )
    path = place.folder / f"{row.base}.safetensors"
    unfinished = path.with_suffix(".part")
    save_file(dict(found.state), unfinished)
    unfinished.replace(path)
    said = _logits(trained(row.base, path), place).argmax(dim=1)
    right = (said == place.images.test.labels).float()
    return {"accuracy": float(right.mean()), "training_images": len(images), "epoch": found.chosen_epoch}


def _training(settings: dict[str, Any]) -> TrainingSettings:
    return TrainingSettings(**settings | {"milestones": tuple(settings.get("milestones", ()))})


def _modules(row: Row, place: Place, watch: Resuming) -> dict[str, Any]:
    """The module of one label, or those of all: figures of every label, sizes, and what the modules share."""
    base = place.base(row)
    problems = tuple(BinaryProblem(label) for label in ([row.label] if row.label else CIFAR10))
    result = _search(row, base, problems, place, watch)
    truth, of_base = place.images.test.labels, _logits(base, place)
    base.to("cpu")
    labels, odds = {}, []
    for problem, found in zip(problems, result.modules, strict=True):
        artifact = ModuleArtifact(
            f"sha256:{'0' * 64}", problem, found.masks, found.head, row.algorithm, RewrittenTensors(found.rewritten)
        )
        outputs = _logits(materialise(base, artifact), place)
        odds.append(outputs[:, 0] - outputs[:, 1])
        labels[problem.label] = label_figures(problem.label, outputs, of_base, truth) | _sizes(base, artifact)
    masks = [found.masks for found in result.modules]
    return {
        "labels": labels,
        "settled": dict(result.settled),
        "epochs_run": result.epochs_run,
        **(joint_figures(torch.stack(odds, dim=1), of_base, truth) if len(masks) == len(CIFAR10) else {}),
        **({"overlap": _overlap(masks)} if len(masks) > 1 else {}),
    }


def _search(
    row: Row, base: nn.Module, problems: tuple[BinaryProblem, ...], place: Place, watch: Resuming
) -> SearchResult[FoundModule]:
    algorithm = find_algorithm(row.algorithm)
    if algorithm is None:
        raise SystemExit(f"there is no algorithm {row.algorithm}")
    return algorithm.search(
        SearchTask(
            network=base,
            architecture=Architecture(f"zoo:{row.base}"),
            labels=CIFAR10,
            problems=problems,
            train=place.images.train,
            validation=place.images.validation,
            input_spec=SPEC,
            settings=algorithm.resolve(row.recipe, dict(row.settings)),
            seed=row.seed,
            device=place.device,
            monitor=watch,
            resume=watch.resume,
        )
    )


def _sizes(base: nn.Module, artifact: ModuleArtifact) -> dict[str, Any]:
    kept = kept_of_base(base, artifact)
    counted = retention(base, kept.masks, kept.rewritten)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.safetensors"
        write_module(path, artifact)
        size = path.stat().st_size
    return {
        "weights": counted.kept_weights,
        "weight_retention": counted.weight_retention,
        "kernel_retention": counted.kernel_retention,
        "bytes": size,
    }


def _overlap(masks: Sequence[WeightMasks]) -> float:
    """Mean Jaccard index of what two modules keep, over all pairs: MwT's and MODA's coupling, of weights."""
    rows = [torch.cat([bits.flatten() for bits in one.bits.values()]) for one in masks]
    shared = [
        int((one & other).count_nonzero()) / max(1, int((one | other).count_nonzero()))
        for one, other in itertools.combinations(rows, 2)
    ]
    return sum(shared) / len(shared)


def _scratch(row: Row, place: Place, watch: Resuming) -> dict[str, Any]:
    """A dense network of no more parameters than a module has weights, which learns the label from nothing."""
    settings = dict(row.settings)
    budget, problem = settings.pop("weights"), BinaryProblem(row.label)
    with seeded(row.seed, place.device):
        network = small_network(budget)
    found = train(
        network,
        pose(place.images.train, problem, CIFAR10),
        pose(place.images.validation, problem, CIFAR10),
        SPEC,
        _training(settings),
        seed=row.seed,
        device=place.device,
        monitor=watch,
        resume=watch.resume,
    )
    network.load_state_dict(dict(found.state))
    weights = sum(parameter.numel() for parameter in network.parameters())
    figures = label_figures(row.label, _logits(network.eval(), place), None, place.images.test.labels)
    return {"labels": {row.label: figures | {"weights": weights, "bytes": 4 * weights}}, "epoch": found.chosen_epoch}


def small_network(budget: int) -> nn.Sequential:
    """Six convolutions in three stages of doubling width, and a linear layer, of at most so many parameters."""
    made = _of_width(1)
    for width in itertools.count(2):
        wider = _of_width(width)
        if sum(parameter.numel() for parameter in wider.parameters()) > budget:
            return made
        made = wider
    raise AssertionError


def _of_width(width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 3
    for stage in range(3):
        for convolution in range(2):
            after, stride = width * 2**stage, 2 if stage and not convolution else 1
            layers += [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 2))


def _logits(network: nn.Module, place: Place) -> Tensor:
    """On all test images, float32 on the CPU."""
    return predict_logits(network, place.images.test.images, SPEC, batch_size=AT_ONCE, device=place.device)


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
