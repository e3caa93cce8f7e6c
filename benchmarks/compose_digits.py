"""Composes three weak digits networks of the modules of each of GradSplitter's recipes, and prints what came out.

Usage: python benchmarks/compose_digits.py [--recipes distilled paper] [--test]

Networks, data and the settings of `paper` are those of `modelfoundry demo`; all in one process, on one thread. Modules
lie in build/gradsplitter, a rerun goes on with those that are there. Modules are chosen on validation images, jointly
and calibrated; `--test` prints, once, accuracy on the 497 test images.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from gradsplitter import CPU, FOLDER, Digits, kept_modules, read_by, run_kept
from handwritten_digits import digits
from torch import Tensor, nn

from modelfoundry.core.batches import to_input
from modelfoundry.core.channels import plan_channels
from modelfoundry.core.composing import (
    Candidate,
    Member,
    compose_network,
    ensemble_probabilities,
    joint,
    score_candidates,
)
from modelfoundry.core.composing.readout import log_odds
from modelfoundry.core.datasets.cutting import validation_cut
from modelfoundry.core.datasets.imbalance import imbalanced_subset
from modelfoundry.core.datasets.statistics import channel_statistics
from modelfoundry.core.devices import seeded
from modelfoundry.core.metrics import cost
from modelfoundry.core.modules import ModuleArtifact, compact_module
from modelfoundry.core.modules.materialise import materialise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.core.training import train
from modelfoundry.core.training.recipes import resolve_recipe
from modelfoundry.values.architectures import Architecture, InputSpec

SEEDS: Final = (1, 2, 3)
TRAINING: Final = {"epochs": 8, "batch_size": 32, "lr": 0.05, "augmentation": "none"}
WAYS: Final[dict[str, dict[str, Any]]] = {
    "distilled": {"augmentation": "crop", "retention": 0.5, "steps": 100},
    "paper": {
        "warmup_epochs": 8,
        "cycles": 3,
        "mask_epochs": 3,
        "head_epochs": 1,
        "batch_size": 32,
        "lr_warmup": 0.03,
        "lr_head": 0.01,
        "lr_mask": 0.02,
    },
}
ARCHITECTURE: Final = Architecture("zoo:digits_cnn", {})


@dataclass(frozen=True, slots=True)
class Weak:
    """A network that was trained on an imbalanced part of the images."""

    name: str
    network: nn.Module
    data: Digits


def weak_network(seed: int) -> Weak:
    """Trained as `modelfoundry train --recipe weak --seed SEED` does, or read where it is there."""
    content = digits()
    whole = content.splits["train"]
    train_places, held_out = validation_cut(whole.labels, 0.2, 0)
    mean, std = channel_statistics(whole.subset(train_places).images)
    recipe = resolve_recipe("weak", TRAINING, None, seed=seed)
    if recipe.subset is None:
        raise RuntimeError("the recipe `weak` draws a part of the images")
    part = whole.subset(train_places[imbalanced_subset(whole.labels[train_places], recipe.subset)])
    data = Digits(content.labels, part, whole.subset(held_out), content.splits["test"], InputSpec(1, 8, 8, mean, std))
    with seeded(seed, CPU):
        network = build_network(ARCHITECTURE, len(content.labels), data.spec)
    path = FOLDER / f"weak-{seed}.pt"
    if not path.exists():
        trained = train(
            network, part, data.validation, data.spec, recipe.settings, seed=seed, device=CPU, monitor=Unwatched()
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(trained.state), path)
    network.load_state_dict(torch.load(path, weights_only=True))
    return Weak(f"weak-{seed}", network.eval().requires_grad_(False), data)


def composed(recipe: str, weak: Sequence[Weak], *, test: bool) -> str:
    """One line of the table: a composition of the modules of all networks."""
    rows = [run_kept(f"{one.name}-{recipe}", ARCHITECTURE, recipe, WAYS[recipe], one.data, one.network) for one in weak]
    sources: list[tuple[ModuleArtifact, Weak]] = [
        (artifact, one) for one in weak for artifact in kept_modules(f"{one.name}-{recipe}", one.data)
    ]
    plan = plan_channels(weak[0].network, weak[0].data.spec)
    networks = [compact_module(materialise(one.network, artifact), plan).module for artifact, one in sources]
    readouts = [read_by(artifact) for artifact, _ in sources]
    validation = weak[0].data.validation
    said = [
        (
            Candidate(artifact.problem.labels[0], str(place), artifact.problem.labels[0], artifact.masks.kept),
            log_odds(network(to_input(validation.images, one.data.spec, CPU)), readout),
        )
        for place, ((artifact, one), network, readout) in enumerate(zip(sources, networks, readouts, strict=True))
    ]
    labels = weak[0].data.labels
    table = score_candidates(said, labels, validation.labels, score="f1", calibrate=True)
    chosen = table.members(joint(table))
    places = [int(member.candidate.source) for member in chosen]
    network, spec = compose_network(
        [(networks[place], sources[place][1].data.spec) for place in places],
        [
            Member(number, readouts[place], member.calibration)
            for number, (place, member) in enumerate(zip(places, chosen, strict=True))
        ],
        labels,
    )
    found = cost(network, spec)
    line = (
        f"| {recipe} | {sum(row['kernels'] for row in rows) / len(rows):.1%} "
        f"| {sum(row['seconds'] for row in rows):.1f} | {table.metrics(joint(table)).accuracy:.2%} "
        f"| {found.parameters:,} | {found.macs_dense:,} |"
    )
    if test:
        images = weak[0].data.test
        line += f" {_right(network(to_input(images.images, spec, CPU)), images.labels):.2%} |"
    return line


def ensemble(weak: Sequence[Weak], *, test: bool) -> str:
    """The line of the three networks' mean probabilities."""
    data = weak[0].data

    def right(part: str) -> float:
        images = getattr(data, part)
        logits = [one.network(to_input(images.images, one.data.spec, CPU)) for one in weak]
        return _right(ensemble_probabilities(logits), images.labels)

    costs = [cost(one.network, one.data.spec) for one in weak]
    line = f"| ensemble | | | {right('validation'):.2%} | {sum(one.parameters for one in costs):,} "
    line += f"| {sum(one.macs_dense for one in costs):,} |"
    return line + (f" {right('test'):.2%} |" if test else "")


def _right(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(dim=1) == labels).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--test", action="store_true", help="print accuracy on the test images too, at the very end")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    weak = [weak_network(seed) for seed in SEEDS]
    print("| way | kernels kept | CPU s | validation | parameters | MACs |" + (" test |" if arguments.test else ""))
    print("|---|---:|---:|---:|---:|---:|" + ("---:|" if arguments.test else ""))
    print(ensemble(weak, test=arguments.test), flush=True)
    for recipe in arguments.recipes:
        print(composed(recipe, weak, test=arguments.test), flush=True)


if __name__ == "__main__":
    main()
