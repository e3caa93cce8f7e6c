"""The head behind pruned weights: the same bits again, from any checkpoint, until it is cancelled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.batches import training_batches
from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.devices import seeded, stream_seed
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.linear_head import PosedTask
from modelfoundry.decomposer.algorithms.magnitude import MAGNITUDE
from modelfoundry.decomposer.algorithms.magnitude.masks import greatest_weights
from modelfoundry.decomposer.algorithms.magnitude.search import MostAccurate, search
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.errors import Cancelled, InvalidField, MalformedFile
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

CPU = torch.device("cpu")
GREY = InputSpec(1, 8, 8, mean=(0.3,), std=(0.4,))
QUICK = {"retention": 0.25, "epochs": 6, "batch_size": 16, "lr_head": 0.1, "augmentation": "crop"}


class DroppingOut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.dropout, self.linear = nn.Dropout(0.3), nn.Linear(8, 5)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.bn(self.conv(images))).mean(dim=(2, 3))
        logits: Tensor = self.linear(self.dropout(features))
        return logits


@pytest.fixture
def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = DroppingOut()
        network(torch.randn(64, 1, 8, 8))
    return network.eval()


def images(count: int, seed: int, labels: int = 2) -> ImageSet:
    """The brighter, the higher the label."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.arange(count) % labels
    noise = torch.randint(0, 120, (count, 1, 8, 8), generator=generator)
    return ImageSet((noise + 130 // (labels - 1) * which[:, None, None, None]).to(torch.uint8), which)


def task(network: nn.Module, **given: Any) -> PosedTask[Any]:
    facts = {"base_accuracy": 0.5, "seed": 3, "monitor": Unwatched(), "resume": None}
    settings = {**QUICK, **{name: value for name, value in given.items() if name in QUICK}}
    facts |= {name: value for name, value in given.items() if name not in QUICK}
    return PosedTask(
        network=network,
        outputs=2,
        train=images(50, seed=1),
        validation=images(30, seed=2),
        input_spec=GREY,
        settings=MAGNITUDE.resolve("", settings),
        device=CPU,
        **facts,
    )


class Watcher(Unwatched):
    """Keeps every checkpoint, and cancels after so many epochs."""

    def __init__(self, folder: Path, stop_after: int | None = None) -> None:
        self.folder, self.stop_after = folder, stop_after
        self.paths: list[Path] = []
        self.phases: set[str] = set()

    def progress(self, phase: str, *rest: Any) -> None:
        self.phases.add(phase)

    def check_cancelled(self) -> None:
        if self.stop_after is not None and len(self.paths) >= self.stop_after:
            raise Cancelled("enough")

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        self.paths.append(self.folder / f"{len(self.paths)}.safetensors")
        write(self.paths[-1])


def accuracy_of(network: nn.Module, result: SearchResult[FoundModule]) -> float:
    (module,) = result.modules
    validation = images(30, seed=2)
    with torch.no_grad():
        logits = masked_forward(network, masked_state(network, module.masks), normalise(validation.images, GREY))
        return float((module.head(logits).argmax(dim=1) == validation.labels).double().mean())


def test_the_same_seed_gives_the_same_bits_and_another_another_head(network: nn.Module) -> None:
    first = search(task(network))
    torch.manual_seed(99)  # nothing outside matters
    assert search(task(network)) == first
    other = search(task(network, seed=4))
    assert other.modules[0].head != first.modules[0].head
    assert other.modules[0].masks == first.modules[0].masks


def test_the_masks_are_the_greatest_weights_and_the_network_stays(network: nn.Module) -> None:
    before = copy.deepcopy(network.state_dict())
    (module,) = search(task(network)).modules
    assert module.masks == greatest_weights(network, 0.25)
    assert module.masks.kept == round(0.25 * module.masks.total)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_a_search_taken_up_again_is_the_one_that_never_stopped(
    network: nn.Module, tmp_path: Path, stop_after: int
) -> None:
    whole = search(task(network))
    watcher = Watcher(tmp_path, stop_after)
    with pytest.raises(Cancelled):
        search(task(network, monitor=watcher))
    assert len(watcher.paths) == stop_after
    assert watcher.phases == {"head"}
    assert search(task(network, resume=watcher.paths[-1])) == whole


@pytest.mark.parametrize("change", [{"retention": 0.2}, {"lr_head": 0.02}, {"seed": 9}], ids=str)
def test_checkpoints_of_another_search_are_refused(network: nn.Module, tmp_path: Path, change: dict[str, Any]) -> None:
    watcher = Watcher(tmp_path, 1)
    with pytest.raises(Cancelled):
        search(task(network, monitor=watcher))
    with pytest.raises(MalformedFile):
        search(task(network, resume=watcher.paths[0], **change))


def test_the_most_accurate_epoch_is_taken_and_is_what_was_measured(network: nn.Module) -> None:
    result = search(task(network))
    accuracies = [record.accuracy for record in result.history]
    assert result.validation_accuracy == max(accuracies) > 0.8
    assert result.chosen_epoch == accuracies.index(max(accuracies))
    assert accuracy_of(network, result) == pytest.approx(result.validation_accuracy)
    assert not result.fell_back
    assert {record.retention for record in result.history} == {result.modules[0].masks.retention}
    assert result.samples == (50, 30)


def test_below_the_bases_accuracy_it_is_a_fallback(network: nn.Module) -> None:
    result = search(task(network, base_accuracy=1.1))
    assert result.fell_back
    assert not any(record.accepted for record in result.history)
    assert result.validation_accuracy == max(record.accuracy for record in result.history)


def test_of_equals_the_first_is_taken_and_the_rule_goes_on_from_its_memory() -> None:
    rule = MostAccurate(0.5)
    verdicts = []
    for accuracy in (0.4, 0.6, 0.6, 0.5, 0.7):
        verdict = rule.observe(accuracy, 1)
        verdicts.append((verdict.accepted, verdict.fallback))
        rule = MostAccurate(**asdict(rule))
    assert verdicts == [(False, True), (True, True), (False, False), (False, False), (True, True)]


def test_the_head_is_trained_as_written_out(network: nn.Module) -> None:
    """Two epochs by hand: frozen weights in eval mode, cross entropy, Adam."""
    masked = copy.deepcopy(network).eval().requires_grad_(False)
    masked.load_state_dict({**masked.state_dict(), **masked_state(masked, greatest_weights(masked, 0.25))})
    losses = []
    with seeded(3, CPU):
        torch.manual_seed(stream_seed(3, "head"))
        head = nn.Linear(5, 2)
        adam = torch.optim.Adam(head.parameters(), lr=0.1)
        for epoch in range(2):
            total = 0.0
            options = {"batch_size": 16, "augmentation": "crop", "seed": 3, "epoch": epoch, "device": CPU}
            for batch, labels in training_batches(images(50, seed=1), GREY, **options):
                adam.zero_grad()
                loss = functional.cross_entropy(head(masked(batch).relu()), labels)
                loss.backward()
                adam.step()
                total += float(loss.detach()) * len(labels)
            losses.append(total / 50)
    result = search(task(network, epochs=2))
    assert [record.loss for record in result.history] == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize(
    ("problem", "outputs"),
    [(BinaryProblem("b"), 2), (MultiClassProblem(("a", "c")), 2), (OpenSetProblem(("c", "a")), 3)],
    ids=["binary", "multi-class", "open set"],
)
def test_every_kind_of_problem_is_taken(network: nn.Module, problem: Problem, outputs: int) -> None:
    result = MAGNITUDE.search(
        SearchTask(
            network=network,
            architecture=Architecture("zoo:digits_cnn"),
            labels=tuple("abcde"),
            problems=(problem,),
            train=images(50, seed=1, labels=5),
            validation=images(30, seed=2, labels=5),
            input_spec=GREY,
            settings=MAGNITUDE.resolve("", QUICK),
            seed=0,
            device=CPU,
            monitor=Unwatched(),
        )
    )
    assert result.modules[0].head.outputs == outputs


@pytest.mark.parametrize("retention", [0.0, -0.1, 1.01, float("nan")])
def test_a_retention_is_a_share(retention: float) -> None:
    with pytest.raises(InvalidField) as caught:
        MAGNITUDE.resolve("", {"retention": retention})
    assert caught.value.field == "magnitude.recipe.retention"
    assert replace(MAGNITUDE.resolve("", {}), retention=1.0).retention == 1.0
