"""What a network costs to run and to keep: multiply-accumulates and bytes (SeaM, Qi et al., ICSE 2023, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from modelfoundry.core.inference import evaluating
from modelfoundry.values.architectures import InputSpec


@dataclass(frozen=True, slots=True)
class Cost:
    """Figures of one image."""

    macs_dense: int
    """Multiply-accumulates of convolutions and linear layers, all weights counted; biases and norms are not."""
    macs_sparse: int
    """The same, counting only weights that are not 0."""
    parameter_bytes: int
    """Bytes of all parameters and buffers, those shared by several layers once."""
    parameters: int
    """Number of parameters, shared ones once."""


def cost(network: nn.Module, input_spec: InputSpec) -> Cost:
    """Counts by running one black image through the network.

    Every call of a convolution or linear operation counts, also where no layer object makes it (inside of attention
    blocks, or with weights that are computed first). For a module, pass it materialised: its head then counts too.

    Args:
        network: Network in any mode, on any device; put back as it was.
        input_spec: Images that it takes.
    """
    device = next(network.parameters()).device
    counter = _Counter()
    with torch.inference_mode(), evaluating(network), _attention_counted(network, counter), counter:
        network(torch.zeros(1, *input_spec.shape, device=device))
    tensors = [*network.parameters(), *network.buffers()]
    return Cost(
        macs_dense=counter.dense,
        macs_sparse=counter.sparse,
        parameter_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
    )


_BY_OUTPUT: Final[frozenset[Callable[..., Any]]] = frozenset(
    {functional.linear, functional.conv1d, functional.conv2d, functional.conv3d}
)
"""Every weight is used once for each output position; the weight's first extent is the output's channels."""
_BY_INPUT: Final[frozenset[Callable[..., Any]]] = frozenset(
    {functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d}
)
"""Every weight is used once for each input position; the weight's first extent is the input's channels."""


class _Counter(TorchFunctionMode):
    """Sees every call of an operation of torch while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = 0
        self.sparse = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        output = func(*args, **named)
        if func in _BY_OUTPUT or func in _BY_INPUT:
            weight = args[1] if len(args) > 1 else named["weight"]
            source = args[0] if args else named["input"]
            self.add(weight, (output if func in _BY_OUTPUT else source).numel() // weight.shape[0])
        return output

    def add(self, weight: Tensor, uses: int) -> None:
        """Counts `uses` multiplications with every weight."""
        self.dense += weight.numel() * uses
        self.sparse += int(weight.count_nonzero()) * uses


@contextmanager
def _attention_counted(network: nn.Module, counter: _Counter) -> Iterator[None]:
    """Counts the projections of `nn.MultiheadAttention`, whose operations are one call for a function mode."""

    def count(layer: nn.MultiheadAttention, inputs: tuple[Any, ...], named: dict[str, Any], _: Any) -> None:
        query, key, value = (*inputs, *(named[name] for name in ("query", "key", "value")[len(inputs) :]))[:3]
        if layer.in_proj_weight is not None:
            projections = layer.in_proj_weight.chunk(3)
        else:
            projections = (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)
        for weight, tokens in zip(projections, (query, key, value), strict=True):
            counter.add(weight, tokens.numel() // weight.shape[1])
        counter.add(layer.out_proj.weight, query.numel() // query.shape[-1])

    layers = [layer for layer in network.modules() if isinstance(layer, nn.MultiheadAttention)]
    handles = [layer.register_forward_hook(count, with_kwargs=True) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
