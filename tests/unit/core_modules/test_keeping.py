"""What a module keeps of its base: entries by mask, by cut and by rewriting, kernels, work and bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from modelfoundry.core.channels import ChannelMasks, kernel_weight_masks, plan_channels, plan_cuts
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.metrics import cost, kept_kernels, retention, used_kernels
from modelfoundry.core.modules import (
    ModuleArtifact,
    RewrittenTensors,
    kept_of_base,
    materialise,
    read_module,
    write_module,
)
from modelfoundry.core.networks import build_network
from modelfoundry.errors import WeightsMismatch
from modelfoundry.values.architectures import Architecture, InputSpec

SPEC = InputSpec(2, 6, 6)


def test_a_module_of_masks_alone_keeps_what_they_keep(network: nn.Module, artifact: ModuleArtifact) -> None:
    kept = kept_of_base(network, artifact)
    assert kept.masks == artifact.masks
    assert not kept.rewritten


def test_a_layer_without_a_mask_is_kept_whole(network: nn.Module, artifact: ModuleArtifact) -> None:
    some = replace(artifact, masks=WeightMasks({"4.weight": torch.zeros(8, 144, dtype=torch.bool)}))
    found = retention(network, kept_of_base(network, some).masks)
    assert (found.kept_weights, found.total_weights) == (72 + 4 + 40 + 5, 72 + 4 + 1152 + 40 + 5)
    assert [layer.layer for layer in found.layers] == ["0", "4", "5"]


def test_what_is_rewritten_is_kept_and_counted_by_its_own_numbers(network: nn.Module, artifact: ModuleArtifact) -> None:
    own = torch.arange(40.0).view(5, 8)  # one 0
    rewriting = replace(
        artifact, masks=WeightMasks({}), rewritten=RewrittenTensors({"5.weight": own, "1.bias": own[0, :4]})
    )
    kept = kept_of_base(network, rewriting)
    found = retention(network, kept.masks, kept.rewritten)
    assert found.weight_retention == 1
    assert found.nonzero_weights == found.total_weights - 1
    dropped = replace(rewriting, masks=WeightMasks({"5.weight": own < 8}))
    kept = kept_of_base(network, dropped)
    found = retention(network, kept.masks, kept.rewritten)
    assert (found.total_weights - found.kept_weights, found.kept_weights - found.nonzero_weights) == (32, 1)


@pytest.mark.parametrize("builder", ["zoo:resnet20", "torchvision:mobilenet_v2"])
def test_a_network_that_was_cut_keeps_what_masks_over_the_same_channels_keep(
    builder: str, artifact: ModuleArtifact
) -> None:
    spec = InputSpec(3, 32, 32)
    network = build_network(Architecture(builder), 10, spec).eval()
    plan = plan_channels(network, spec)
    alive = ChannelMasks({group.name: torch.arange(group.units) % 3 != 0 for group in plan.groups})
    masks = kernel_weight_masks(network, plan, alive)
    kept = kept_of_base(network, replace(artifact, masks=WeightMasks({}), cuts=plan_cuts(plan, alive)))
    assert kept.masks == masks
    assert 0.2 < retention(network, kept.masks).weight_retention < 0.8


def test_of_every_part_at_once_only_what_stays_counts(network: nn.Module, rewriting_artifact: ModuleArtifact) -> None:
    kept = kept_of_base(network, rewriting_artifact)
    assert (kept.masks.kept, kept.masks.total) == (rewriting_artifact.masks.kept, 1273)
    assert not kept.masks.bits["0.weight"][2].any()
    assert not kept.masks.bits["5.weight"][:, 5].any()
    rewritten = rewriting_artifact.rewritten.tensors["5.weight"]
    assert torch.equal(kept.rewritten["5.weight"][:, [0, 1, 2, 3, 4, 6, 7]], rewritten)
    assert retention(network, kept.masks, kept.rewritten).kept_kernels == 3


def test_cuts_of_another_network_are_refused(network: nn.Module, rewriting_artifact: ModuleArtifact) -> None:
    with pytest.raises(WeightsMismatch):
        kept_of_base(nn.Sequential(network[0]), rewriting_artifact)


def test_images_use_the_same_kernels_of_a_network_that_was_cut_as_of_one_that_was_masked(
    network: nn.Module, artifact: ModuleArtifact
) -> None:
    plan = plan_channels(network, SPEC)
    alive = ChannelMasks({"0": torch.tensor([True, False, True, True])})
    masked = replace(artifact, masks=kernel_weight_masks(network, plan, alive))
    cut = replace(artifact, masks=WeightMasks({}), cuts=plan_cuts(plan, alive))
    images = torch.randint(0, 256, (9, 2, 6, 6), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
    network[1].momentum = None
    network.train()(images / 255)
    with torch.no_grad():
        network.eval()[1].bias.copy_(torch.tensor([-1.9, -2.0, -2.1, -2.2]))  # every kernel is active in some images
    used = []
    for each in (masked, cut):
        module = materialise(network, each)
        kept = kept_kernels(network, kept_of_base(network, each).masks)
        used.append(used_kernels(module.network, kept, images, SPEC, torch.device("cpu"), module.cuts))
    assert torch.equal(used[0], used[1])
    assert len({tuple(kernel) for kernel in used[1].T.tolist()}) == 4


def test_a_small_network_of_its_own_costs_what_it_is(network: nn.Module, rewriting_artifact: ModuleArtifact) -> None:
    module = materialise(network, rewriting_artifact)
    found = cost(module, SPEC)
    assert found.macs_dense == 3 * 2 * 9 * 36 + 7 * 108 + 5 * 7
    assert found.parameters == (3 * 18 + 3) + 2 * 3 + 7 * 108 + (35 + 5) + 2
    assert found.macs_dense < cost(network, SPEC).macs_dense


def test_all_parts_are_among_the_bytes_of_the_file(tmp_path: Path, rewriting_artifact: ModuleArtifact) -> None:
    path = tmp_path / "m"
    write_module(path, rewriting_artifact)
    whole = path.stat().st_size
    write_module(path, replace(rewriting_artifact, rewritten=RewrittenTensors()))
    assert whole - path.stat().st_size > sum(
        tensor.numel() * tensor.element_size() for tensor in rewriting_artifact.rewritten.tensors.values()
    )
    assert read_module(path).masks == rewriting_artifact.masks
