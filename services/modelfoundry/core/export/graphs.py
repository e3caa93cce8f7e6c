"""What the functions over ONNX graphs share: the constants of a graph, who reads what, and names that are free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray

Numbers = NDArray[Any]

_DEFAULT_DOMAIN: Final = ("", "ai.onnx")


def parsed(content: bytes) -> onnx.ModelProto:
    """The model of a file's bytes."""
    return onnx.ModelProto.FromString(content)


def serialised(model: onnx.ModelProto) -> bytes:
    """The bytes of a model: equal models give equal bytes.

    Raises:
        onnx.checker.ValidationError: it is none.
    """
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def is_op(node: onnx.NodeProto, *kinds: str) -> bool:
    """Whether a node is one of ONNX's own operators of these names."""
    return node.domain in _DEFAULT_DOMAIN and node.op_type in kinds


def attribute(node: onnx.NodeProto, name: str, default: Any) -> Any:
    """Value of an attribute, or the default where it is not stated."""
    found = next((each for each in node.attribute if each.name == name), None)
    return default if found is None else onnx.helper.get_attribute_value(found)


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Bodies of branches and loops."""
    for each in node.attribute:
        if each.type == onnx.AttributeProto.GRAPH:
            yield each.g
        yield from each.graphs


def uses_of(graph: onnx.GraphProto) -> Counter[str]:
    """How often each value is read, by nodes, bodies of branches, and whoever runs the graph."""
    uses: Counter[str] = Counter(output.name for output in graph.output)
    for node in graph.node:
        uses.update(name for name in node.input if name)
        for inner in inner_graphs(node):
            uses.update(uses_of(inner))
    return uses


class Constants:
    """The initialisers of a graph as arrays, which can be added to."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._taken = {name for node in graph.node for name in (*node.input, *node.output)} | self._stored.keys()

    def __contains__(self, name: str) -> bool:
        return name in self._stored

    def array(self, name: str) -> Numbers | None:
        """Numbers of an initialiser; None for what is computed, or not given at all."""
        tensor = self._stored.get(name)
        return None if tensor is None else onnx.numpy_helper.to_array(tensor)

    def add(self, values: Numbers, like: str) -> str:
        """Adds an initialiser and gives its name, which begins with `like` and was free."""
        name = self.free_name(like)
        tensor = onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)
        self._graph.initializer.append(tensor)
        self._stored[name] = tensor
        return name

    def free_name(self, like: str) -> str:
        """A name that nothing has."""
        number = 0
        while (name := f"{like}.{number}") in self._taken:
            number += 1
        self._taken.add(name)
        return name
