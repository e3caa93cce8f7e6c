"""GradSplitter's recipes on one base: joint accuracy, kernels kept, CPU seconds; rows are kept, a rerun goes on.

Usage: python benchmarks/gradsplitter.py [--networks digits_cnn incecnn rescnn simcnn] [--rows 0 1 2] [--test]

Handwritten digits of scikit-learn, cut as the tests cut them; SimCNN and ResCNN take them four times as large. Bases,
rows and modules lie in build/gradsplitter. Everything is chosen on validation images; `--test` prints, once, what the
modules that are there reach on the 497 test images. One thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

ROOT: Final = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from handwritten_digits import digits  # noqa: E402 - the tests' folder is no package

from modelfoundry.core.batches import to_input, training_batches  # noqa: E402
from modelfoundry.core.channels import plan_channels  # noqa: E402
from modelfoundry.core.composing import Member, Readout, compose_network, readout_of  # noqa: E402
from modelfoundry.core.datasets import ImageSet  # noqa: E402
from modelfoundry.core.datasets.cutting import validation_cut  # noqa: E402
from modelfoundry.core.heads import LogOddsHead  # noqa: E402
from modelfoundry.core.metrics import cost  # noqa: E402
from modelfoundry.core.modules import (  # noqa: E402
    ModuleArtifact,
    RewrittenTensors,
    compact_module,
    read_module,
    write_module,
)
from modelfoundry.core.modules.materialise import materialise  # noqa: E402
from modelfoundry.core.monitor import Unwatched  # noqa: E402
from modelfoundry.core.networks import build_network  # noqa: E402
from modelfoundry.decomposer.algorithms.gradsplitter import GRADSPLITTER  # noqa: E402
from modelfoundry.decomposer.algorithms.searching import SearchTask  # noqa: E402
from modelfoundry.values.architectures import Architecture, InputSpec  # noqa: E402
from modelfoundry.values.problems import BinaryProblem  # noqa: E402

FOLDER: Final = ROOT / "build" / "gradsplitter"
CPU: Final = torch.device("cpu")
SCALES: Final = {"digits_cnn": 1, "incecnn": 1, "rescnn": 4, "simcnn": 4}
"""How many times larger the 8x8 digits are for a network."""
BASE_EPOCHS: Final = 20
SHORTENED: Final = {"cycles": 4, "lr_mask": 0.005}
"""A fifth of the published cycles; masks move five times as fast, so that they come as far."""
WAYS: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("distilled", {"augmentation": "crop", "retention": 0.9, "steps": 100}),
    ("distilled", {"augmentation": "crop", "retention": 0.7, "steps": 100}),
    ("distilled", {"augmentation": "crop", "retention": 0.7, "steps": 50}),
    ("distilled", {"augmentation": "crop", "retention": 0.7, "steps": 25}),
    ("distilled", {"augmentation": "crop", "retention": 0.5, "steps": 100}),
    ("distilled", {"augmentation": "crop", "retention": 0.5, "steps": 100, "shared": 0.0}),
    ("distilled", {"augmentation": "crop", "retention": 0.4, "steps": 200}),
    ("paper", SHORTENED),
    ("paper", {}),
)


@dataclass(frozen=True, slots=True)
class Digits:
    """Images for a network of the zoo."""

    labels: tuple[str, ...]
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    spec: InputSpec


def images_for(network: str) -> Digits:
    """The digits at the network's size: four fifths of the training images, the rest to validate, the test images."""
    scale, content = SCALES[network], digits()
    whole = content.splits["train"]
    train, validation = validation_cut(whole.labels, 0.2, 0)
    parts = (whole.subset(train), whole.subset(validation), content.splits["test"])
    larger = (ImageSet(_enlarged(part.images, scale), part.labels) for part in parts)
    return Digits(content.labels, *larger, InputSpec(1, 8 * scale, 8 * scale, (0.3,), (0.35,)))


def _enlarged(images: Tensor, scale: int) -> Tensor:
    return images.repeat_interleave(scale, dim=2).repeat_interleave(scale, dim=3)


def base_of(network: str, data: Digits) -> nn.Module:
    """The trained base; it is trained where it is not there yet."""
    torch.manual_seed(0)
    base = build_network(Architecture(f"zoo:{network}", {}), len(data.labels), data.spec)
    path = FOLDER / f"{network}.pt"
    if path.exists():
        base.load_state_dict(torch.load(path, weights_only=True))
        return base.eval().requires_grad_(False)
    optimiser = torch.optim.SGD(base.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, BASE_EPOCHS)
    base.train()
    for epoch in range(BASE_EPOCHS):
        batches = training_batches(
            data.train, data.spec, batch_size=32, augmentation="crop", seed=0, epoch=epoch, device=CPU
        )
        for images, labels in batches:
            optimiser.zero_grad()
            functional.cross_entropy(base(images), labels).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        schedule.step()
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(base.state_dict(), path)
    return base.eval().requires_grad_(False)


def name_of(network: str, recipe: str, settings: Mapping[str, Any]) -> str:
    """A row's name, which is that of its folder."""
    return "-".join([network, recipe, *(f"{key}={value}" for key, value in settings.items())])


