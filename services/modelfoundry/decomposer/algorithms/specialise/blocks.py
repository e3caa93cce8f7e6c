"""Which blocks a network can do without: those whose loss changes its answers least, measured one by one."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.batches import to_input
from modelfoundry.core.channels import Bypass, operated, removable_blocks
from modelfoundry.core.devices import computing_in
from modelfoundry.decomposer.algorithms.distilling.drawing import BalancedDraws
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss
from modelfoundry.decomposer.algorithms.specialise.work import Work

HARM_IMAGES: Final = 512


def harm_images(work: Work) -> Tensor:
    """Training images that the loss of a block is measured on, as the network takes them: always the same ones."""
    draws = BalancedDraws(work.train.labels, work.target, work.seed)
    return to_input(work.train.images[draws.draw("harm", HARM_IMAGES)], work.input_spec, work.device)


@torch.no_grad()
def blocks_by_harm(network: nn.Module, images: Tensor, work: Work) -> tuple[str, ...]:
    """Blocks that can be left out, those first that are missed least.

    Args:
        network: The base, in evaluation mode.
        images: Its inputs, float32 [n, channels, height, width].
        work: Says problem, temperature and precision.

    Raises:
        Cancelled: the monitor says so.
    """

    def answers(some: nn.Module) -> Tensor:
        work.monitor.check_cancelled()
        with computing_in(work.precision, work.device):
            logits: Tensor = some(images)
        return logits.float()

    right = answers(network)
    harm = {
        name: float(
            distillation_loss(
                answers(operated(network, [Bypass(name)]).eval()), right, work.head, work.settings.temperature
            )
        )
        for name in removable_blocks(network, work.input_spec)
    }
    return tuple(sorted(harm, key=lambda name: harm[name]))
