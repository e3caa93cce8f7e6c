"""GradSplitter's step as published (Qi et al., TOSEM 2023, section 3): a module for every label, a pass for each."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from reference.binarising import binarise


class ReferenceSplitter:
    """A frozen network, and for every module float masks over its kernels and a head of two layers.

    Args:
        network: The trained classifier; untouched. Dropout is skipped.
        masked: The layers whose activations (behind their ReLU) are masked, each with the layer whose masks it shares:
            itself, or an earlier one that it is added to.
        heads: For every label, from the network's logits to its score, before the sigmoid; trained.
        alpha: Weight of the kept share of kernels in the loss of epochs that train masks.
    """

    def __init__(
        self,
        network: nn.Module,
        masked: Mapping[str, str],
        heads: Sequence[nn.Module],
        *,
        lr_mask: float,
        lr_head: float,
        alpha: float,
    ) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.heads, self.alpha, self._masked = heads, alpha, masked
        widths = {name: _kernels(self.network.get_submodule(name)) for name in dict.fromkeys(masked.values())}
        self.masks = [
            {name: nn.Parameter(torch.ones(width)) for name, width in widths.items()} for _ in range(len(heads))
        ]
        self._bits: dict[str, Tensor] = {}
        for name in masked:
            self.network.get_submodule(name).register_forward_hook(
                lambda _layer, _inputs, output, name=name: self._times_bits(name, output)
            )
        of_heads = [parameter for head in heads for parameter in head.parameters()]
        of_masks = [parameter for masks in self.masks for parameter in masks.values()]
        self._head_optimiser = torch.optim.Adam(of_heads, lr=lr_head)
        self._joint_optimiser = torch.optim.Adam(
            [{"params": of_heads, "lr": lr_head}, {"params": of_masks, "lr": lr_mask}]
        )

    def step(self, images: Tensor, labels: Tensor, *, with_masks: bool = True) -> float:
        """One batch, of masks and heads or of the heads alone.

        Args:
            images: float32 [n, channels, height, width], normalised.
            labels: int64 [n].

        Returns:
            The loss: cross entropy of all sigmoids, plus alpha times the kept share where masks are trained.
        """
        optimiser = self._joint_optimiser if with_masks else self._head_optimiser
        optimiser.zero_grad()
        scores, all_bits = [], []
        for masks, head in zip(self.masks, self.heads, strict=True):
            self._bits = {name: binarise(values) for name, values in masks.items()}
            scores.append(torch.sigmoid(head(functional.relu(self.network(images)))))
            all_bits += [self._bits[source] for source in self._masked.values()]
        loss = functional.cross_entropy(torch.cat(scores, dim=1), labels)
        if with_masks:
            loss = loss + self.alpha * torch.cat(all_bits).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        return float(loss.detach())

    def _times_bits(self, name: str, output: Tensor) -> Tensor:
        return torch.einsum("j,ijkl->ijkl", self._bits[self._masked[name]], output)


def published_head(labels: int, width: int) -> nn.Sequential:
    """A module's head behind the ReLU of the logits."""
    return nn.Sequential(nn.Linear(labels, width), nn.ReLU(), nn.Linear(width, 1))


def _kernels(layer: nn.Module) -> int:
    """Output channels of the one convolution in a layer."""
    (convolution,) = (part for part in layer.modules() if isinstance(part, nn.Conv2d))
    return convolution.out_channels
