"""Networks from the description of an export: models, modules and compositions, without running anybody's code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelfoundry.core.architectures import Architecture, InputSpec, build_network
from modelfoundry.core.channels import Widths, narrowed
from modelfoundry.core.composing import Calibration, ComposedNetwork, Member, NormalisedNetwork, Readout
from modelfoundry.core.export.subject import DESCRIPTION_FILE, FORMAT, FORMAT_VERSION, ImageClassifier
from modelfoundry.core.modules import MaterialisedModule, head_network
from modelfoundry.errors import MalformedFile
from modelfoundry.names import shortened


def rebuilt(description: Any, state: Mapping[str, Tensor]) -> ImageClassifier:
    """The network that a description describes, its weights yet to be loaded.

    Args:
        description: What stands in `module.json`.
        state: Tensors by name, for the widths of heads.

    Raises:
        MalformedFile: it describes none.
        ValueError: widths of a compacted network do not fit it.
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
        } if (name, version) == (FORMAT, FORMAT_VERSION):
            spec = InputSpec(channels, height, width, tuple(mean), tuple(std))
            with torch.random.fork_rng(devices=[]):
                network = (
                    _composed_of(description, state, spec, tuple(outputs))
                    if kind == "composition"
                    else _network_of(description, state, spec, tuple(outputs))
                )
            return ImageClassifier(network, spec, tuple(outputs))
    raise _malformed()


def _network_of(
    description: Any, state: Mapping[str, Tensor], spec: InputSpec, outputs: tuple[str, ...], prefix: str = ""
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
            network = build_network(Architecture(**architecture), label_count, spec)
            network = narrowed(network, _widths(description.get("widths", {})))
            if kind == "model":
                return network
            head = head_network(label_count, (*_hidden_widths(state, prefix), len(outputs)), "cpu")
            return MaterialisedModule(network, head, outputs)
    raise _malformed()


def _composed_of(
    description: Any, state: Mapping[str, Tensor], spec: InputSpec, outputs: tuple[str, ...]
) -> ComposedNetwork:
    """A composition with weights yet to be loaded."""
    match description:
        case {"sources": [*sources], "members": [*members], "shared_tensors": {}}:
            networks = [
                _source_of(source, state, spec, f"sources.{place}.network.") for place, source in enumerate(sources)
            ]
            read = [_member_of(member, [len(source["labels"]) for source in sources]) for member in members]
            if len(read) == len(outputs):
                return ComposedNetwork(networks, read, outputs)
    raise _malformed()


def _source_of(description: Any, state: Mapping[str, Tensor], spec: InputSpec, prefix: str) -> NormalisedNetwork:
    match description:
        case {"labels": [*labels], "mean": [*mean], "std": [*std]}:
            own = InputSpec(*spec.shape, tuple(mean), tuple(std))
            return NormalisedNetwork(_network_of(description, state, own, tuple(labels), prefix), own)
    raise _malformed()


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
            return Member(source, Readout(column, rest), Calibration(float(scale), float(bias)))
    raise _malformed()


def _has(outputs: Sequence[int], source: int, output: int) -> bool:
    return 0 <= source < len(outputs) and 0 <= output < outputs[source]


def _malformed() -> MalformedFile:
    return MalformedFile(
        f"{DESCRIPTION_FILE} does not describe a {FORMAT} of version {FORMAT_VERSION}",
        hint="export it again with this version of ModelFoundry",
    )


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


def _hidden_widths(state: Mapping[str, Tensor], prefix: str = "") -> list[int]:
    """Number of outputs of every layer of a head but the last."""
    widths: list[int] = []
    while (
        f"{prefix}head.{len(widths) + 1}.weight" in state
        and (bias := state.get(f"{prefix}head.{len(widths)}.bias")) is not None
    ):
        widths.append(bias.numel())
    return widths
