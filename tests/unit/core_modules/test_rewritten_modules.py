"""Modules with rewritten tensors and cut channels as networks."""

from __future__ import annotations

import copy
import functools
from dataclasses import replace

import pytest
import torch
import torch_pruning
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from modelfoundry.core.channels import (
    ChannelMasks,
    ChannelPlan,
    KeptChannels,
    LayerCut,
    kernel_weight_masks,
    plan_channels,
    plan_cuts,
)
from modelfoundry.core.heads import LinearHead, LogOddsHead
from modelfoundry.core.masking import WeightMasks, masked_state
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, compact_module, materialise
from modelfoundry.core.networks import build_network
from modelfoundry.errors import WeightsMismatch
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem

DIGEST = "sha256:" + "ab" * 32
SPEC = InputSpec(2, 6, 6)
IMAGES = torch.randn(7, 2, 6, 6, generator=torch.Generator().manual_seed(9))
PLAIN = LogOddsHead(5, (3,), True, torch.ones(1), torch.zeros(1))


def _module(**parts: object) -> ModuleArtifact:
    whole = ModuleArtifact(DIGEST, BinaryProblem("horse"), WeightMasks({}), PLAIN, "tried")
    return replace(whole, **parts)


def _floats(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items() if value.is_floating_point()}


def _retrained(network: nn.Module) -> nn.Module:
    """A copy with other numbers everywhere, as if it had been trained on."""
    other = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(6)
    with torch.no_grad():
        for name, value in _floats(network).items():
            other.state_dict()[name].copy_(value * (torch.rand(value.shape, generator=generator) + 0.5))
    return other


def test_a_module_that_changes_nothing_answers_what_the_base_says(network: nn.Module) -> None:
    probabilities = materialise(network, _module())(IMAGES).softmax(1)[:, 0]
    torch.testing.assert_close(probabilities, network(IMAGES).softmax(1)[:, 3])


def test_all_tensors_rewritten_to_the_bases_own_values_are_the_base(network: nn.Module) -> None:
    module = materialise(network, _module(rewritten=RewrittenTensors(_floats(network))))
    assert torch.equal(module.network(IMAGES), network(IMAGES))


def test_all_tensors_rewritten_are_another_network(network: nn.Module) -> None:
    other = _retrained(network)
    before = network(IMAGES)
    module = materialise(network, _module(rewritten=RewrittenTensors(_floats(other))))
    assert torch.equal(module.network(IMAGES), other(IMAGES))
    assert torch.equal(network(IMAGES), before)
    assert not torch.equal(before, other(IMAGES))


def test_half_precision_is_for_keeping_and_not_for_computing(network: nn.Module) -> None:
    other = _retrained(network)
    halves = {name: value.half() for name, value in _floats(other).items()}
    module = materialise(network, _module(rewritten=RewrittenTensors(halves)))
    assert {value.dtype for value in module.network.parameters()} == {torch.float32}
    torch.testing.assert_close(module.network(IMAGES), other(IMAGES), rtol=0.02, atol=0.02)


def test_masks_apply_to_what_is_rewritten(network: nn.Module, artifact: ModuleArtifact) -> None:
    other = _retrained(network)
    both = replace(artifact, rewritten=RewrittenTensors(_floats(other)))
    assert torch.equal(materialise(network, both)(IMAGES), materialise(other, artifact)(IMAGES))


