"""One figure, one meaning: every module on the validation images of its own problem, whatever it was searched by."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact
from modelfoundry.decomposer.decompose import ValidationFigures, _figures
from modelfoundry.errors import NonFiniteOutputs
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.problems import BinaryProblem

LABELS = ("cat", "dog", "bird")
PIXELS = InputSpec(3, 1, 1)


def validation() -> ImageSet:
    """Of each label four images, of which the brightest channel is the label's, but of one cat."""
    images = torch.eye(3).repeat_interleave(4, dim=0).mul(255).to(torch.uint8).view(12, 3, 1, 1)
    images[0] = images[4]
    return ImageSet(images, torch.arange(3).repeat_interleave(4))


def figures(*, joint: bool, weight: float = 1.0) -> ValidationFigures:
    """Of a module that says "cat" always, in a search with other figures of its own."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(3, 3, bias=False)).eval()
    with torch.no_grad():
        network.get_parameter("1.weight").copy_(torch.eye(3) * weight)
    head = LinearHead.of(torch.zeros(2, 3), torch.tensor([1.0, 0.0]))
    artifact = ModuleArtifact("sha256:" + "0" * 64, BinaryProblem("cat"), WeightMasks({}), head, "tried")
    plan: Any = SimpleNamespace(
        request=SimpleNamespace(algorithm=SimpleNamespace(joint=joint)), model=SimpleNamespace(labels=LABELS)
    )
    base: Any = SimpleNamespace(network=network, input_spec=PIXELS)
    result: Any = SimpleNamespace(validation_accuracy=0.25, base_validation_accuracy=0.75, samples=(100, 12))
    return _figures(plan, base, artifact, validation(), result)


def test_a_module_of_a_joint_search_has_the_figure_of_its_own_problem() -> None:
    # Four cats and four others: it is right of the cats; the base takes one cat for a dog.
    assert figures(joint=True) == ValidationFigures(accuracy=0.5, accuracy_base=7 / 8, samples=8)


def test_a_module_of_a_search_of_its_own_has_that_searchs_figure() -> None:
    assert figures(joint=False) == ValidationFigures(accuracy=0.25, accuracy_base=0.75, samples=12)


@pytest.mark.parametrize("joint", [True, False])
def test_a_module_that_answers_nan_has_none(joint: bool) -> None:
    with pytest.raises(NonFiniteOutputs):
        figures(joint=joint, weight=float("inf"))
