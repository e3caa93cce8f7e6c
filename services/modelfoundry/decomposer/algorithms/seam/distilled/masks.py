"""Scores of all weights in one row, and the network's parameters with all but the best of them at 0."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modelfoundry.core.masking import WeightMasks, maskable_layers
from modelfoundry.decomposer.algorithms.distilling.density import rank_scores, top_k


class RankedMasks:
    """One score for every maskable weight, compared over all layers.

    Args:
        network: Its parameters are read, never changed; they must not require gradients.

    Raises:
        UnsupportedModel: the network has no maskable layer.
    """

    def __init__(self, network: nn.Module) -> None:
        parameters = dict(network.named_parameters())
        names = [name for layer in maskable_layers(network) for name in layer.parameter_names]
        self.layout = tuple((name, tuple(parameters[name].shape)) for name in names)
        """Parameter names and shapes, in the order of the scores."""
        self._sizes = [parameters[name].numel() for name in names]
        self._weights = torch.cat([parameters[name].detach().reshape(-1) for name in names])
        self.scores = nn.Parameter(rank_scores(self._weights))
        """float32 [total]; their gradient is that of the kept weights times the weights."""
        self.total = len(self._weights)
        """Number of mask entries."""

    def masked(self, kept: int) -> Tensor:
        """All weights in a row, 0 but for the `kept` best: float32 [total], a leaf whose gradient can be asked for."""
        return torch.where(top_k(self.scores.detach(), kept), self._weights, 0.0).requires_grad_()

    def state(self, weights: Tensor) -> Mapping[str, Tensor]:
        """Parameter name to its part of a row of weights."""
        parts = torch.split(weights, self._sizes)
        return {name: part.view(shape) for (name, shape), part in zip(self.layout, parts, strict=True)}

    def pass_gradient(self, weights: Tensor) -> None:
        """Gives the scores the gradient of a row of weights, straight through the choice of the best.

        As in SeaM, a score receives the gradient of its bit, clamped to [-1, 1], whether the bit is set or not.
        """
        if weights.grad is None:
            raise RuntimeError("no gradient came back to the weights")
        self.scores.grad = (weights.grad * self._weights).clamp_(-1.0, 1.0)

    def harden(self, kept: int) -> WeightMasks:
        """The bits of the `kept` best, as a copy that later training does not touch."""
        bits = torch.split(top_k(self.scores.detach(), kept).cpu(), self._sizes)
        return WeightMasks(
            {name: part.reshape(shape).clone() for (name, shape), part in zip(self.layout, bits, strict=True)}
        )
