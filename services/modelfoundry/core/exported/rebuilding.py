"""Networks from the description of an export: models, modules and compositions, without running anybody's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from modelfoundry.core.architectures import Builders, Family
from modelfoundry.core.architectures.builders import Order
from modelfoundry.core.channels import Bypass, Operation, Projection, Widths, narrowed, operated
from modelfoundry.core.composing import Calibration, ComposedNetwork, Member, NormalisedNetwork, Readout
from modelfoundry.core.exported.classifier import FORMAT, FORMAT_VERSION, OPERATING_VERSION, ImageClassifier
from modelfoundry.core.modules import HeadNetwork, LogOdds, MaterialisedModule, head_network
from modelfoundry.names import shortened
from modelfoundry.values.architectures import EXPORTED_BUILDERS, Architecture, InputSpec


def rebuilt(description: Any, state: Mapping[str, Tensor], builders: Builders) -> ImageClassifier:
    """The network that a description describes, its weights yet to be loaded.

    Args:
        description: What stands in `module.json`.
        state: Tensors by name, for the widths of heads.
        builders: What its networks can be built from.

    Raises:
        ValueError: it describes none, or widths of a compacted network do not fit it.
        UnknownArchitecture, InvalidField: the installed libraries have no such architecture.
    """
    match description:
        case {
            "format": str(name),
            "format_version": int(version),
            "input": {"shape": [_, int(channels), int(height), int(width)]},
            "normalisation": {"mean": [*mean], "std": [*std]},
            "output": {"labels": [*outputs]},
            "kind": str(kind),
        } if name == FORMAT and version in (FORMAT_VERSION, OPERATING_VERSION):
            spec = InputSpec(channels, height, width, tuple(mean), tuple(std)).checked()
            with torch.random.fork_rng(devices=[]):  # weights are drawn only to be overwritten
                network = (
                    _composed_of(description, state, spec, tuple(outputs), builders)
                    if kind == "composition"
                    else _network_of(description, state, spec, tuple(outputs), builders)
                )
            return ImageClassifier(network, spec, tuple(outputs))
    raise ValueError(f"it does not describe a {FORMAT} of version {FORMAT_VERSION} or {OPERATING_VERSION}")


def _build(order: Order) -> nn.Module:
    """The network of a model that was imported from an export: parameters are the part of `module.json` that says what.

    Raises:
        ValueError: they describe none, or one with another number of outputs.
    """
    outputs = tuple(map(str, range(order.label_count)))
    description = {**order.parameters, "kind": order.name}
    if order.name == "composition":
        return _composed_of(description, {}, order.input_spec, outputs, order.builders)
    return _network_of(description, {}, order.input_spec, outputs, order.builders)


def _kinds() -> tuple[str, ...]:
    return tuple(builder.partition(":")[2] for builder in EXPORTED_BUILDERS)


EXPORTED: Final = Family("exported", _kinds, _build, choosable=False)


def _network_of(
    description: Any,
    state: Mapping[str, Tensor],
    spec: InputSpec,
    outputs: tuple[str, ...],
    builders: Builders,
    prefix: str = "",
) -> nn.Module:
    """A model or module with weights yet to be loaded; its tensors have names that begin with `prefix`."""
    match description:
        case {
            "kind": ("model" | "module") as kind,
            "base": {
                "architecture": {"builder": str(), "parameters": {}} as architecture,
                "label_count": int(label_count),
            },
        }:
            network = builders.build(Architecture(**architecture), label_count, spec)
            network = operated(network, _operations(description.get("operations", [])))
            network = narrowed(network, _widths(description.get("widths", {})))
            if kind == "model":
                return network
            return MaterialisedModule(network, _head_of(description, state, prefix, label_count, len(outputs)), outputs)
    raise _no_network("base, kind")


def _composed_of(
    description: Any, state: Mapping[str, Tensor], spec: InputSpec, outputs: tuple[str, ...], builders: Builders
) -> ComposedNetwork:
    """A composition with weights yet to be loaded."""
    match description:
        case {"sources": [*sources], "members": [*members], "shared_tensors": {}}:
            networks = [
                _source_of(source, state, spec, builders, f"sources.{place}.network.")
                for place, source in enumerate(sources)
            ]
            read = [_member_of(member, [len(source["labels"]) for source in sources]) for member in members]
            if len(read) == len(outputs):
                network = ComposedNetwork(networks, read, outputs)
                _tie(network, description["shared_tensors"])
                return network
    raise _no_network("sources, members, shared_tensors")


def _source_of(
    description: Any, state: Mapping[str, Tensor], spec: InputSpec, builders: Builders, prefix: str
) -> NormalisedNetwork:
    match description:
        case {"labels": [*labels], "mean": [*mean], "std": [*std]}:
            own = InputSpec(*spec.shape, tuple(mean), tuple(std))
            return NormalisedNetwork(_network_of(description, state, own, tuple(labels), builders, prefix), own)
    raise _no_network("sources")


def _member_of(description: Any, outputs: Sequence[int]) -> Member:
    """What speaks for a label, where sources have so many outputs."""
    match description:
        case {
            "source": int(source),
            "output": int(column),
            "rest": int() | None as rest,
            "scale": float() | int() as scale,
            "bias": float() | int() as bias,
        } if (
            0 <= source < len(outputs)
            and 0 <= column < outputs[source]
            and (rest is None or 0 <= rest < outputs[source])
        ):
            outside = description.get("outside", False) is True
            return Member(source, Readout(column, rest, outside), Calibration(float(scale), float(bias)))
    raise _no_network("members")


def _no_network(parts: str) -> ValueError:
    return ValueError(f"{parts} do not describe a network as exports do")


def _tie(network: nn.Module, shared: Mapping[str, Any]) -> None:
    """Makes tensors that an export has once one object each.

    Raises:
        ValueError: one of two names is that of no tensor, or they have different shapes.
    """
    tensors = network.state_dict(keep_vars=True)
    for name, first in shared.items():
        tensor, other = tensors.get(first), tensors.get(name)
        if tensor is None or other is None or (type(tensor), tensor.shape) != (type(other), other.shape):
            raise ValueError(f"shared_tensors: {shortened(name)} cannot be {shortened(str(first))}")
        owner, _, last = name.rpartition(".")
        setattr(network.get_submodule(owner), last, tensor)


def _operations(stated: Any) -> list[Operation]:
    """What takes the place of layers."""
    operations: list[Operation] = []
    for operation in stated if isinstance(stated, list) else [stated]:
        match operation:
            case {"layer": str(layer), "projection": {"inputs": int(), "outputs": int(), "stride": int()} as sizes}:
                operations.append(Projection(layer, sizes["inputs"], sizes["outputs"], sizes["stride"]))
            case {"layer": str(layer), "bypass": {}}:
                operations.append(Bypass(layer))
            case _:
                raise ValueError("its operations are no list of layers and what takes their place")
    return operations


def _widths(stated: Any) -> dict[str, Widths]:
    """Widths of the layers of a compacted network; exports of former versions state none."""
    widths: dict[str, Widths] = {}
    if not isinstance(stated, dict):
        raise ValueError("its widths are no object")  # noqa: TRY004  # of a file, not of a caller
    for layer, sides in stated.items():
        match sides:
            case {"inputs": int() | None as inputs, "outputs": int() | None as outputs}:
                widths[layer] = (inputs, outputs)
            case _:
                raise ValueError(f"the widths of {shortened(layer)} are no numbers of inputs and outputs")
    return widths


def _head_of(description: Any, state: Mapping[str, Tensor], prefix: str, label_count: int, outputs: int) -> HeadNetwork:
    """A head with numbers yet to be loaded."""
    match description:
        case {"head": {"log_odds": {"columns": [*columns], "rest": bool(rest)}}}:
            if not all(type(column) is int for column in columns) or len(columns) + rest != outputs:
                raise ValueError(f"its log-odds of {shortened(str(columns))} do not give {outputs} outputs")
            return LogOdds(label_count, columns, rest=rest)
        case {"head": {}}:
            raise ValueError("its head is neither a list of widths nor log-odds")
    return head_network(label_count, _head_widths(description, state, prefix, outputs), None)


def _head_widths(description: Any, state: Mapping[str, Tensor], prefix: str, outputs: int) -> tuple[int, ...]:
    """Number of outputs of every layer of a head; exports of former versions say it by their tensors alone."""
    match description:
        case {"head": [*widths]}:
            if not widths or widths[-1] != outputs or not all(type(width) is int and width > 0 for width in widths):
                raise ValueError(f"its head of {shortened(str(widths))} outputs does not give {outputs}")
            return tuple(widths)
    return (*_hidden_widths(state, prefix), outputs)


def _hidden_widths(state: Mapping[str, Tensor], prefix: str = "") -> list[int]:
    """Number of outputs of every layer of a head but the last."""
    widths: list[int] = []
    while (
        f"{prefix}head.{len(widths) + 1}.weight" in state
        and (bias := state.get(f"{prefix}head.{len(widths)}.bias")) is not None
    ):
        widths.append(bias.numel())
    return widths
