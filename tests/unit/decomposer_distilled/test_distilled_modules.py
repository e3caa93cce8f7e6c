"""From the task that every algorithm gets to the module that every algorithm gives."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, read_module, write_module
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.seam import SEAM
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.errors import DatasetMismatch, DeviceUnavailable, UnsupportedModel
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem, Problem

LABELS = ("ant", "bee", "cow", "dog")
GREY = InputSpec(1, 8, 8)
DOG = BinaryProblem("dog")
SETTINGS = DistilledSettings(retention=0.5, steps=20, batch_size=16, augmentation="none")


class Brightness(nn.Module):
    """Knows the four labels by their brightness, up to noise."""

    def __init__(self, knowing: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 4)
        nn.init.constant_(self.conv.weight, 1 / 9)
        nn.init.zeros_(self.conv.bias)
        self.bn.running_mean = torch.tensor([0.3, 0.45, 0.6, 0.75])
        self.bn.running_var = torch.full((4,), 0.02)
        levels = torch.tensor([0.2, 0.4, 0.6, 0.8])
        weight = torch.outer(levels, torch.ones(4)) if knowing else torch.zeros(4, 4)
        with torch.no_grad():
            self.linear.weight.copy_(2 * weight)
            self.linear.bias.copy_(torch.zeros(4))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.bn(self.conv(images)).mean(dim=(2, 3)))
        return logits


def images(counts: tuple[int, ...], seed: int) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    noise = torch.randint(0, 40, (len(labels), 1, 8, 8), generator=generator)
    return ImageSet((noise + 50 * labels[:, None, None, None]).to(torch.uint8), labels)


def task(
    network: nn.Module,
    problem: Problem = DOG,
    train: tuple[int, ...] = (30, 30, 30, 30),
    validation: tuple[int, ...] = (10, 10, 10, 10),
) -> SearchTask[DistilledSettings]:
    return SearchTask(
        network=network.eval(),
        architecture=Architecture("zoo:digits_cnn"),
        labels=LABELS,
        problems=(problem,),
        train=images(train, seed=1),
        validation=images(validation, seed=2),
        input_spec=GREY,
        settings=SETTINGS,
        seed=0,
        device=torch.device("cpu"),
        monitor=Unwatched(),
    )


def searched(asked: SearchTask[DistilledSettings]) -> SearchResult[FoundModule]:
    return SEAM.search(asked)  # type: ignore[arg-type]  # settings of one of its recipes


def test_a_search_gives_masks_rewritten_norms_and_a_fitted_head() -> None:
    found = searched(task(Brightness()))
    (module,) = found.modules
    assert (module.masks.kept, module.masks.total) == (30, 60)
    assert set(module.rewritten) == {"bn.weight", "bn.bias"}
    assert isinstance(module.head, LogOddsHead)
    assert (module.head.labels, module.head.columns, module.head.rest) == (4, (3,), True)
    assert float(module.head.bias) != 0
    assert (found.samples, found.epochs_run, found.fell_back) == ((120, 20), 0, False)
    assert found.base_validation_accuracy > 0.6
    assert found.validation_accuracy > 0.9


def test_what_it_gives_goes_through_a_module_file(tmp_path: Path) -> None:
    (module,) = searched(task(Brightness(), OpenSetProblem(("dog", "ant")))).modules
    artifact = ModuleArtifact(
        base_digest=f"sha256:{'0' * 64}",
        problem=OpenSetProblem(("dog", "ant")),
        masks=module.masks,
        head=module.head,
        algorithm="seam",
        rewritten=RewrittenTensors(module.rewritten),
    )
    write_module(tmp_path / "module", artifact)
    for written, back in zip(artifact.bits, read_module(tmp_path / "module").bits, strict=True):
        assert written.keys() == back.keys()
        assert all(torch.equal(value, back[name]) for name, value in written.items())


class NeverAsked(Unwatched):
    def checkpoint(self, write: object) -> None:
        raise AssertionError("a step was made")

    def progress(self, phase: str, *rest: object) -> None:
        assert phase == "predict", "the pool was begun"


@pytest.mark.parametrize(
    ("asked", "error", "said"),
    [
        (task(Brightness(), train=(30, 30, 30, 19)), DatasetMismatch, "19 training images of 'dog'"),
        (task(Brightness(), validation=(10, 10, 10, 4)), DatasetMismatch, "4 images of the labels"),
        (task(Brightness(knowing=False)), UnsupportedModel, "guesses 'dog'"),
    ],
    ids=["few images", "few validation images", "a base that guesses"],
)
def test_what_cannot_be_distilled_is_said_before_the_work(
    asked: SearchTask[DistilledSettings], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        searched(dataclasses.replace(asked, monitor=NeverAsked()))


def test_bfloat16_is_refused_on_a_machine_without_it_before_the_work(able: bool) -> None:
    asked = task(Brightness())
    asked = dataclasses.replace(asked, settings=dataclasses.replace(SETTINGS, precision="bfloat16"))
    if able:
        assert searched(asked).settled["precision"] == "bfloat16"
        return
    with pytest.raises(DeviceUnavailable) as caught:
        searched(asked)
    assert caught.value.field == "seam.recipe.precision"
    assert "float32" in str(caught.value.hint)


def test_the_result_says_what_was_decided(able: bool) -> None:
    found = searched(task(Brightness()))
    assert found.settled == {"steps": 20, "augmentation": "none", "precision": "bfloat16" if able else "float32"}
    assert not found.threads_changed
