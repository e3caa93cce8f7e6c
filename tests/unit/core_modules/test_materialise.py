from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from modelfoundry.core.heads import HeadLayer, LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, materialise
from modelfoundry.errors import MalformedFile, WeightsMismatch

IMAGES = torch.randn(7, 2, 6, 6, generator=torch.Generator().manual_seed(9))


def test_a_module_computes_what_zeroing_by_hand_computes(network: nn.Module, artifact: ModuleArtifact) -> None:
    by_hand = copy.deepcopy(network)
    for name, bits in artifact.masks.bits.items():
        weights = by_hand.get_parameter(name).detach().flatten()
        for place, kept in enumerate(bits.flatten().tolist()):
            if not kept:
                weights[place] = 0.0
    logits = by_hand(IMAGES)
    expected = logits.clamp(min=0) @ artifact.head.layers[0].weight.T + artifact.head.layers[0].bias
    module = materialise(network, artifact)
    torch.testing.assert_close(module(IMAGES), expected)
    assert module.outputs == ("horse", "rest")
    assert bool((logits < 0).any())  # or the ReLU before the head would not matter


def test_the_base_network_stays_as_it_was(network: nn.Module, artifact: ModuleArtifact) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    outputs = network(IMAGES)
    network.train()
    module = materialise(network, artifact)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(7.0)
    assert network.training
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert torch.equal(network.eval()(IMAGES), outputs)
    assert float(artifact.head.layers[0].weight.abs().max()) != 7.0


def test_a_module_is_ready_to_run_and_draws_no_random_numbers(network: nn.Module, artifact: ModuleArtifact) -> None:
    state = torch.random.get_rng_state()
    module = materialise(network.train(), artifact)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_all_ones_is_the_whole_network_and_all_zeros_is_none_of_it(
    network: nn.Module, artifact: ModuleArtifact
) -> None:
    ones = WeightMasks({name: torch.ones_like(bits) for name, bits in artifact.masks.bits.items()})
    whole = materialise(network, replace(artifact, masks=ones))
    assert torch.equal(whole.network(IMAGES), network(IMAGES))
    zeros = WeightMasks({name: torch.zeros_like(bits) for name, bits in artifact.masks.bits.items()})
    none = materialise(network, replace(artifact, masks=zeros))
    assert torch.equal(none(IMAGES), artifact.head.layers[0].bias.expand(7, 2))


def test_a_deeper_head_computes_what_it_computes_alone(network: nn.Module, artifact: ModuleArtifact) -> None:
    generator = torch.Generator().manual_seed(2)
    shapes = ((6, 5), (4, 6), (2, 4))
    layers = [HeadLayer(torch.randn(shape, generator=generator), torch.ones(shape[0])) for shape in shapes]
    deep = replace(artifact, head=LinearHead(tuple(layers)))
    module = materialise(network, deep)
    torch.testing.assert_close(module(IMAGES), deep.head(module.network(IMAGES)))
    assert [name for name in module.state_dict() if name.startswith("head.")] == [
        f"head.{place}.{part}" for place in range(3) for part in ("weight", "bias")
    ]


def test_masks_of_another_network_are_refused_name_by_name(network: nn.Module, artifact: ModuleArtifact) -> None:
    bits = dict(artifact.masks.bits) | {"5.bias": torch.ones(6, dtype=torch.bool), "9.weight": torch.ones(1) > 0}
    with pytest.raises(WeightsMismatch, match=r"2 of 6 masks.*5\.bias") as caught:
        materialise(network, replace(artifact, masks=WeightMasks(bits)))
    assert [violation.field for violation in caught.value.violations] == ["5.bias", "9.weight"]
    assert "missing" in caught.value.violations[1].description


def test_a_head_for_another_number_of_labels_is_refused_when_it_is_met(
    network: nn.Module, artifact: ModuleArtifact
) -> None:
    module = materialise(network, replace(artifact, head=LinearHead.of(torch.zeros(2, 9), torch.zeros(2))))
    with pytest.raises(MalformedFile, match="takes 9 labels, the base model has 5"):
        module(IMAGES)
