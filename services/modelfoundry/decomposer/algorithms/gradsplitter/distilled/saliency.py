"""How much a module needs a unit, before any mask is trained: what its log-odds would move by if the unit changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from modelfoundry.decomposer.algorithms.gradsplitter.distilled.trunk import SharedTrunk


def unit_saliency(
    trunk: SharedTrunk,
    heads: Sequence[Callable[[Tensor], Tensor]],
    batches: Iterable[tuple[Tensor, Tensor]],
    units: int,
) -> Tensor:
    """The mean of the squared derivative of a module's log-odds by the unit's bit (Molchanov et al., CVPR 2019).

    Squared image by image: units that speak for one image and against the next count too. Images of a module's labels
    weigh as much as all others.

    Args:
        trunk: Everything is kept.
        heads: For every module logits to its outputs, float32 [n, outputs], the last for the rest.
        batches: Network inputs and, of every image, whether it is of a label of each module: bool [n, modules].
        units: Number of bits of a module.

    Returns:
        float32 [modules, units].
    """
    sums = torch.zeros(len(heads), 2, units)
    counts = torch.zeros(len(heads), 2)
    for images, mine in batches:
        bits = torch.ones(len(images), units, device=images.device, requires_grad=True)
        begun = trunk.begin(images, bits)
        for module, head in enumerate(heads):
            log_odds = head(trunk.logits(begun, bits, module))[:, :-1].sum()
            (by_bits,) = torch.autograd.grad(log_odds, bits, retain_graph=True)
            for place, chosen in enumerate((mine[:, module], ~mine[:, module])):
                sums[module, place] += by_bits[chosen].square().sum(dim=0).cpu()
                counts[module, place] += int(chosen.count_nonzero())
    return (sums / counts.clamp_min(1)[:, :, None]).mean(dim=1)
