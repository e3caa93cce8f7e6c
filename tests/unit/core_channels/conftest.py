from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

Settle = Callable[[nn.Module, torch.Tensor], nn.Module]


@pytest.fixture(scope="session")
def settled() -> Settle:
    """Gives a network norms and scales of a trained one: a dropped channel is then a constant other than 0."""

    def settle(network: nn.Module, images: torch.Tensor) -> nn.Module:
        generator = torch.Generator().manual_seed(7)
        norms = [layer for layer in network.modules() if isinstance(layer, _NormBase) and layer.affine]
        with torch.no_grad():
            for norm in norms:
                norm.weight.copy_(torch.rand(norm.num_features, generator=generator) + 0.5)
                norm.bias.copy_(torch.rand(norm.num_features, generator=generator) - 0.2)
                norm.momentum = None  # the mean of what is seen: the statistics of the one batch
            for name, parameter in network.named_parameters():
                if name.endswith("layer_scale"):  # begins at 1e-6, which would hide all blocks
                    parameter.fill_(0.5)
            network.train()(images)
        return network.eval().requires_grad_(False)

    return settle
