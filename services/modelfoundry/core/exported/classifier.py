"""What an export is: the name of its format, and the network as its users call it."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.values.architectures import InputSpec

FORMAT: Final = "modelfoundry.export"
FORMAT_VERSION: Final = 1
OPERATING_VERSION: Final = 2
"""Of descriptions in which something takes the place of layers; all others stay what former versions read."""
DESCRIPTION_FILE: Final = "module.json"


class ImageClassifier(nn.Module):
    """A network that takes images as users have them: float32 [n, channels, height, width] in [0, 1].

    Normalisation is part of it. The softmax of its logits are probabilities.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, input_spec: InputSpec, outputs: tuple[str, ...]) -> None:
        super().__init__()
        self.network = network
        self.input_spec = input_spec
        self.outputs = outputs
        self.register_buffer("mean", torch.tensor(input_spec.means, dtype=torch.float32).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(input_spec.deviations, dtype=torch.float32).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float32 [n, outputs]."""
        logits: Tensor = self.network((images - self.mean) / self.std)
        return logits