def test_scale_and_shift_beside_the_bases_statistics_say_all_of_a_norm(network: nn.Module) -> None:
    """Two numbers a channel are enough for a norm with other statistics, too: `docs/module-format.md` says how."""
    other = copy.deepcopy(network)
    norm, new = network[1], _retrained(network)[1]
    other[1] = new
    scale = (norm.running_var + norm.eps).sqrt() / (new.running_var + new.eps).sqrt()
    folded = {
        "1.weight": new.weight * scale,
        "1.bias": new.bias + new.weight * (norm.running_mean - new.running_mean) / (new.running_var + new.eps).sqrt(),
    }
    module = materialise(network, _module(rewritten=RewrittenTensors({k: v.detach() for k, v in folded.items()})))
    torch.testing.assert_close(module.network(IMAGES), other(IMAGES))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_masked_module_with_rewritten_norms_is_compacted_to_the_same_outputs(seed: int) -> None:
    network, plan = _zoo("zoo:resnet20")
    generator = torch.Generator().manual_seed(seed)
    alive = ChannelMasks({g.name: torch.rand(g.units, generator=generator) < 0.6 for g in plan.groups})
    norms = {
        name: torch.rand(value.shape, generator=generator) + 0.5
        for name, value in _floats(network).items()
        if ".bn" in name or name.startswith("bn")
    }
    module = materialise(
        network,
        _module(
            masks=kernel_weight_masks(network, plan, alive),
            rewritten=RewrittenTensors(norms),
            head=replace(PLAIN, labels=10),
        ),
    )
    found = compact_module(module, plan)
    assert found.cuts
    images = torch.randn(3, 3, 32, 32, generator=generator)
    torch.testing.assert_close(found.module(images), module(images), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("builder", ["zoo:resnet20", "zoo:digits_cnn"])
def test_a_small_network_of_its_own_computes_what_torch_pruning_left(builder: str) -> None:
    network, plan = _zoo(builder)
    alive = ChannelMasks({g.name: torch.arange(g.units) % 3 != 1 for g in plan.groups})
    images = torch.randn(3, *_spec(builder).shape, generator=torch.Generator().manual_seed(2))
    pruned = _pruned(network, plan, alive, images)
    trained = _retrained(pruned).eval()
    artifact = _module(
        rewritten=RewrittenTensors(_floats(trained)), cuts=plan_cuts(plan, alive), head=replace(PLAIN, labels=10)
    )
    module = materialise(network, artifact)
    assert sum(p.numel() for p in module.network.parameters()) < sum(p.numel() for p in network.parameters())
    assert torch.equal(module.network(images), trained(images))
    torch.testing.assert_close(module(images).softmax(1)[:, 0], trained(images).softmax(1)[:, 3])


def test_a_cut_module_keeps_the_bases_own_weights_where_none_are_rewritten() -> None:
    network, plan = _zoo("zoo:digits_cnn")
    alive = ChannelMasks({g.name: torch.arange(g.units) % 2 == 0 for g in plan.groups})
    masks = kernel_weight_masks(network, plan, alive)
    module = materialise(network, _module(cuts=plan_cuts(plan, alive), head=replace(PLAIN, labels=10)))
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    expected = torch.func.functional_call(network, masked_state(network, masks), (images,))
    torch.testing.assert_close(module.network(images), expected, rtol=1e-4, atol=1e-5)


def test_every_part_at_once_is_cut_then_rewritten_then_masked(
    network: nn.Module, rewriting_artifact: ModuleArtifact
) -> None:
    module = materialise(network, rewriting_artifact)
    state = module.network.state_dict()
    rewritten, masks = rewriting_artifact.rewritten.tensors, rewriting_artifact.masks.bits
    kept = [0, 1, 3]
    assert torch.equal(state["0.weight"], network[0].weight[kept] * masks["0.weight"])
    assert torch.equal(state["5.weight"], rewritten["5.weight"] * masks["5.weight"])
    assert torch.equal(state["1.weight"], rewritten["1.weight"])
    assert torch.equal(state["1.bias"], rewritten["1.bias"].float())
    assert torch.equal(state["1.running_mean"], network[1].running_mean[kept])
    assert module(IMAGES).shape == (7, 2)
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())
    assert module.cuts == rewriting_artifact.cuts


def test_further_channels_of_a_cut_module_are_named_as_those_of_its_base(network: nn.Module) -> None:
    plan = plan_channels(network, SPEC)
    cuts = plan_cuts(plan, ChannelMasks({"0": torch.tensor([True, False, True, True])}))
    module = materialise(network, _module(cuts=cuts))
    with torch.no_grad():
        module.network[4].weight[:, 36:72] = 0  # nothing reads the second of the three kernels that are left
    found = compact_module(module, plan_channels(module.network, SPEC))
    assert {cut.layer: cut.outputs for cut in found.cuts}["0"] == KeptChannels(4, (0, 3))
    assert found.module.cuts == found.cuts
    torch.testing.assert_close(found.module(IMAGES), module(IMAGES), atol=1e-5, rtol=0)


