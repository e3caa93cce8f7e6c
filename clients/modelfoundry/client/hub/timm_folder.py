"""Folders that timm wrote (`save_for_hf`, `push_to_hf_hub`): `config.json` says how timm builds the network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelfoundry.client.hub.content import CONFIG_FILE, Described, HubModel
from modelfoundry.errors import MalformedFile
from modelfoundry.names import shortened
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.resources import ModelOrigin

_SAID_ELSEWHERE: Final = frozenset({"num_classes", "in_chans"})
"""Arguments of the network that labels and input say."""


def timm_model(config: Mapping[str, Any], weights: Path, about: Described, labels: Sequence[str]) -> HubModel:
    """The classifier of such a folder.

    Args:
        config: What `config.json` holds.
        weights: Path of the weights.
        about: What the README says.
        labels: Meaning of the outputs as the caller gives it; empty: as the folder says.

    Raises:
        MalformedFile: a field is missing or of another kind, or nobody says what the outputs mean; it is named.
    """
    name = config.get("architecture")
    if not isinstance(name, str) or not name:
        raise _misfit("architecture", "is missing: it is no folder of ModelFoundry, and none of timm")
    preset = config.get("pretrained_cfg", config)
    if not isinstance(preset, dict):
        raise _misfit("pretrained_cfg", "is no object")
    arguments = config.get("model_args", {})
    if not isinstance(arguments, dict):
        raise _misfit("model_args", "is no object")
    license = preset.get("license")  # noqa: A001 - the name of the field
    return HubModel(
        weights=weights,
        architecture=Architecture(f"timm:{name.partition('.')[0]}", _parameters(arguments)),
        input=_input(preset, arguments),
        labels=_labels(config, preset, labels),
        origin=ModelOrigin("timm"),
        about=about if about.license or not isinstance(license, str) else replace(about, license=license),
    )


def _parameters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Square sizes as one number, which all builders take; what is not set is left out."""
    parameters = {}
    for key, value in arguments.items():
        if key in _SAID_ELSEWHERE or value is None:
            continue
        square = isinstance(value, list) and len(value) == 2 and value[0] == value[1]
        parameters[key] = value[0] if square else value
    return parameters


def _input(preset: Mapping[str, Any], arguments: Mapping[str, Any]) -> InputSpec:
    match preset.get("input_size"):
        case [int(channels), int(height), int(width)]:
            pass
        case _:
            raise _misfit("pretrained_cfg.input_size", "does not give channels, height and width")
    match arguments.get("img_size"):
        case int(size):
            height = width = size
        case [int(height), int(width)]:
            pass
    if isinstance(arguments.get("in_chans"), int):
        channels = arguments["in_chans"]
    return InputSpec(channels, height, width, _numbers(preset, "mean"), _numbers(preset, "std"))


def _numbers(preset: Mapping[str, Any], name: str) -> tuple[float, ...]:
    match preset.get(name):
        case [*values] if all(isinstance(value, int | float) and math.isfinite(value) for value in values):
            return tuple(map(float, values))
    raise _misfit(f"pretrained_cfg.{name}", "is no list of numbers")


def _labels(config: Mapping[str, Any], preset: Mapping[str, Any], given: Sequence[str]) -> tuple[str, ...]:
    count = config.get("num_classes", preset.get("num_classes"))
    if not isinstance(count, int):
        raise _misfit("num_classes", "is no number")
    found = tuple(given) or _names(config.get("label_names", preset.get("label_names", preset.get("labels"))))
    if not found:
        raise MalformedFile(
            f"{CONFIG_FILE} does not say what the {count} outputs mean",
            field="label_names",
            hint="pass labels in the order of the outputs, or a data set that has them",
        )
    if len(found) != count:
        raise _misfit("label_names", f"gives {len(found)} labels for {count} outputs")
    return found


def _names(stated: Any) -> tuple[str, ...]:
    """From a list, or from an object of output number to name without gaps."""
    if isinstance(stated, dict):
        stated = [stated.get(str(index)) for index in range(len(stated))]
    if stated is None:
        return ()
    if not isinstance(stated, list) or not all(isinstance(name, str) for name in stated):
        raise _misfit("label_names", f"is no list of names: {shortened(str(stated))}")
    return tuple(stated)


def _misfit(field: str, what: str) -> MalformedFile:
    return MalformedFile(
        f"{CONFIG_FILE}: {field} {what}",
        field=field,
        hint="pass a folder as timm's `save_for_hf` or `modelfoundry module export --format hub` writes it",
    )
