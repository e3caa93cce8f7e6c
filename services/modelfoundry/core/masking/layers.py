"""Which layers of a network can be masked: every convolution and every linear map, in any `nn.Module`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd

from modelfoundry.errors import UnsupportedModel


@dataclass(frozen=True, slots=True)
class MaskableParameters:
    """A layer whose weight, and bias where it has one, can be masked."""

    name: str
    """For example `layer1.0.conv1`."""
    layer_type: str
    """Class of the layer, for example `Conv2d`."""
    weight_name: str
    """Name of the weight among the network's parameters."""
    bias_name: str | None
    """Name of the bias among the network's parameters, where it is masked with this layer."""
    weight_shape: tuple[int, ...]
    """Output channels first (second in transposed convolutions)."""

    @property
    def has_bias(self) -> bool:
        """Whether a bias is masked with this layer."""
        return self.bias_name is not None

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the masked parameters: the weight, and the bias where there is one."""
        return (self.weight_name,) if self.bias_name is None else (self.weight_name, self.bias_name)


def maskable_layers(network: nn.Module) -> tuple[MaskableParameters, ...]:
    """Lists the layers that masks can be put on, in the order of the network (SeaM, Qi et al., ICSE 2023).

    These are all convolutions (of any dimension, grouped and transposed too) and all `nn.Linear`: stem, shortcuts and
    the classifier included. The input projection of `nn.MultiheadAttention` is a linear map without a layer of its own
    and counts as one, `in_proj` (or `q_proj`, `k_proj` and `v_proj`; their common bias stands with the first). Norms,
    embeddings and other bare parameters are left alone. A parameter that several layers share is masked once, under
    its first name. A weight that is computed from others (a parametrisation) is not masked.

    Raises:
        UnsupportedModel: there is no such layer.
    """
    layers: list[MaskableParameters] = []
    seen: set[nn.Parameter] = set()
    for prefix, module in network.named_modules():
        own = dict(module.named_parameters(recurse=False, remove_duplicate=False))
        for part, weight_key, bias_key in _linear_maps(module):
            weight, bias = own.get(weight_key), own.get(bias_key)
            if weight is None or weight in seen:
                continue
            bias_name = None if bias is None or bias in seen else _join(prefix, bias_key)
            seen |= {weight} if bias is None else {weight, bias}
            layers.append(
                MaskableParameters(
                    name=_join(prefix, part),
                    layer_type=type(module).__name__,
                    weight_name=_join(prefix, weight_key),
                    bias_name=bias_name,
                    weight_shape=tuple(weight.shape),
                )
            )
    if not layers:
        raise UnsupportedModel(
            f"{type(network).__name__} has no convolution and no linear layer: there is nothing to mask",
            field="model",
            hint="use a network with convolutions or linear layers",
        )
    return tuple(layers)


def _linear_maps(module: nn.Module) -> Iterator[tuple[str, str, str]]:
    """Part of the layer's name, key of the weight, key of the bias, for every linear map that is this module's own."""
    if isinstance(module, _ConvNd | nn.Linear):
        yield "", "weight", "bias"
    elif isinstance(module, nn.MultiheadAttention):
        yield "in_proj", "in_proj_weight", "in_proj_bias"
        for part in ("q_proj", "k_proj", "v_proj"):
            yield part, f"{part}_weight", "in_proj_bias"


def _join(*parts: str) -> str:
    return ".".join(part for part in parts if part)
