"""ONNX files that are little more than their numbers: short names, no traces of the exporter, nothing twice."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from string import ascii_lowercase
from typing import Any, Final

import onnx

from modelfoundry.core.export.folding import fold_batch_norms
from modelfoundry.core.export.graphs import inner_graphs, is_op, parsed, serialised

_ONES: Final = ("strides", "dilations")


def slim_onnx(content: bytes) -> bytes:
    """Writes an ONNX file again without what nothing needs to run it; its outputs stay what they are.

    Batch normalisation becomes part of the layer before it, equal constants are kept once, unused ones not at all,
    values inside get names of a letter or two, and documentation, names of nodes, shapes inside and attributes that say
    the default go. The names of inputs and outputs, their shapes and the opset stay.

    Args:
        content: One file, its weights inside.

    Returns:
        Equal bytes for equal bytes.
    """
    model = parsed(content)
    fold_batch_norms(model.graph)
    _strip(model)
    _keep_equal_once(model.graph)
    _drop_unused(model.graph)
    _rename(model)
    return serialised(model)


def _strip(model: onnx.ModelProto) -> None:
    model.doc_string = ""
    del model.metadata_props[:]
    versions = {entry.domain: entry.version for entry in model.opset_import}
    for function in model.functions:
        function.doc_string = ""
        del function.metadata_props[:], function.value_info[:]
        _strip_nodes(function.node, versions)
    for graph in _graphs(model.graph):
        graph.doc_string = ""
        del graph.metadata_props[:], graph.value_info[:], graph.quantization_annotation[:]
        for described in _described(graph):
            described.doc_string = ""
            del described.metadata_props[:]
        _strip_nodes(graph.node, versions)


def _strip_nodes(nodes: Iterable[onnx.NodeProto], versions: Mapping[str, int]) -> None:
    for node in nodes:
        node.name = node.doc_string = ""
        del node.metadata_props[:]
        stated = [each for each in node.attribute if not _says_the_default(each, node, versions)]
        del node.attribute[:]
        node.attribute.extend(stated)


def _says_the_default(stated: onnx.AttributeProto, node: onnx.NodeProto, versions: Mapping[str, int]) -> bool:
    stated.doc_string = ""
    value: Any = onnx.helper.get_attribute_value(stated)
    if is_op(node, "Conv", "MaxPool", "AveragePool") and stated.name in _ONES:
        return all(number == 1 for number in value)
    if is_op(node, "Conv", "MaxPool", "AveragePool") and stated.name == "pads":
        return not any(value)
    version = versions.get(node.domain)
    if version is None or not onnx.defs.has(node.op_type, version, node.domain):
        return False
    known = onnx.defs.get_schema(node.op_type, version, node.domain).attributes.get(stated.name)
    if known is None or known.required or known.default_value.type != stated.type:
        return False
    return bool(onnx.helper.get_attribute_value(known.default_value) == value)


def _keep_equal_once(graph: onnx.GraphProto) -> None:
    """Constants with the same numbers become one; so do the weights that sources of a composition share."""
    first: dict[tuple[int, tuple[int, ...], bytes], str] = {}
    same: dict[str, str] = {}
    outputs = {output.name for output in graph.output}
    for tensor in graph.initializer:
        numbers = onnx.numpy_helper.to_array(tensor).tobytes()
        kept = first.setdefault((tensor.data_type, tuple(tensor.dims), numbers), tensor.name)
        if kept != tensor.name and tensor.name not in outputs:
            same[tensor.name] = kept
    if same:
        for inner in _graphs(graph):
            for node in inner.node:
                node.input[:] = [same.get(name, name) for name in node.input]


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Orders constants by their first use, so that equal graphs have equal files, and drops those without one."""
    stored = {tensor.name: tensor for tensor in graph.initializer}
    asked = itertools.chain(_names_read(graph), (output.name for output in graph.output))
    used = dict.fromkeys(name for name in asked if name in stored)
    kept = [onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(stored[name]), name) for name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _names_read(graph: onnx.GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield from node.input
        for inner in inner_graphs(node):
            yield from _names_read(inner)
            yield from (output.name for output in inner.output)


def _rename(model: onnx.ModelProto) -> None:
    graph = model.graph
    public = {described.name for described in (*graph.input, *graph.output)}
    names = {name: name for name in ("", *public)}
    free = (name for name in _short_names() if name not in public)
    for inner in _graphs(graph):
        for described in _described(inner):
            described.name = _short(described.name, names, free)
        for node in inner.node:
            node.input[:] = [_short(name, names, free) for name in node.input]
            node.output[:] = [_short(name, names, free) for name in node.output]


def _short(name: str, names: dict[str, str], free: Iterator[str]) -> str:
    if name not in names:
        names[name] = next(free)
    return names[name]


def _short_names() -> Iterator[str]:
    """`a` to `z`, `aa`, `ab`, ... without end."""
    for length in itertools.count(1):
        yield from map("".join, itertools.product(ascii_lowercase, repeat=length))


def _described(graph: onnx.GraphProto) -> tuple[Any, ...]:
    """Inputs, outputs and constants: what has a name and may have a text."""
    return (*graph.input, *graph.output, *graph.initializer)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and all that are inside of it."""
    yield graph
    for node in graph.node:
        for inner in inner_graphs(node):
            yield from _graphs(inner)
