"""From the task that every algorithm gets to a small network, the same each time and however often it stops."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.modules import (
    ModuleArtifact,
    RewrittenTensors,
    kept_of_base,
    materialise,
    read_module,
    write_module,
)
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.decomposer.algorithms.specialise import SPECIALISE, SpecialiseSettings
from modelfoundry.errors import Cancelled, DatasetMismatch, InvalidField, UnsupportedModel
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

LABELS = ("ant", "bee", "cow", "dog")
SPEC = InputSpec(3, 8, 8)
DOG = BinaryProblem("dog")
QUICK = SpecialiseSettings(steps=4, views=64, batch_size=8, precision="float32", widths="8-16-16")


def bright(counts: tuple[int, ...], seed: int) -> ImageSet:
    """Images whose labels are their brightness, up to noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    noise = torch.randint(0, 30, (len(labels), 3, 8, 8), generator=generator)
    return ImageSet((noise + 60 * labels[:, None, None, None]).to(torch.uint8), labels)


@pytest.fixture(scope="module")
def knowing(trained: nn.Module) -> nn.Module:
    """A network that knows the labels."""
    network = copy.deepcopy(trained).requires_grad_(True).train()
    data = bright((20, 20, 20, 20), seed=3)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(data.images.float() / 255), data.labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval().requires_grad_(False)  # type: ignore[no-any-return]


def task(
    network: nn.Module,
    problem: Problem = DOG,
    *,
    counts: tuple[int, ...] = (24, 24, 24, 24),
    resume: Path | None = None,
    monitor: Unwatched | None = None,
    **changes: Any,
) -> SearchTask[SpecialiseSettings]:
    return SearchTask(
        network=network,
        architecture=Architecture("zoo:resnet20"),
        labels=LABELS,
        problems=(problem,),
        train=bright(counts, seed=1),
        validation=bright((10, 10, 10, 10), seed=2),
        input_spec=SPEC,
        settings=dataclasses.replace(QUICK, **changes),
        seed=0,
        device=torch.device("cpu"),
        monitor=monitor or Unwatched(),
        resume=resume,
    )


def stored(found: FoundModule, problem: Problem, path: Path) -> ModuleArtifact:
    """The module as it is read back from its file."""
    artifact = ModuleArtifact(
        "sha256:" + "0" * 64,
        problem,
        found.masks,
        found.head,
        "specialise",
        RewrittenTensors(found.rewritten),
        found.cuts,
        found.operations,
    )
    write_module(path, artifact)
    return read_module(path)


@pytest.mark.parametrize("problem", [DOG, MultiClassProblem(("bee", "cow")), OpenSetProblem(("cow", "ant"))], ids=str)
def test_a_small_network_is_stored_and_answers(knowing: nn.Module, problem: Problem, tmp_path: Path) -> None:
    result = SPECIALISE.search(task(knowing, problem))
    (found,) = result.modules
    artifact = stored(found, problem, tmp_path / "m")
    module = materialise(knowing, artifact)
    data = bright((10, 10, 10, 10), seed=2)
    answers = module(data.images.float() / 255)
    assert answers.shape == (40, len(problem.outputs))
    assert (module.network.get_submodule("conv1").out_channels, len(module.operations)) == (8, 2)  # type: ignore[union-attr]
    kept = kept_of_base(knowing, artifact).masks
    assert 0 < kept.kept < 0.4 * kept.total
    assert (result.settled["steps"], result.settled["widths"], result.settled["left_out"]) == (4, "8-16-16", 0)


def test_the_figure_is_that_of_the_stored_network(knowing: nn.Module, tmp_path: Path) -> None:
    result = SPECIALISE.search(task(knowing))
    module = materialise(knowing, stored(result.modules[0], DOG, tmp_path / "m"))
    data = bright((10, 10, 10, 10), seed=2)
    right = module(data.images.float() / 255).argmax(1) == (data.labels != 3)
    posed = torch.cat([torch.nonzero(data.labels == 3), torch.nonzero(data.labels != 3)]).flatten()
    assert abs(float(right[posed].float().mean()) - result.validation_accuracy) < 0.35  # other negatives are drawn


