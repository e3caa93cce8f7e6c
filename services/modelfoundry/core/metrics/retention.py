"""What a module kept of its base model, whole and layer by layer (SeaM, Qi et al., ICSE 2023, section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from torch import Tensor, nn

from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.metrics.kernels import kept_kernels
from modelfoundry.values.figures import LayerRetention, RetentionMetrics


def retention(
    network: nn.Module, masks: WeightMasks, rewritten: Mapping[str, Tensor] = MappingProxyType({})
) -> RetentionMetrics:
    """Counts what a module keeps of a network.

    Args:
        network: The base network, unmasked.
        masks: Which of its parameters' entries are kept.
        rewritten: Parameter name to the module's own values, where they are not the base's, in the base's shape.
    """
    kernels = kept_kernels(network, masks).values()
    kept, total = sum(int(rows.sum()) for rows in kernels), sum(len(rows) for rows in kernels)
    values = {name: rewritten.get(name, network.get_parameter(name)).detach().cpu() for name in masks.bits}
    nonzero = sum(int((bits & (values[name] != 0)).sum()) for name, bits in masks.bits.items())
    return RetentionMetrics(
        weight_retention=masks.retention,
        kept_weights=masks.kept,
        total_weights=masks.total,
        nonzero_weights=nonzero,
        kernel_retention=kept / total if total else 0.0,
        kept_kernels=kept,
        total_kernels=total,
        layers=_layers(masks),
    )


def _layers(masks: WeightMasks) -> tuple[LayerRetention, ...]:
    kept: dict[str, int] = {}
    total: dict[str, int] = {}
    for name, bits in masks.bits.items():
        layer = name.rpartition(".")[0]
        kept[layer] = kept.get(layer, 0) + int(bits.count_nonzero())
        total[layer] = total.get(layer, 0) + bits.numel()
    return tuple(LayerRetention(layer, kept[layer] / total[layer], kept[layer], total[layer]) for layer in kept)
