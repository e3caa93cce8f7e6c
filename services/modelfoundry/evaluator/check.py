"""Says whether weights fit an architecture, what of it can be masked, and whether it gives numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelfoundry.core.inference import probe
from modelfoundry.core.masking import maskable_layers
from modelfoundry.core.networks import build_network, check_weights, load_network
from modelfoundry.errors import InvalidField
from modelfoundry.values.architectures import Architecture, InputSpec, MaskableLayer, ModelCheck, TensorSpec


def check_model(
    architecture: Architecture, input_spec: InputSpec, label_count: int, tensors: Sequence[TensorSpec]
) -> ModelCheck:
    """Builds the network without memory for weights and compares names and shapes.

    Raises:
        InvalidField: fewer than two labels.
        UnknownArchitecture: it cannot be built.
        WeightsMismatch: tensors are missing, left over or of another shape.
        UnsupportedModel: it has no layer that can be masked.
    """
    if label_count < 2:
        raise InvalidField(
            f"label_count: {label_count} is too few", field="label_count", hint="a classifier has two labels or more"
        )
    check_weights(architecture, label_count, input_spec, tensors)
    network = build_network(architecture, label_count, input_spec, device="meta")
    layers = maskable_layers(network)
    return ModelCheck(
        parameter_count=sum(parameter.numel() for parameter in network.parameters()),
        mask_count=sum(network.get_parameter(name).numel() for layer in layers for name in layer.parameter_names),
        layers=tuple(
            MaskableLayer(layer.name, layer.layer_type, layer.weight_shape, layer.has_bias) for layer in layers
        ),
    )


def try_weights(architecture: Architecture, input_spec: InputSpec, label_count: int, weights: Path) -> None:
    """Runs a network on a few images.

    Raises:
        NonFiniteWeights, WeightsMismatch, MalformedFile: see `load_network`.
        NonFiniteOutputs: it gives NaN or infinity.
    """
    probe(load_network(architecture, label_count, input_spec, weights), input_spec)
