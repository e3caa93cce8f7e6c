"""One round of distillation: all weights of a small network learn to answer as the base does on the same views."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from modelfoundry.core.checkpoints import optimiser_tensors, restore_optimiser
from modelfoundry.core.devices import Precision, computing_in
from modelfoundry.core.modules.head_networks import HeadNetwork
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss
from modelfoundry.decomposer.algorithms.specialise.lessons import Lessons

_WARM_UP: Final = 0.03
"""Share of the steps in which the learning rate rises from a twentieth of itself."""


class Round:
    """A network that learns, between two steps.

    Args:
        network: Trained in place; in channels-last memory, with gradients.
        lessons: What it learns from.
        head: From logits to the problem's outputs.
        stream: Name of the round: what it draws follows from it.
        steps: Of the round, 1 or more.
        rate: Learning rate (AdamW, without decay).
        falls: Whether the rate falls to 0 as a cosine: of the last round, whose last step is taken as it is.
        temperature: At which answers are compared.
        precision: What is computed in.
        device: Where it is computed.
    """

    def __init__(
        self,
        network: nn.Module,
        lessons: Lessons,
        head: HeadNetwork,
        *,
        stream: str,
        steps: int,
        rate: float,
        falls: bool,
        temperature: float,
        precision: Precision,
        device: torch.device,
    ) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last).requires_grad_(True).train()
        self._lessons, self._head, self._stream = lessons, head, stream
        self.steps, self._rate, self._falls = steps, rate, falls
        self._temperature, self._precision, self._device = temperature, precision, device
        self._optimiser = torch.optim.AdamW(self.network.parameters(), rate, weight_decay=0.0, fused=True)
        self.step = 0
        """Steps that were run."""

    def run_step(self) -> float:
        """One batch; returns its loss."""
        inputs, taught = self._lessons.batch(self._stream, self.step)
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * rate_at(self.step, self.steps, falls=self._falls)
        with computing_in(self._precision, self._device):
            logits = self.network(inputs)
        loss = distillation_loss(logits.float(), taught, self._head, self._temperature)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.step += 1
        return float(loss.detach())

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs but the number of the step."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        return tensors | optimiser_tensors(self._optimiser, "optimiser")

    def restore(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Goes to where `state` was taken."""
        own = self.network.state_dict()
        self.network.load_state_dict({name: tensors[f"network.{name}"] for name in own})
        restore_optimiser(self._optimiser, "optimiser", tensors)
        self.step = step


def rate_at(step: int, steps: int, *, falls: bool) -> float:
    """Part of the learning rate in a step: it rises at first, and falls to 0 where it is to fall.

    Args:
        step: From 0 to `steps` - 1.
        steps: Of the round, 1 or more.
        falls: Whether it is the last round.
    """
    passed = step / steps
    rise = min(1.0, 0.05 + passed / _WARM_UP)
    return rise * (0.5 * (1 + math.cos(math.pi * passed)) if falls else 1.0)


@torch.no_grad()
def renew_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Takes the statistics of batch normalisations anew (Li et al., ECCV 2020): the mean over all batches.

    Args:
        network: In evaluation mode afterwards. One without such norms stays as it is.
        batches: Its inputs, float32 [n, channels, height, width] each, n 2 or more.
    """
    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm) and layer.running_mean is not None]
    network.eval()
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    for images in batches if norms else ():
        network(images)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    network.eval()
