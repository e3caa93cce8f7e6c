"""Images and networks that rows are measured with."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import nn

from modelfoundry.client.weights import as_safetensors
from modelfoundry.core.architectures.zoo import NETWORKS
from modelfoundry.core.datasets import ImageSet, read_split, validation_cut
from modelfoundry.core.devices import seeded
from modelfoundry.values.architectures import InputSpec
from tables.rows import CIFAR10

CPU: Final = torch.device("cpu")
SPEC: Final = InputSpec(3, 32, 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""ImageNet's statistics, which the public weights and the seed's networks were trained with."""
VALIDATION: Final = 0.1
TINY: Final = (60, 20)
"""Images of a label to train and to test on, where figures mean nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """CIFAR-10: 45,000 images to learn from, 5,000 to choose on, 10,000 for the figures that are reported."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet

    @classmethod
    def read(cls, folder: Path) -> Images:
        """From `train.safetensors` and `test.safetensors`, as `modelfoundry dataset push` takes them."""
        return cls._cut(read_split(folder / "train.safetensors"), read_split(folder / "test.safetensors"))

    @classmethod
    def tiny(cls) -> Images:
        """A few images of noise that is brighter for every label, in three colours."""
        return cls._cut(*(_noise(count, seed) for seed, count in enumerate(TINY)))

    @classmethod
    def _cut(cls, whole: ImageSet, test: ImageSet) -> Images:
        learnt, held_out = validation_cut(whole.labels, VALIDATION, 0)
        return cls(whole.subset(learnt), whole.subset(held_out), test)


def _noise(count: int, seed: int) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count * len(CIFAR10)) % len(CIFAR10)
    colours = torch.stack([labels % 3, labels // 3 % 3, labels // 9], dim=1)[:, :, None, None]
    noise = torch.randint(0, 60, (len(labels), 3, 32, 32), generator=generator)
    return ImageSet((noise + 90 * colours).to(torch.uint8), labels)


def untrained(name: str, seed: int) -> nn.Module:
    """A network of the zoo for CIFAR-10."""
    with seeded(seed, CPU):
        return NETWORKS[name](label_count=len(CIFAR10), input_channels=3)


def trained(name: str, weights: Path) -> nn.Module:
    """The same with weights of a file: safetensors, or PyTorch's (read as weights alone)."""
    network = untrained(name, 0)
    with tempfile.TemporaryDirectory() as folder:
        network.load_state_dict(load_file(as_safetensors(weights, Path(folder))))
    return network.eval().requires_grad_(False)
