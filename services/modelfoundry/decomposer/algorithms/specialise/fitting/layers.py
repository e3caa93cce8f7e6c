"""One layer: what it reads at some places, and the weights that give the best answers there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

RIDGE: Final = 1e-3
"""Weight of the distance to the inherited weights, as a part of the inputs' mean square."""
Fitted = nn.Conv2d | nn.Linear


def can_fit(layer: nn.Module) -> bool:
    """Whether every output of a layer reads all of its inputs, with weights of its own."""
    return isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)


def ridge_weights(inputs: Tensor, wanted: Tensor, inherited: Tensor, ridge: float = RIDGE, *, bias: bool) -> Tensor:
    """Weights of a linear map: the least squares of its error plus the distance to those that it inherited.

    Their error on these rows is never above that of the inherited weights with the best constant for them.

    Args:
        inputs: float32 [rows, n].
        wanted: float32 [rows, m].
        inherited: float32 [m, n].
        ridge: Above 0.
        bias: Whether a constant is fitted too, which is not drawn to anything.

    Returns:
        float32 [m, n], or [m, n + 1] with the constants behind.
    """
    count = inputs.shape[1]
    ones = torch.ones(len(inputs), 1, dtype=inputs.dtype)
    rows = torch.cat([inputs, ones], dim=1) if bias else inputs
    square = (rows.T @ rows).double()
    pull = ridge * square.diagonal()[:count].mean().clamp(min=1e-12)
    square.diagonal()[:count] += pull
    if bias:  # a constant that nothing moves would make the system singular
        square.diagonal()[count:] += 1e-9
    right = (rows.T @ wanted).double()
    right[:count] += pull * inherited.double().T
    found: Tensor = torch.linalg.solve(square, right)
    return found.T.float()


def places_of(shape: Sequence[int], count: int, generator: torch.Generator) -> Tensor:
    """Some of the places of a layer's output, each of which is a row: int64 [up to count].

    Args:
        shape: Of the output: [n, channels, height, width] of convolutions, [n, ..., features] of linear layers.
        count: At most so many.
        generator: Draws them.
    """
    total = shape[2] * shape[3] if len(shape) == 4 else int(torch.tensor(shape[1:-1]).prod())
    return torch.randperm(total, generator=generator)[:count].sort().values


def rows_read(layer: Fitted, inputs: Tensor, width: int, places: Tensor) -> Tensor:
    """What a layer reads for some places of its output, float32 [n * places, inputs of one output].

    Args:
        layer: To be fitted.
        inputs: Of the whole layer.
        width: Columns of its output map; of no meaning for linear layers.
        places: int64, of one image.
    """
    if isinstance(layer, nn.Linear):
        return inputs.reshape(len(inputs), -1, inputs.shape[-1])[:, places].flatten(0, 1).float()
    padded = functional.pad(inputs, _padding(layer)).float()
    (rows, columns), (down, right) = layer.kernel_size, layer.dilation
    patches = []
    for place in places.tolist():
        top, left = place // width * layer.stride[0], place % width * layer.stride[1]
        patches.append(padded[:, :, top : top + rows * down : down, left : left + columns * right : right].flatten(1))
    return torch.stack(patches, dim=1).flatten(0, 1)


def rows_written(outputs: Tensor, places: Tensor) -> Tensor:
    """What stands at some places of an output, float32 [n * places, channels]; places as in `rows_read`."""
    if outputs.dim() == 4:
        return outputs.flatten(2)[:, :, places].transpose(1, 2).flatten(0, 1).float()
    return outputs.reshape(len(outputs), -1, outputs.shape[-1])[:, places].flatten(0, 1).float()


def _padding(layer: nn.Conv2d) -> list[int]:
    both: list[int] = layer._reversed_padding_repeated_twice  # of numbers and of the word `same` alike  # noqa: SLF001
    return both


@torch.no_grad()
def write_weights(layer: Fitted, norm: _BatchNorm | None, found: Tensor, inputs: Tensor) -> None:
    """Puts fitted weights into a layer, and its constants into its bias, or into the norm behind it.

    The norm gets the statistics of the new outputs, so that it computes the same by the batch and by what it keeps.

    Args:
        layer: Fitted.
        norm: Behind it; None where the layer's own output was fitted.
        found: As `ridge_weights` gave them: with constants, where there is a norm or a bias.
        inputs: Rows that they were fitted on.
    """
    count = inputs.shape[1]
    layer.weight.copy_(found[:, :count].reshape(layer.weight.shape))
    if norm is None:
        if layer.bias is not None:
            layer.bias.copy_(found[:, count])
        return
    if layer.bias is not None:
        layer.bias.zero_()
    outputs = inputs @ found[:, :count].T
    mean, variance = outputs.mean(0), outputs.var(0, correction=0)
    for name, value in (
        ("running_mean", mean),
        ("running_var", variance),
        ("weight", (variance + norm.eps).sqrt()),
        ("bias", found[:, count] + mean),
    ):
        getattr(norm, name).copy_(value)
