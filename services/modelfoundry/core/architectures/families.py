"""Families whose architectures are chosen by name: our zoo, torchvision's and timm's classification models."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

from torch import nn

from modelfoundry.core.architectures.builders import Family, Order
from modelfoundry.core.architectures.zoo import NETWORKS
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.architectures import Scalar, Value

_OURS_TO_SET: Final = frozenset(
    {
        *("num_classes", "label_count", "in_chans", "input_channels", "aux_logits", "init_weights"),
        *("weights", "weights_backbone", "pretrained", "progress", "checkpoint_path", "cache_dir"),
        *("features_only", "out_indices", "feature_cls", "feature_cfg", "scriptable", "exportable", "no_jit"),
    }
)
"""Parameters that would change the outputs, read files or go to the network. `pretrained_*` is refused as well."""


def _build_zoo(order: Order) -> nn.Module:
    return NETWORKS[order.name](order.label_count, order.input_spec.channels, **_scalars(order.parameters))


def _build_torchvision(order: Order) -> nn.Module:
    scalars = _scalars(order.parameters)
    if order.input_spec.channels != 3:
        raise InvalidField(
            f"input.channels: torchvision:{order.name} takes 3 channels, not {order.input_spec.channels}",
            field="input.channels",
            hint="use a timm or zoo network, which take any number of channels",
        )
    # Their auxiliary outputs only help training from scratch, and their slow initialisation is overwritten by weights.
    auxiliary = {"aux_logits": False, "init_weights": False} if order.name in {"googlenet", "inception_v3"} else {}
    network: nn.Module = _torchvision_models().get_model(
        order.name, weights=None, num_classes=order.label_count, **auxiliary, **scalars
    )
    return network


def _build_timm(order: Order) -> nn.Module:
    arguments: dict[str, Any] = {
        **_scalars(order.parameters),
        "num_classes": order.label_count,
        "in_chans": order.input_spec.channels,
    }
    network: nn.Module = _timm().create_model(order.name, pretrained=False, **arguments)
    return network


def _scalars(parameters: Mapping[str, Value]) -> dict[str, Scalar]:
    """The parameters, which all have to be the caller's to choose."""
    scalars: dict[str, Scalar] = {}
    for name, value in parameters.items():
        path = f"architecture.parameters.{shortened(name)}"
        if name in _OURS_TO_SET or name.startswith("pretrained"):
            raise InvalidField(f"{path}: not a parameter to choose", field=path, hint="leave it out")
        if not isinstance(value, str | int | float | bool):
            raise InvalidField(
                f"{path}: must be a number, a string or a boolean, not {type(value).__name__}",
                field=path,
                hint="networks whose parameters are lists or objects cannot be registered by name",
            )
        scalars[name] = value
    return scalars


def _torchvision_models() -> Any:
    # Imported when it is needed: it takes a second that most jobs need not spend.
    import torchvision.models

    return torchvision.models


def _timm() -> Any:
    import timm  # the same, several seconds

    return timm


@functools.cache
def _torchvision_names() -> frozenset[str]:
    return frozenset(_torchvision_models().list_models(module=_torchvision_models()))


@functools.cache
def _timm_names() -> frozenset[str]:
    return frozenset(_timm().list_models())


ZOO: Final = Family("zoo", NETWORKS.keys, _build_zoo)
TORCHVISION: Final = Family("torchvision", _torchvision_names, _build_torchvision)
TIMM: Final = Family("timm", _timm_names, _build_timm)
