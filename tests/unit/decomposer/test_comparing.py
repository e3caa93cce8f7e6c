"""Two modules bit by bit: what a rebuilding says of the difference."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelfoundry.client import TensorDifference as Differs
from modelfoundry.core.channels import KeptChannels, LayerCut
from modelfoundry.core.heads import LinearHead, LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors
from modelfoundry.decomposer.rebuild import compare
from modelfoundry.values.problems import BinaryProblem

MODULE = ModuleArtifact(
    "sha256:" + "0" * 64,
    BinaryProblem("a"),
    WeightMasks({"head.0.weight": torch.tensor([True, False, True])}),
    LogOddsHead(3, (1,), True, torch.ones(1), torch.zeros(1)),
    "tried",
    RewrittenTensors({"norm.weight": torch.zeros(4), "norm.bias": torch.tensor([0.0, 1.0]).half()}),
    (LayerCut("conv", None, KeptChannels(4, (0, 2))),),
)
LINEAR = replace(MODULE, head=LinearHead.of(torch.zeros(2, 3), torch.tensor([0.0, 1.0])))


def _rewritten(**tensors: torch.Tensor) -> ModuleArtifact:
    named = {f"norm.{name}": tensor for name, tensor in tensors.items()}
    return replace(MODULE, rewritten=RewrittenTensors({**MODULE.rewritten.tensors, **named}))


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (MODULE, replace(MODULE), []),
        (
            MODULE,
            replace(MODULE, masks=WeightMasks({"head.0.weight": torch.tensor([True, True, False])})),
            [Differs("head.0.weight", 2, 3)],
        ),
        # A mask of the base's own layer and the head's first layer have one name.
        (
            LINEAR,
            replace(LINEAR, masks=WeightMasks({"head.0.weight": torch.tensor([False, False, True])})),
            [Differs("head.0.weight", 1, 3)],
        ),
        (
            LINEAR,
            replace(LINEAR, head=LinearHead.of(torch.zeros(2, 3), torch.tensor([-0.0, 1.0]))),
            [Differs("head.0.bias", 1, 2)],
        ),
        (MODULE, replace(MODULE, head=replace(MODULE.head, columns=(2,))), [Differs("head.columns", 1, 1)]),
        (
            MODULE,
            _rewritten(weight=torch.tensor([0.0, 0.0, 1e-9, 0.0])),
            [Differs("rewritten.norm.weight", 1, 4)],
        ),
        (MODULE, _rewritten(weight=torch.zeros(4).half()), [Differs("rewritten.norm.weight", 4, 4)]),
        (MODULE, _rewritten(mean=torch.ones(2)), [Differs("rewritten.norm.mean", 2, 2)]),
        (
            MODULE,
            replace(MODULE, cuts=(LayerCut("conv", None, KeptChannels(4, (0, 3))),)),
            [Differs("cuts.conv.outputs", 2, 4)],
        ),
        (MODULE, replace(MODULE, cuts=()), [Differs("cuts.conv.outputs", 4, 4)]),
    ],
    ids=[
        "nothing",
        "mask",
        "mask named like a head",
        "sign of 0",
        "columns",
        "tensor",
        "type",
        "more",
        "cut",
        "no cut",
    ],
)
def test_every_part_is_compared_bit_by_bit(one: ModuleArtifact, other: ModuleArtifact, said: list[Differs]) -> None:
    assert list(compare(one, other)) == said
    assert list(compare(other, one)) == said
