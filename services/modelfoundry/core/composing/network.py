"""A composition as a network: its members' log-odds side by side (GradSplitter, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from modelfoundry.core.composing.calibration import UNCALIBRATED, Calibration
from modelfoundry.core.composing.readout import Readout, log_odds
from modelfoundry.core.composing.sharing import CallPlan, SharedCalls, share_equal_tensors
from modelfoundry.core.inference import evaluating
from modelfoundry.values.architectures import InputSpec


@dataclass(frozen=True, slots=True)
class Member:
    """What speaks for one label."""

    source: int
    """Place of the network among the sources."""
    readout: Readout
    calibration: Calibration = UNCALIBRATED


class NormalisedNetwork(nn.Module):
    """A network that is given images in [0, 1] and normalises them itself."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, input_spec: InputSpec) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(input_spec.means, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(input_spec.deviations, dtype=torch.float32).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """The network's logits."""
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits


class ComposedNetwork(nn.Module):
    """Networks run on the same images, one of their outputs for every label.

    In evaluation mode, after `share_work`, equal calls of different sources are made once.

    Attributes:
        sources: The networks.
        members: Which output of which source speaks for every label.
        labels: Meaning of the outputs, in order.
    """

    scale: Tensor
    bias: Tensor

    def __init__(self, sources: Sequence[nn.Module], members: Sequence[Member], labels: Sequence[str]) -> None:
        super().__init__()
        self.sources = nn.ModuleList(sources)
        self.labels = tuple(labels)
        self.members = tuple(members)
        self._plan: CallPlan | None = None
        self.register_buffer("scale", torch.tensor([member.calibration.scale for member in members]))
        self.register_buffer("bias", torch.tensor([member.calibration.bias for member in members]))

    def forward(self, images: Tensor) -> Tensor:
        """Calibrated log-odds of every label, float32 [n, labels].

        The largest is that of the largest sigmoid score; their softmax are probabilities.
        """
        shared = self._plan is not None and not self.training
        with SharedCalls(self._plan) if shared else nullcontext():
            logits = [source(images) for source in self.sources]
        columns = [log_odds(logits[member.source], member.readout) for member in self.members]
        return torch.stack(columns, dim=1) * self.scale + self.bias

    def share_work(self, input_spec: InputSpec) -> Self:
        """Looks for work that sources have in common, proves on random images that doing it once changes nothing.

        Where a source changes tensors in place, or outputs differ, everything is computed as before.

        Args:
            input_spec: Images that the composition takes.

        Returns:
            Itself, on the device where it was.
        """
        share_equal_tensors(self.sources)
        self._plan = None
        images = torch.rand(2, *input_spec.shape, generator=torch.Generator().manual_seed(0)).to(self.scale.device)
        with torch.inference_mode(), evaluating(self):
            expected = self(images)
            with SharedCalls() as calls:
                for source in self.sources:
                    source(images)
            if calls.plan.in_place or not calls.plan.uses:
                return self
            self._plan = calls.plan
            # Bit by bit: the same calls on the same tensors cannot round differently, so every difference is a mistake.
            if not torch.equal(self(images), expected):
                self._plan = None
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # A tensor that several sources share stays one object when it is moved.
        moved: dict[int, tuple[Tensor, Tensor]] = {}

        def once(tensor: Tensor) -> Tensor:
            return moved.setdefault(id(tensor), (tensor, fn(tensor)))[1]

        super()._apply(once, recurse)  # type: ignore[no-untyped-call]
        return self


def compose_network(
    sources: Sequence[tuple[nn.Module, InputSpec]], members: Sequence[Member], labels: Sequence[str]
) -> tuple[ComposedNetwork, InputSpec]:
    """Joins networks that take images of one size; each normalises them in its own way.

    Args:
        sources: Networks and what they take; they become part of the composition.
        members: One for every label.
        labels: Of the composition.

    Returns:
        The composition in evaluation mode, and what it takes: images in [0, 1], that is with mean 0 and deviation 1.

    Raises:
        ValueError: images of the sources have different channels or sizes.
    """
    shapes = {spec.shape for _, spec in sources}
    if len(shapes) != 1:
        raise ValueError(f"members take images of {' and '.join(map(str, sorted(shapes)))}")
    shape = shapes.pop()
    whole = InputSpec(*shape, mean=(0.0,) * shape[0], std=(1.0,) * shape[0])
    networks = [NormalisedNetwork(network, spec) for network, spec in sources]
    composed = ComposedNetwork(networks, members, labels).eval().requires_grad_(False)
    return composed.share_work(whole), whole
