"""Whether what a module changes is there in the base network at hand, layer by layer and name by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from modelfoundry.core.channels import (
    KeptChannels,
    LayerCut,
    Operation,
    Side,
    channel_count,
    cut,
    head_count,
    operated,
)
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules.rewriting import RewrittenTensors
from modelfoundry.errors import FieldViolation, WeightsMismatch
from modelfoundry.values.architectures import InputSpec

_HINT: Final = "use the base model whose digest the module names"
_NAMED_AT_MOST: Final = 40
"""Violations in one error: all of them must fit the 8 KiB of a gRPC trailer."""


def operated_as_planned(network: nn.Module, operations: tuple[Operation, ...]) -> nn.Module:
    """The network with what a module has in place of some of its layers: a copy, or itself where nothing is replaced.

    Raises:
        WeightsMismatch: a layer is not there, or is none that can be replaced so.
    """
    if not operations:
        return network
    try:
        return operated(network, operations)
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
        raise WeightsMismatch(f"layers of the base model cannot be replaced: {error}", hint=_HINT) from error


def cut_as_planned(network: nn.Module, cuts: tuple[LayerCut, ...]) -> nn.Module:
    """The network without the channels that a module has lost: a smaller copy, or itself where nothing is cut.

    Raises:
        WeightsMismatch: a layer is not there, has other channels, or cannot be cut; each is a violation.
    """
    if not cuts:
        return network
    _refuse("cuts", len(cuts), tuple(_cut_misfits(network, cuts)))
    try:
        return cut(network, cuts)
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError) as error:
        raise WeightsMismatch(f"the base model cannot be cut as the module says: {error}", hint=_HINT) from error


def rewritten_in(network: nn.Module, rewritten: RewrittenTensors) -> list[tuple[Tensor, Tensor]]:
    """The network's tensors that are rewritten, each with its new values.

    Args:
        network: Without the channels that are cut; not changed here.
        rewritten: Tensors by the names of its state.

    Raises:
        WeightsMismatch: one is not there, or has another shape or no floating-point numbers; each is a violation.
    """
    own: dict[str, Tensor] = {
        name: tensor for name, tensor in network.state_dict(keep_vars=True).items() if tensor.is_floating_point()
    }
    misfits = tuple(
        FieldViolation(name, f"rewritten as {tuple(tensor.shape)}, in the base model {_shape(own, name)}")
        for name, tensor in rewritten.tensors.items()
        if name not in own or own[name].shape != tensor.shape
    )
    _refuse("rewritten tensors", len(rewritten.tensors), misfits)
    return [(own[name], tensor) for name, tensor in rewritten.tensors.items()]


def check_masks(network: nn.Module, masks: WeightMasks) -> None:
    """Checks that the network has every parameter that is masked.

    Args:
        network: Without the channels that are cut.
        masks: By parameter name.

    Raises:
        WeightsMismatch: one is not there, or has another shape; each is a violation.
    """
    own: dict[str, Tensor] = dict(network.named_parameters(remove_duplicate=False))
    misfits = tuple(
        FieldViolation(name, f"masked as {shape}, in the base model {_shape(own, name)}")
        for name, shape in masks.layout
        if name not in own or own[name].shape != shape
    )
    _refuse("masks", len(masks.bits), misfits)


def check_runs(network: nn.Module, input_spec: InputSpec) -> None:
    """Runs a network whose channels were cut on one black image: layers may each be cut rightly and not fit together.

    Args:
        network: In evaluation mode.
        input_spec: Images that it takes.

    Raises:
        WeightsMismatch: it does not run.
    """
    device = next(network.parameters()).device
    try:
        with torch.inference_mode():
            network(torch.zeros(1, *input_spec.shape, device=device))
    except (TypeError, ValueError, RuntimeError, LookupError, AttributeError, AssertionError) as error:
        raise WeightsMismatch(
            f"without the channels that the module cuts, layers of the base model do not fit together: {error}",
            hint="the file is damaged or was made for another architecture; decompose the model again",
        ) from error


def _cut_misfits(network: nn.Module, cuts: tuple[LayerCut, ...]) -> Iterator[FieldViolation]:
    own: dict[str, nn.Module | Tensor] = {**dict(network.named_modules()), **dict(network.named_parameters())}
    for planned in cuts:
        target = own.get(planned.layer)
        sides: tuple[tuple[Side, KeptChannels | None], ...] = (("inputs", planned.inputs), ("outputs", planned.outputs))
        for side, kept in sides:
            if kept is None:
                continue
            width = _width(target, side)
            if width != kept.width:
                there = f"has {width}" if width else "has none to cut"
                yield FieldViolation(planned.layer, f"keeps {kept} {side}, in the base model it {there}")


def _width(target: nn.Module | Tensor | None, side: Side) -> int | None:
    """Channels of one side that can be cut; None where there are none."""
    both = isinstance(target, _ConvNd | nn.Linear)
    if both or (side == "outputs" and isinstance(target, _NormBase | nn.PReLU | Tensor)):
        return channel_count(target, side)
    return head_count(target) if side == "outputs" else None


def _shape(own: dict[str, Tensor], name: str) -> str:
    return str(tuple(own[name].shape)) if name in own else "missing"


def _refuse(what: str, count: int, misfits: tuple[FieldViolation, ...]) -> None:
    if misfits:
        raise WeightsMismatch(
            f"{len(misfits)} of {count} {what} do not fit the base model, first {misfits[0].field}: "
            f"{misfits[0].description}",
            hint=_HINT,
            violations=misfits[:_NAMED_AT_MOST],
        )