def _same(one: SearchResult[FoundModule], other: SearchResult[FoundModule]) -> bool:
    first, second = one.modules[0], other.modules[0]
    tensors = (first.rewritten, second.rewritten)
    return (first.cuts, first.operations, first.rewritten.keys(), one.settled) == (
        second.cuts,
        second.operations,
        second.rewritten.keys(),
        other.settled,
    ) and all(torch.equal(tensors[0][name], tensors[1][name]) for name in tensors[0])


class Stopping(Unwatched):
    """Keeps the state after so many steps, and stops then."""

    def __init__(self, path: Path, after: int) -> None:
        self.path, self.left = path, after

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        self.left -= 1
        if not self.left:
            write(self.path)
            raise Cancelled("enough")


@pytest.mark.parametrize("after", [1, 5])
def test_a_search_that_was_stopped_ends_with_the_same_bits(knowing: nn.Module, tmp_path: Path, after: int) -> None:
    whole = SPECIALISE.search(task(knowing, steps=7, left_out=1))
    path = tmp_path / "state"
    with pytest.raises(Cancelled):
        SPECIALISE.search(task(knowing, steps=7, left_out=1, monitor=Stopping(path, after)))
    assert _same(SPECIALISE.search(task(knowing, steps=7, left_out=1, resume=path)), whole)
    assert _same(SPECIALISE.search(task(knowing, steps=7, left_out=1)), whole)


def test_what_was_settled_gives_the_same_again(knowing: nn.Module) -> None:
    timed = SPECIALISE.search(task(knowing, steps=0, views=0, widths="auto", seconds=0.5))
    assert timed.settled["steps"] >= 1
    assert _same(SPECIALISE.search(task(knowing, **timed.settled)), timed)


def test_a_preview_learns_nothing(knowing: nn.Module) -> None:
    settings = dataclasses.asdict(SPECIALISE.resolve("preview", {}))
    result = SPECIALISE.search(task(knowing, **settings))
    assert result.settled["steps"] == 0
    assert result.validation_accuracy > 0.6


def test_a_block_is_left_out(knowing: nn.Module) -> None:
    result = SPECIALISE.search(task(knowing, left_out=2))
    layers = {str(operation) for operation in result.modules[0].operations}
    assert len([layer for layer in layers if "Bypass" in layer]) == 2


REFUSED: Mapping[str, tuple[dict[str, Any], type[Exception], str]] = {
    "another number of tiers": ({"widths": "8-16"}, InvalidField, "within 16-32-64"),
    "wider than the base": ({"widths": "8-16-65"}, InvalidField, "within 16-32-64"),
    "more blocks than there are": ({"left_out": 9}, InvalidField, "not 9"),
    "too few images": ({"counts": (24, 24, 24, 19)}, DatasetMismatch, "19 training images of 'dog'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_before_the_work(knowing: nn.Module, name: str) -> None:
    changes, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        SPECIALISE.search(task(knowing, **changes))


def test_a_base_that_guesses_is_refused(knowing: nn.Module) -> None:
    guessing = copy.deepcopy(knowing)
    with torch.no_grad():
        guessing.linear.weight.zero_()
    with pytest.raises(UnsupportedModel, match="guesses 'dog'"):
        SPECIALISE.search(task(guessing))


def test_a_network_without_channels_to_cut_is_refused() -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 4)
            nn.init.constant_(self.linear.weight, 0.0)

        def forward(self, images: Tensor) -> Tensor:
            mean = images.mean(dim=(1, 2, 3))
            levels = torch.tensor([0.06, 0.3, 0.53, 0.77])
            logits: Tensor = self.linear(images.mean(dim=(2, 3))) - 50 * (mean[:, None] - levels) ** 2
            return logits

    with pytest.raises(UnsupportedModel, match="cannot be cut"):
        SPECIALISE.search(task(Flat().eval()))


@pytest.mark.parametrize("widths", ["16-", "a", "0", "1" * 9])
def test_texts_that_are_no_widths_are_refused(widths: str) -> None:
    with pytest.raises(InvalidField, match=r"specialise\.recipe\.widths"):
        SpecialiseSettings(widths=widths)
