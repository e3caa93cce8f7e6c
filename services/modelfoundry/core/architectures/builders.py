"""From a builder's name to a network: our zoo, torchvision's and timm's classification models, and what was exported.

No downloads.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NoReturn

import torch
from torch import nn

from modelfoundry.core.architectures.zoo import ZOO
from modelfoundry.errors import InvalidField, UnknownArchitecture
from modelfoundry.names import near, shortened
from modelfoundry.values.architectures import Architecture, InputSpec, Scalar, Value

_OURS_TO_SET: Final = frozenset(
    {
        *("num_classes", "label_count", "in_chans", "input_channels", "aux_logits", "init_weights"),
        *("weights", "weights_backbone", "pretrained", "progress", "checkpoint_path", "cache_dir"),
        *("features_only", "out_indices", "feature_cls", "feature_cfg", "scriptable", "exportable", "no_jit"),
    }
)
"""Parameters that would change the outputs, read files or go to the network. `pretrained_*` is refused as well."""

_REFUSALS: Final = (
    *(TypeError, ValueError, AssertionError, RuntimeError, AttributeError, LookupError, ArithmeticError),
)
"""What constructors raise when their arguments make no network."""


def build_network(
    architecture: Architecture, label_count: int, input_spec: InputSpec, *, device: str = "cpu"
) -> nn.Module:
    """Builds a network with random weights, drawn from torch's global generator.

    Args:
        architecture: Builder and its parameters.
        label_count: Number of outputs, 2 or more.
        input_spec: Images that it takes; the channels reach the builder.
        device: `cpu`, or `meta` for shapes without numbers.

    Returns:
        The network in training mode; it maps float32 [n, channels, height, width] to logits [n, label_count].

    Raises:
        UnknownArchitecture: there is no such builder; the near names are in the hint.
        InvalidField: the builder does not take these parameters or this number of channels, or no network takes such
            images.
    """
    input_spec.checked()
    build = _find(architecture.builder, architecture.parameters)
    try:
        return _on_meta(build, label_count, input_spec) if device == "meta" else build(label_count, input_spec)
    except _REFUSALS as error:
        raise InvalidField(
            f"architecture.parameters: {architecture.builder} cannot be built: {shortened(str(error), 200)}",
            field="architecture.parameters",
            hint="check the parameters' names and values against the builder's documentation",
        ) from error


def known_builders() -> tuple[str, ...]:
    """All names that can be chosen, sorted. What an export describes (`exported:*`) cannot be chosen by name."""
    return tuple(sorted(f"{family}:{name}" for family, names in _families().items() for name in names()))


Build = Callable[[int, InputSpec], nn.Module]


def _find(builder: str, parameters: Mapping[str, Value]) -> Build:
    family, colon, name = builder.partition(":")
    if builder in EXPORTED:
        return functools.partial(_build_exported, name, parameters)
    families = _families()
    if not colon or family not in families or name not in families[family]():
        _refuse(builder)
    scalars = _checked_scalars(parameters)
    return lambda label_count, input_spec: _BUILD[family](name, label_count, input_spec.channels, scalars)


def _refuse(builder: str) -> NoReturn:
    known = known_builders()
    similar = near(builder, known) or near(builder.rpartition(":")[2], (name.partition(":")[2] for name in known))
    by_name = {name.partition(":")[2]: name for name in reversed(known)}
    similar = [by_name.get(name, name) for name in similar]
    raise UnknownArchitecture(
        f"architecture.builder: there is no {shortened(builder)!r}",
        field="architecture.builder",
        hint=f"did you mean {', '.join(similar)}?"
        if similar
        else "use zoo:NAME, torchvision:NAME or timm:NAME, for example zoo:resnet20 or torchvision:resnet18",
        metadata={"near": ", ".join(similar)},
    )


def _checked_scalars(parameters: Mapping[str, Value]) -> Mapping[str, Scalar]:
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


def _on_meta(build: Build, label_count: int, input_spec: InputSpec) -> nn.Module:
    try:
        with torch.device("meta"):
            return build(label_count, input_spec)
    except RuntimeError:
        # A few constructors compute with numbers (`.item()`), which meta tensors do not have.
        with torch.random.fork_rng(devices=[]):
            return build(label_count, input_spec).to("meta")


def _build_zoo(name: str, label_count: int, channels: int, parameters: Mapping[str, Scalar]) -> nn.Module:
    return ZOO[name](label_count, channels, **parameters)


def _build_torchvision(name: str, label_count: int, channels: int, parameters: Mapping[str, Scalar]) -> nn.Module:
    if channels != 3:
        raise InvalidField(
            f"input.channels: torchvision:{name} takes 3 channels, not {channels}",
            field="input.channels",
            hint="use a timm or zoo network, which take any number of channels",
        )
    # Their auxiliary outputs only help training from scratch, and their slow initialisation is overwritten by weights.
    auxiliary = {"aux_logits": False, "init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    network: nn.Module = _torchvision_models().get_model(
        name, weights=None, num_classes=label_count, **auxiliary, **parameters
    )
    return network


def _build_timm(name: str, label_count: int, channels: int, parameters: Mapping[str, Scalar]) -> nn.Module:
    arguments: dict[str, Any] = {**parameters, "num_classes": label_count, "in_chans": channels}
    network: nn.Module = _timm().create_model(name, pretrained=False, **arguments)
    return network


def _build_exported(kind: str, parameters: Mapping[str, Value], label_count: int, input_spec: InputSpec) -> nn.Module:
    # It is put together from networks of the other families, so that it stands above them.
    from modelfoundry.core.export.rebuilding import exported_network

    return exported_network(kind, parameters, label_count, input_spec)


EXPORTED: Final = ("exported:module", "exported:composition")
_BUILD: Final = {"zoo": _build_zoo, "torchvision": _build_torchvision, "timm": _build_timm}


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


def _families() -> Mapping[str, Callable[[], Iterable[str]]]:
    return {"zoo": ZOO.keys, "torchvision": _torchvision_names, "timm": _timm_names}