CASES = {
    "a tensor that is not there": (
        {"rewritten": RewrittenTensors({"9.weight": torch.ones(1), "1.bias": torch.ones(4)})},
        r"1 of 2 rewritten tensors do not fit the base model, first 9\.weight: rewritten as \(1,\), .* missing",
    ),
    "a tensor of another shape": (
        {"rewritten": RewrittenTensors({"1.bias": torch.ones(3)})},
        r"in the base model \(4,\)",
    ),
    "a counter": ({"rewritten": RewrittenTensors({"1.num_batches_tracked": torch.tensor(1.0)})}, "missing"),
    "a layer that is not there": ({"cuts": (LayerCut("9", None, KeptChannels(4, (0,))),)}, "has none to cut"),
    "a layer without a rule": ({"cuts": (LayerCut("2", None, KeptChannels(4, (0,))),)}, "has none to cut"),
    "inputs of a norm": ({"cuts": (LayerCut("1", KeptChannels(4, (0,)), None),)}, "has none to cut"),
    "a layer of another width": ({"cuts": (LayerCut("0", None, KeptChannels(8, (0,))),)}, "in the base model it has 4"),
}


@pytest.mark.parametrize(("parts", "said"), CASES.values(), ids=CASES.keys())
def test_what_the_base_does_not_have_is_refused_and_nothing_changed(
    network: nn.Module, parts: dict[str, object], said: str
) -> None:
    before = network(IMAGES)
    with pytest.raises(WeightsMismatch, match=said) as caught:
        materialise(network, _module(**parts))
    assert caught.value.hint
    assert caught.value.violations
    assert torch.equal(network(IMAGES), before)


def test_parts_of_a_group_are_refused() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 1, groups=2), nn.Flatten(), nn.Linear(4, 5)).eval()
    with pytest.raises(WeightsMismatch, match="parts of groups"):
        materialise(network, _module(cuts=(LayerCut("0", None, KeptChannels(4, (0, 1, 2))),)))


def test_a_linear_head_stands_on_rewritten_tensors_as_well(network: nn.Module) -> None:
    other = _retrained(network)
    head = LinearHead.of(torch.eye(2, 5), torch.ones(2))
    module = materialise(network, _module(rewritten=RewrittenTensors(_floats(other)), head=head))
    torch.testing.assert_close(module(IMAGES), head(other(IMAGES)))


def _spec(builder: str) -> InputSpec:
    return InputSpec(1, 8, 8) if builder == "zoo:digits_cnn" else InputSpec(3, 32, 32)


@functools.cache
def _zoo(builder: str) -> tuple[nn.Module, ChannelPlan]:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = build_network(Architecture(builder), 10, _spec(builder))
        network.train()(torch.randn(16, *_spec(builder).shape))
    network.eval().requires_grad_(False)
    return network, plan_channels(network, _spec(builder))


def _pruned(network: nn.Module, plan: ChannelPlan, alive: ChannelMasks, images: Tensor) -> nn.Module:
    """What torch-pruning itself makes of the network when it drops these channels of every group's producer."""
    pruned = copy.deepcopy(network).requires_grad_(True)
    graph = torch_pruning.DependencyGraph().build_dependency(pruned, images, verbose=False)
    for group in plan.groups:
        name, units = next(iter(group.producers.items()))
        layer = pruned.get_submodule(name)
        dropped = [
            channel for channel, unit in enumerate(units.tolist()) if unit >= 0 and not alive.alive[group.name][unit]
        ]
        prune = (
            torch_pruning.prune_linear_out_channels
            if isinstance(layer, nn.Linear)
            else torch_pruning.prune_conv_out_channels
        )
        graph.get_pruning_group(layer, prune, idxs=dropped).prune()
    return pruned.requires_grad_(False)