def run_kept(
    name: str, architecture: Architecture, recipe: str, settings: Mapping[str, Any], data: Digits, base: nn.Module
) -> dict[str, Any]:
    """The row of that name; it is searched, and its modules are kept, where it is not there yet."""
    path = FOLDER / name / "row.json"
    if not path.exists():
        _search(path.parent, architecture, recipe, settings, data, base)
    row: dict[str, Any] = json.loads(path.read_text())
    return row


def kept_modules(name: str, data: Digits) -> list[ModuleArtifact]:
    """The modules of a row, in the order of the labels."""
    return [read_module(FOLDER / name / f"{place}.safetensors") for place in range(len(data.labels))]


def _search(
    folder: Path, architecture: Architecture, recipe: str, settings: Mapping[str, Any], data: Digits, base: nn.Module
) -> None:
    task = SearchTask(
        network=base,
        architecture=architecture,
        labels=data.labels,
        problems=tuple(BinaryProblem(label) for label in data.labels),
        train=data.train,
        validation=data.validation,
        input_spec=data.spec,
        settings=GRADSPLITTER.resolve(recipe, settings),
        seed=0,
        device=CPU,
        monitor=Unwatched(),
    )
    start = time.process_time()
    result = GRADSPLITTER.search(task)
    seconds = time.process_time() - start
    folder.mkdir(parents=True, exist_ok=True)
    kept = total = 0
    for place, found in enumerate(result.modules):
        kept, total = kept + found.kept_kernels, total + found.total_kernels  # type: ignore[attr-defined]
        write_module(
            folder / f"{place}.safetensors",
            ModuleArtifact(
                base_digest="sha256:" + "0" * 64,
                problem=task.problems[place],
                masks=found.masks,
                head=found.head,
                algorithm="gradsplitter",
                rewritten=RewrittenTensors(found.rewritten),
            ),
        )
    row = {
        "recipe": recipe,
        "settings": dict(settings),
        "validation": result.validation_accuracy,
        "base": result.base_validation_accuracy,
        "kernels": kept / total,
        "seconds": seconds,
        "chosen_epoch": result.chosen_epoch,
        "fell_back": result.fell_back,
    }
    (folder / "row.json").write_text(json.dumps(row, indent=2))


def test_accuracy(name: str, data: Digits, base: nn.Module) -> float:
    """Joint accuracy of a row's modules on the test images: the label whose module has the largest log-odds."""
    inputs, scores = to_input(data.test.images, data.spec, CPU), []
    for artifact in kept_modules(name, data):
        outputs = materialise(base, artifact)(inputs)
        scores.append(outputs[:, 0] - outputs[:, 1])
    return float((torch.stack(scores, dim=1).argmax(dim=1) == data.test.labels).float().mean())


def read_by(artifact: ModuleArtifact) -> Readout:
    """How a module's outputs speak for its one label."""
    problem, against_rest = artifact.problem, isinstance(artifact.head, LogOddsHead)
    return readout_of(problem.outputs, problem.labels[0], problem, against_rest=against_rest)


def composed_passes(name: str, data: Digits, base: nn.Module) -> float:
    """What all modules of a row cost when they run as one, without dead channels, in passes of the base."""
    plan, artifacts = plan_channels(base, data.spec), kept_modules(name, data)
    sources = [(compact_module(materialise(base, artifact), plan).module, data.spec) for artifact in artifacts]
    members = [Member(place, read_by(artifact)) for place, artifact in enumerate(artifacts)]
    network, spec = compose_network(sources, members, data.labels)
    return cost(network, spec).macs_dense / cost(base, data.spec).macs_dense


def line_of(
    network: str, recipe: str, settings: Mapping[str, Any], data: Digits, base: nn.Module, *, test: bool
) -> str:
    """One line of the table."""
    name = name_of(network, recipe, settings)
    row = run_kept(name, Architecture(f"zoo:{network}", {}), recipe, settings, data, base)
    changed = ", ".join(f"{key} {value}" for key, value in settings.items())
    line = f"| {network} | {recipe} | {changed} | {row['validation']:.2%} | {row['base']:.2%} "
    line += f"| {row['kernels']:.1%} | {composed_passes(name, data, base):.2f} | {row['seconds']:.1f} |"
    if test:
        right = base(to_input(data.test.images, data.spec, CPU)).argmax(dim=1) == data.test.labels
        line += f" {test_accuracy(name, data, base):.2%} | {float(right.float().mean()):.2%} |"
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=SCALES, default=list(SCALES))
    parser.add_argument("--rows", nargs="+", type=int, choices=range(len(WAYS)), default=list(range(len(WAYS))))
    parser.add_argument("--test", action="store_true", help="print figures of the test images too, at the very end")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["network", "recipe", "settings", "validation", "base", "kernels kept", "ten composed, passes", "CPU s"]
    columns += ["test", "base"] if arguments.test else []
    print(f"| {' | '.join(columns)} |\n|---|---|---|{'---:|' * (len(columns) - 3)}")
    for network in arguments.networks:
        data = images_for(network)
        base = base_of(network, data)
        for recipe, settings in (WAYS[place] for place in arguments.rows):
            print(line_of(network, recipe, settings, data, base, test=arguments.test), flush=True)


if __name__ == "__main__":
    main()
