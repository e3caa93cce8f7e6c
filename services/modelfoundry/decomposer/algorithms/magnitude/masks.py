"""Which weights stay: those of the greatest size in the whole network (Han et al., NeurIPS 2015, section 3)."""

from __future__ import annotations

import torch
from torch import nn

from modelfoundry.core.masking import WeightMasks, maskable_layers


def greatest_weights(network: nn.Module, retention: float) -> WeightMasks:
    """Keeps a share of all maskable weights, by absolute value over all layers together.

    Args:
        network: Untouched.
        retention: Share that is kept, above 0 and at most 1; rounded to whole weights, one at least.

    Returns:
        Masks on the CPU with exactly that many entries kept. Of equal weights those stay that come first.

    Raises:
        UnsupportedModel: the network has nothing to mask.
    """
    parameters = dict(network.named_parameters())
    names = [name for layer in maskable_layers(network) for name in layer.parameter_names]
    sizes = torch.cat([parameters[name].detach().cpu().float().abs().flatten() for name in names])
    kept = max(1, round(retention * len(sizes)))
    bits = torch.zeros(len(sizes), dtype=torch.bool)
    # Stable, so that equal weights stand in their order on every machine; `topk` promises no order.
    bits[torch.sort(sizes, descending=True, stable=True).indices[:kept]] = True
    parts = torch.split(bits, [parameters[name].numel() for name in names])
    return WeightMasks(
        {name: part.reshape(parameters[name].shape).clone() for name, part in zip(names, parts, strict=True)}
    )
