"""A network written anew as a graph, where that changes nothing but speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import nn
from torch.fx import GraphModule

from modelfoundry.values.architectures import InputSpec

_UNTRACEABLE: Final = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
"""What tracing raises of a network that it cannot follow; `NotImplementedError` is a `RuntimeError`."""
_TOLERANCE: Final = 1e-4


def retraced(network: nn.Module, trace: Callable[[nn.Module], nn.Module], input_spec: InputSpec) -> GraphModule | None:
    """The graph that tracing gives, if it computes what the network does.

    Args:
        network: On the CPU; untouched but for what `trace` does.
        trace: Writes it as a graph.
        input_spec: Images that it takes.

    Returns:
        None where tracing cannot follow the network, or answers of two random images differ by more than rounding.
    """
    images = torch.randn(2, *input_spec.shape, generator=torch.Generator().manual_seed(0))
    try:
        graph = trace(network)
        with torch.no_grad():
            expected, found = network(images), graph(images)
    except _UNTRACEABLE:
        return None
    if not isinstance(graph, GraphModule) or found.shape != expected.shape:
        return None
    scale = max(float(expected.abs().max()), 1.0)
    return graph if float((found - expected).abs().max()) <= _TOLERANCE * scale else None
