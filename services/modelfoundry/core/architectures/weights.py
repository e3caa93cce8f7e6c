"""Whether weights fit an architecture, and loading them when they do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from modelfoundry.core.architectures.builders import Builders
from modelfoundry.errors import FieldViolation, InvalidField, MalformedFile, NonFiniteWeights, WeightsMismatch
from modelfoundry.names import shortened
from modelfoundry.values.architectures import Architecture, InputSpec, TensorSpec

_NAMED_AT_MOST: Final = 40
"""Violations in one error: all of them must fit the 8 KiB of a gRPC trailer."""


def check_architecture(
    builders: Builders, architecture: Architecture, label_count: int, input_spec: InputSpec
) -> nn.Module:
    """Checks that a network can be built and turns such images into one logit per label, without computing anything.

    Returns:
        The network on the meta device.

    Raises:
        UnknownArchitecture, InvalidField: see `Builders.build`; also when the images do not fit the network.
    """
    network = builders.build(architecture, label_count, input_spec, device="meta").eval()
    try:
        with torch.no_grad():
            outputs = network(torch.empty(1, *input_spec.shape, device="meta"))
    except NotImplementedError:
        return network  # computes with numbers, which meta tensors do not have: nothing can be said
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError) as error:
        raise InvalidField(
            f"input: {architecture.builder} cannot take images of {_by(input_spec.shape)}: "
            f"{shortened(str(error), 200)}",
            field="input",
            hint="give the channels and size that the network was made for, or set its size in the parameters",
        ) from error
    if not isinstance(outputs, Tensor) or tuple(outputs.shape) != (1, label_count):
        raise InvalidField(
            f"architecture.parameters: {architecture.builder} does not give one logit for each of {label_count} labels",
            field="architecture.parameters",
            hint="leave out the parameters that change its outputs",
        )
    return network


def check_weights(
    builders: Builders,
    architecture: Architecture,
    label_count: int,
    input_spec: InputSpec,
    tensors: Iterable[TensorSpec],
) -> None:
    """Checks that tensors are exactly those of an architecture, from their names, types and shapes alone.

    `num_batches_tracked` may be missing, and of tied parameters one name is enough.

    Raises:
        WeightsMismatch: tensors are missing, left over, of another shape or type; each is one violation.
        UnknownArchitecture, InvalidField: see `check_architecture`.
    """
    expected = check_architecture(builders, architecture, label_count, input_spec).state_dict(keep_vars=True)
    given = {tensor.name: tensor for tensor in tensors}
    violations = tuple(_mismatches(expected, given))
    if not violations:
        return
    shown = violations[:_NAMED_AT_MOST]
    more = f", and {len(violations) - len(shown)} more" if len(violations) > len(shown) else ""
    names = ", ".join(violation.field.removeprefix("weights.") for violation in shown[:3])
    raise WeightsMismatch(
        f"weights: {len(violations)} tensors do not fit {architecture.builder} with {label_count} labels: {names}"
        + (", ..." if len(violations) > 3 else ""),
        field="weights",
        hint=f"check the architecture, its parameters, the labels ({label_count}) and prefixes of the names{more}",
        violations=shown,
    )


def load_network(
    builders: Builders, architecture: Architecture, label_count: int, input_spec: InputSpec, weights: Path
) -> nn.Module:
    """Builds a network with trained weights.

    Args:
        builders: What networks can be built from.
        architecture: Builder and its parameters.
        label_count: Number of outputs.
        input_spec: Images that it takes.
        weights: A safetensors file.

    Returns:
        The network in float32 on the CPU, in evaluation mode.

    Raises:
        WeightsMismatch: see `check_weights`.
        NonFiniteWeights: NaN or infinity among the weights, also once they are float32, or a variance below zero.
        MalformedFile: it is no whole safetensors file.
    """
    state = _read(weights)
    specs = (TensorSpec(name, _SPELLING.get(value.dtype, "?"), tuple(value.shape)) for name, value in state.items())
    check_weights(builders, architecture, label_count, input_spec, specs)
    _check_finite(state)
    with torch.random.fork_rng(devices=[]):
        network = builders.build(architecture, label_count, input_spec)
    load_state(network, state)
    _check_variances(network)
    return network.eval()


def load_state(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Copies tensors into a network, by name; what has no tensor stays as it is.

    Some networks refuse a state dict without the versions that theirs carries, and safetensors files have none: so the
    tensors are put into the network's own state dict.
    """
    own = network.state_dict()
    own.update(state)
    network.load_state_dict(own)


_SPELLING: Final = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16"})


def _mismatches(expected: Mapping[str, Tensor], given: Mapping[str, TensorSpec]) -> Iterator[FieldViolation]:
    # Tied parameters are one object under several names; a file, which has no ties, may name it once.
    present = {id(expected[name]) for name in given if name in expected}
    for name, tensor in expected.items():
        shape = tuple(tensor.shape)
        if name in given:
            if given[name].shape != shape:
                yield _violation(name, f"has shape {_by(given[name].shape)}, the architecture needs {_by(shape)}")
            elif (given[name].dtype in _FLOATS) != tensor.is_floating_point():
                yield _violation(
                    name, f"has type {given[name].dtype}, the architecture needs {_SPELLING[tensor.dtype]}"
                )
        elif id(tensor) not in present and not name.endswith("num_batches_tracked"):
            yield _violation(name, f"is missing; the architecture needs shape {_by(shape)}")
    for name in given:
        if name not in expected:
            yield _violation(name, "is left over; the architecture has no such tensor")


def _violation(name: str, description: str) -> FieldViolation:
    return FieldViolation(field=f"weights.{shortened(name, 100)}", description=description)


def _read(weights: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(weights)
    except safetensors.SafetensorError as error:
        raise MalformedFile(
            f"weights: not a whole safetensors file: {shortened(str(error), 200)}",
            field="weights",
            hint="convert the weights with safetensors.torch.save_file",
        ) from error


def _check_finite(state: Mapping[str, Tensor]) -> None:
    floats = {name: value for name, value in state.items() if value.is_floating_point()}
    broken = [name for name, value in floats.items() if not value.isfinite().all()]
    if broken:
        raise _unusable(broken, "NaN or infinity", "the training has diverged; use weights from before that")
    beyond = [name for name, value in floats.items() if not value.float().isfinite().all()]
    if beyond:
        raise _unusable(beyond, "values beyond float32", "networks compute in float32; repair these tensors")


def _check_variances(network: nn.Module) -> None:
    """Normalisations take the root of variance and eps."""
    broken = [
        f"{name}.running_var"
        for name, layer in network.named_modules()
        if isinstance(layer, _NormBase)
        and layer.running_var is not None
        and bool((layer.running_var + layer.eps <= 0).any())
    ]
    if broken:
        raise _unusable(
            broken, "a variance below zero", "the file is damaged or was converted wrongly; convert it again"
        )


def _unusable(names: Sequence[str], what: str, hint: str) -> NonFiniteWeights:
    return NonFiniteWeights(
        f"weights: {what} in {', '.join(shortened(name) for name in names[:3])}"
        + (f" and {len(names) - 3} more tensors" if len(names) > 3 else ""),
        field="weights",
        hint=hint,
        violations=tuple(_violation(name, f"holds {what}") for name in names[:_NAMED_AT_MOST]),
    )


def _by(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a scalar"
