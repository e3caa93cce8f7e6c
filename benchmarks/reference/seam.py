"""SeaM's step as published (Qi et al., ICSE 2023, section 3): one problem, masks over all weights, a linear head."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from reference.binarising import binarise


class ReferenceSeam:
    """A frozen network, a float mask for every weight and bias of its convolutions and linear layers, and a head.

    Args:
        network: The trained classifier; untouched.
        head: From its logits to the outputs of the problem; trained.
        alpha: Weight of the kept share in the loss.
    """

    def __init__(self, network: nn.Module, head: nn.Linear, *, lr_mask: float, lr_head: float, alpha: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).train()
        for layer in self.network.modules():
            if isinstance(layer, _BatchNorm):
                layer.eval()
        self.head, self.alpha = head, alpha
        self.weights = {
            f"{name}.{part}": weight
            for name, layer in self.network.named_modules()
            if isinstance(layer, nn.Conv2d | nn.Linear)
            for part, weight in layer.named_parameters(recurse=False)
        }
        self.masks = {name: nn.Parameter(torch.ones_like(weight)) for name, weight in self.weights.items()}
        self._head_optimiser = torch.optim.Adam(head.parameters(), lr=lr_head)
        self._joint_optimiser = torch.optim.Adam(
            [
                {"params": list(self.masks.values()), "lr": lr_mask},
                {"params": list(head.parameters()), "lr": lr_head},
            ]
        )

    def step(self, images: Tensor, labels: Tensor, *, with_masks: bool = True) -> float:
        """One batch, of masks and head or of the head alone.

        Args:
            images: float32 [n, channels, height, width], normalised.
            labels: Numbers of the right outputs, int64 [n].

        Returns:
            The loss: cross entropy plus alpha times the kept share of all weights.
        """
        optimiser = self._joint_optimiser if with_masks else self._head_optimiser
        optimiser.zero_grad()
        outputs, kept_share = self.outputs(images)
        loss = functional.cross_entropy(outputs, labels) + self.alpha * kept_share
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(loss.detach())

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What the module answers to images as `step` takes them, [n, outputs], and the kept share of all weights."""
        bits = {name: binarise(masks) for name, masks in self.masks.items()}
        masked = {name: weight * bits[name] for name, weight in self.weights.items()}
        logits = functional_call(self.network, masked, (images,))
        return self.head(functional.relu(logits)), torch.cat([one.flatten() for one in bits.values()]).mean()
