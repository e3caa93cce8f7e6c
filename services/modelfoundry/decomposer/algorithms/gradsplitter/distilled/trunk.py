"""A frozen network that several modules run through: together as far as they agree, and then one after another."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.conv import _ConvNd

from modelfoundry.core.channels import ChannelGroup
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.norms import ModuleNorm, replace_norms
from modelfoundry.decomposer.algorithms.gradsplitter.tracing import retraced
from modelfoundry.decomposer.algorithms.gradsplitter.trunk import channel_sources
from modelfoundry.values.architectures import InputSpec

Values = dict[fx.Node, Any]


class SharedTrunk:
    """A network with masks where channels are read (the paper's product of bit and activation), normalised by batch.

    What no module masks for itself is computed once for all: the layers before the first that reads what differs. A
    network that cannot be traced is run whole for every module.

    Args:
        network: The base; untouched.
        groups: The channels that are masked; their units lie one behind another in the bits.
        shared: So many of the first groups have the same bits in all modules, fewer than all.
        modules: Number of modules.
        input_spec: Images that it takes.
        device: Where to compute.
        dtype: Of weights that are neither masks nor norms.
    """

    def __init__(
        self,
        network: nn.Module,
        groups: Sequence[ChannelGroup],
        *,
        shared: int,
        modules: int,
        input_spec: InputSpec,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        copied = copy.deepcopy(network).cpu().eval().requires_grad_(False)
        self.norms = replace_norms(copied)
        sources = channel_sources(groups)
        first, total = sum(group.units for group in groups[:shared]), sum(group.units for group in groups)
        own = {
            copied.get_submodule(name)
            for name, source in sources.items()
            if bool(((source >= first) & (source < total)).any())
        }
        for name, source in sources.items():
            copied.get_submodule(name).register_forward_pre_hook(partial(self._mask, source.to(device)))
        self._bits: Tensor | None = None
        graph = _traced(copied, {copied.get_submodule(name) for name in sources}, input_spec)
        self._before, self._behind = _cut(graph, own)
        self._read = {node for behind in self._behind for node in behind.all_input_nodes} - set(self._behind)
        behind = {layer for node in self._behind for layer in _called(graph, node)}
        for norm in self.norms.values():
            norm.begin(modules if norm in behind else None)
        graph.to(device).to(memory_format=torch.channels_last)
        _narrow(graph, dtype)
        self._interpreter = fx.Interpreter(graph, garbage_collect_values=False)

    def begin(self, images: Tensor, bits: Tensor) -> Values:
        """Computes what is the same for all modules.

        Args:
            images: [n, channels, height, width], normalised, n 2 or more.
            bits: float32 [1, units], or [n, units] where every image has its own; differentiable.

        Returns:
            What `logits` goes on from.
        """
        values: Values = {node: images for node in self._before if node.op == "placeholder"}
        self._run(self._before, values, bits, None)
        return {node: values[node] for node in self._read}

    def logits(self, begun: Values, bits: Tensor, module: int) -> Tensor:
        """Goes on for one module: float32 [n, labels].

        Args:
            begun: What `begin` gave, or tensors in its place.
            bits: As for `begin`.
            module: Number of the module.
        """
        values = dict(begun)
        self._run(self._behind, values, bits, module)
        logits: Tensor = values[self._behind[-1]]
        return logits.float()

    def _run(self, nodes: Iterable[fx.Node], values: Values, bits: Tensor, module: int | None) -> None:
        """Adds what nodes compute to the values."""
        self._bits = torch.cat([bits, bits.new_ones(len(bits), 1)], dim=1)  # the last: channels of no group
        for norm in self.norms.values():
            norm.module = module
        self._interpreter.env = values
        try:
            for node in nodes:
                if node.op != "placeholder":
                    values[node] = self._interpreter.run_node(node)
        finally:
            self._bits, self._interpreter.env = None, {}

    def _mask(self, source: Tensor, layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if self._bits is None:
            return inputs
        read, *others = inputs
        bits = self._bits[:, source].to(read.dtype)
        between = [1] * (read.dim() - 2)
        shape = (*bits.shape, *between) if isinstance(layer, _ConvNd) else (len(bits), *between, bits.shape[1])
        return (read * bits.view(shape), *others)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, ModuleNorm) or super().is_leaf_module(m, module_qualified_name)


def _traced(network: nn.Module, masked: set[nn.Module], input_spec: InputSpec) -> fx.GraphModule:
    """The network as a graph in which every masked layer is called; where that cannot be had, a graph of one call."""
    graph = retraced(network, lambda one: fx.GraphModule(one, _Tracer().trace(one)), input_spec)
    if graph is not None and masked <= {layer for node in graph.graph.nodes for layer in _called(graph, node)}:
        return graph
    one_call = fx.Graph()
    one_call.output(one_call.call_module("network", (one_call.placeholder("images"),)))
    return fx.GraphModule({"network": network}, one_call)


def _called(graph: fx.GraphModule, node: fx.Node) -> set[nn.Module]:
    """The layers that run when a node does."""
    return set(graph.get_submodule(str(node.target)).modules()) if node.op == "call_module" else set()


def _cut(graph: fx.GraphModule, own: set[nn.Module]) -> tuple[list[fx.Node], list[fx.Node]]:
    """Nodes that are the same for all modules, and those that come behind a layer that is a module's own."""
    before: list[fx.Node] = []
    behind: dict[fx.Node, None] = {}
    for node in graph.graph.nodes:
        differs = bool(own & _called(graph, node)) or any(read in behind for read in node.all_input_nodes)
        if differs:
            behind[node] = None
        else:
            before.append(node)
    return before, list(behind)


def _narrow(graph: nn.Module, dtype: torch.dtype) -> None:
    """Gives all weights but the norms' a type, once instead of in every step."""
    for layer in graph.modules():
        if not isinstance(layer, ModuleNorm | nn.ParameterDict):
            for name, value in layer.named_parameters(recurse=False):
                layer.register_parameter(name, nn.Parameter(value.to(dtype), requires_grad=False))
