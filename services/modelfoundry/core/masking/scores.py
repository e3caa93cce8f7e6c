"""Masks under training: one real number per weight, kept when above 0 (SeaM, Qi et al., ICSE 2023, section 3)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modelfoundry.core.masking.layers import maskable_layers
from modelfoundry.core.masking.masks import WeightMasks


class _StraightThrough(torch.autograd.Function):
    """`weight * bit(score)` forward; backward, the bit's gradient reaches the score clamped to [-1, 1].

    The clamp is on the gradient's value, not a gate on the score, and scores are never clipped.
    """

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weight: Tensor, scores: Tensor) -> Tensor:
        # Mask and product in one function: autograd would keep the bits of all weights besides. Chosen, not multiplied:
        # 0 times an infinite weight is no number.
        ctx.save_for_backward(weight)
        return torch.where(scores > 0, weight, 0.0)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[None, Tensor]:
        (weight,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return None, (gradients[0] * weight).clamp_(-1.0, 1.0)


def straight_through(weight: Tensor, scores: Tensor) -> Tensor:
    """The effective weight: `weight` where `scores` are above 0, else 0. Only `scores` receive a gradient."""
    effective: Tensor = _StraightThrough.apply(weight, scores)
    return effective


class MaskScores:
    """Real-valued masks over all maskable parameters of a frozen network."""

    def __init__(self, network: nn.Module) -> None:
        """Begins with a score of 1 for every weight, which keeps all.

        Args:
            network: Its parameters are read, never changed; they must not require gradients.

        Raises:
            UnsupportedModel: the network has no maskable layer.
        """
        parameters = dict(network.named_parameters())
        names = [name for layer in maskable_layers(network) for name in layer.parameter_names]
        self._weights = {name: parameters[name].detach() for name in names}
        self.values: Mapping[str, nn.Parameter] = {
            name: nn.Parameter(torch.ones_like(weight)) for name, weight in self._weights.items()
        }
        """Parameter name to its scores, of the parameter's shape, type, device and memory format."""
        self.total = sum(weight.numel() for weight in self._weights.values())
        """Number of mask entries."""

    def effective(self) -> dict[str, Tensor]:
        """Parameter name to the masked parameter, differentiable with respect to the scores."""
        return {name: straight_through(weight, self.values[name]) for name, weight in self._weights.items()}

    def add_retention_gradient(self, alpha: float) -> None:
        """Adds the gradient of `alpha * retention` to that of every score.

        The retention rate is the mean of all bits, so that through the straight-through estimator every score receives
        the same constant, `alpha / total` (clamped like any other): what concatenating all masks and differentiating
        their mean gives, without doing it.
        """
        constant = min(alpha / self.total, 1.0)
        for scores in self.values.values():
            if scores.grad is None:
                scores.grad = torch.full_like(scores, constant)
            else:
                scores.grad.add_(constant)

    def harden(self) -> WeightMasks:
        """The bits of this moment, as a copy that later training does not touch."""
        return WeightMasks({name: (scores.detach() > 0).cpu().contiguous() for name, scores in self.values.items()})
