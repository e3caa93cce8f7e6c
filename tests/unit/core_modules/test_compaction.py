from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from modelfoundry.core.channels import plan_channels
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, compact_module, materialise
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(2, 6, 6)
IMAGES = torch.rand(5, *SPEC.shape, generator=torch.Generator().manual_seed(1))


def _all_alive(artifact: ModuleArtifact) -> dict[str, Tensor]:
    """The masks of the artifact, which drop single weights, with every hidden unit read by the first label."""
    bits = {name: mask.clone() for name, mask in artifact.masks.bits.items()}
    bits["5.weight"][0] = True
    return bits


def test_a_channel_that_no_weight_reads_is_removed_from_a_module_of_single_weights(
    network: nn.Module, artifact: ModuleArtifact
) -> None:
    bits = _all_alive(artifact)
    bits["4.weight"][:, 36:72] = False  # the second kernel's map, flattened
    bits["5.weight"][:, 3] = False  # a hidden unit
    module = materialise(network, replace(artifact, masks=WeightMasks(bits)))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    found = compact_module(module, plan_channels(network, SPEC))
    assert [str(cut) for cut in found.cuts] == [
        "0: outputs 3 of 4",
        "1: outputs 3 of 4",
        "4: inputs 108 of 144, outputs 7 of 8",
        "5: inputs 7 of 8",
    ]
    torch.testing.assert_close(found.module(IMAGES), module(IMAGES), atol=1e-5, rtol=0)
    assert found.module.outputs == module.outputs
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_a_module_without_dead_channels_stays_as_it_is(network: nn.Module, artifact: ModuleArtifact) -> None:
    module = materialise(network, replace(artifact, masks=WeightMasks(_all_alive(artifact))))
    found = compact_module(module, plan_channels(network, SPEC))
    assert (found.cuts, found.masks.held) == ((), ())
    assert torch.equal(found.module(IMAGES), module(IMAGES))


def test_one_channel_stays_in_a_layer_that_the_masks_emptied(network: nn.Module, artifact: ModuleArtifact) -> None:
    bits = {**artifact.masks.bits, "4.weight": torch.zeros(8, 144, dtype=torch.bool)}
    module = materialise(network, replace(artifact, masks=WeightMasks(bits)))
    found = compact_module(module, plan_channels(network, SPEC))
    assert found.masks.held == ("0",)
    assert found.module.network[0].out_channels == 1
    torch.testing.assert_close(found.module(IMAGES), module(IMAGES), atol=1e-5, rtol=0)
