"""What a specialisation works with, and what its settings come to on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from modelfoundry.core.batches import Augmentation
from modelfoundry.core.channels import Bypass, ChannelPlan, cut, operated
from modelfoundry.core.channels import LayerCut as Cut
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import Precision
from modelfoundry.core.modules.head_networks import HeadNetwork, network_of_head
from modelfoundry.core.monitor import Monitor
from modelfoundry.core.shelf import NoShelf, Shelf
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.specialise.settings import SpecialiseSettings
from modelfoundry.values.architectures import InputSpec


@dataclass(slots=True)
class Clock:
    """Seconds of computing: CPU seconds of the process over its threads, whatever else the machine does."""

    begun: float = field(default_factory=time.process_time)

    @property
    def seconds(self) -> float:
        """Since it was made."""
        return (time.process_time() - self.begun) / max(1, torch.get_num_threads())

    def add(self, seconds: float) -> None:
        """Counts what was computed before."""
        self.begun -= seconds * max(1, torch.get_num_threads())


@dataclass(frozen=True, eq=False, slots=True)
class Work:
    """What is to be specialised, and on which data."""

    network: nn.Module
    """The trained classifier with convolutions in the place of padded shortcuts, in evaluation mode; untouched."""
    plan: ChannelPlan
    """Its channels."""
    target: Target
    """The problem."""
    train: ImageSet
    """Images to learn from, with the classifier's label numbers."""
    validation: ImageSet
    """Images to fit the threshold on, never test data; their labels are outputs of the module."""
    input_spec: InputSpec
    settings: SpecialiseSettings
    seed: int
    device: torch.device
    precision: Precision
    monitor: Monitor
    augmentation: Augmentation = "crop_flip"
    """How training images are varied."""
    shelf: Shelf = field(default_factory=NoShelf)
    """Where the base's answers are shared with other work."""
    clock: Clock = field(default_factory=Clock)
    """Runs since the work began; what the settings say of seconds counts from there."""

    @property
    def budgets(self) -> bool:
        """Whether something bounds what the file may cost."""
        settings = self.settings
        return bool(settings.max_macs or settings.max_bytes or settings.max_latency)

    @property
    def head(self) -> HeadNetwork:
        """From logits to the problem's outputs, without a threshold."""
        return network_of_head(self.target.head()).requires_grad_(False).to(self.device)

    def generator(self, place: int) -> torch.Generator:
        """Random numbers of one place in the work."""
        return torch.Generator().manual_seed(1000 * (self.seed % 2**40) + place)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided before the network learns: recorded, and taken as it is when it is repeated."""

    widths: str
    """Of all tiers; empty for a network without any that can be cut."""
    left_out: tuple[str, ...]
    """Names of the blocks that are left out."""
    steps: int
    """Batches of both rounds. 0: the network does not learn."""
    views: int
    """Views that all labels draw others from; the base answers them and those of the problem's labels."""

    def record(self) -> dict[str, Any]:
        """As settings say it."""
        return {"widths": self.widths, "left_out": len(self.left_out), "steps": self.steps, "views": self.views}


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """A network that was cut out of the base, as a difference to it."""

    bypasses: tuple[Bypass, ...] = ()
    cuts: tuple[Cut, ...] = ()

    def of(self, network: nn.Module) -> nn.Module:
        """The network in this shape, with the weights that are left; a copy in evaluation mode."""
        return cut(operated(network, self.bypasses), self.cuts).eval()


def float_state(network: nn.Module) -> Mapping[str, Tensor]:
    """Parameters and statistics by name, on the CPU; not counters."""
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in network.state_dict().items()
        if tensor.is_floating_point()
    }
