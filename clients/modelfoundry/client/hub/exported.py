"""Folders that ModelFoundry wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from modelfoundry.client.hub.content import CONFIG_FILE, EXPORT_FORMAT, Described, HubModel
from modelfoundry.errors import MalformedFile
from modelfoundry.names import shortened
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.resources import ModelOrigin

FORMAT_VERSIONS: Final = (1, 2)
"""2: something takes the place of layers (`operations`)."""
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "module": ("problem", "base", "head", "widths"),
    "composition": ("sources", "members", "shared_tensors"),
}
"""What describes the network of an export, by its kind."""
OPERATIONS: Final = "operations"
"""The same, where there are any."""


def is_exported(config: Mapping[str, Any]) -> bool:
    """Whether ModelFoundry wrote the folder."""
    return config.get("format") == EXPORT_FORMAT


def exported_model(config: Mapping[str, Any], weights: Path) -> HubModel:
    """The classifier of such a folder: a module or composition becomes a model that needs nothing besides.

    Raises:
        MalformedFile: a field is missing or of another kind; it is named.
    """
    if config.get("format_version") not in FORMAT_VERSIONS:
        raise MalformedFile(
            f"{CONFIG_FILE}: format_version is {shortened(str(config.get('format_version')))}, not "
            f"{' or '.join(map(str, FORMAT_VERSIONS))}",
            field="format_version",
            hint="use the version of ModelFoundry that wrote it, or a newer one",
        )
    return HubModel(
        weights=weights,
        architecture=_architecture(config),
        input=_input(config),
        labels=_labels(config),
        origin=_origin(config),
        about=_about(config),
    )


def _architecture(config: Mapping[str, Any]) -> Architecture:
    match config:
        case {"kind": "model", "base": {"architecture": {"builder": str(builder), "parameters": dict(parameters)}}}:
            return Architecture(builder, {str(key): value for key, value in parameters.items()})
        case {"kind": ("module" | "composition") as kind}:
            missing = [part for part in PARTS[kind] if part not in config]
            if missing:
                raise _misfit(missing[0], "is missing")
            parts = (*PARTS[kind], OPERATIONS) if OPERATIONS in config else PARTS[kind]
            return Architecture(f"exported:{kind}", {part: config[part] for part in parts})
        case {"kind": "model"}:
            raise _misfit("base.architecture", "has no builder and parameters")
    raise _misfit("kind", "is neither model, module nor composition")


def _input(config: Mapping[str, Any]) -> InputSpec:
    match config.get("input"):
        case {"shape": [_, int(channels), int(height), int(width)]}:
            pass
        case _:
            raise _misfit("input.shape", "does not give channels, height and width")
    match config.get("normalisation"):
        case {"mean": [*mean], "std": [*std]} if all(isinstance(value, int | float) for value in (*mean, *std)):
            return InputSpec(channels, height, width, tuple(map(float, mean)), tuple(map(float, std)))
    raise _misfit("normalisation", "does not give mean and std as numbers")


def _labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    match config.get("output"):
        case {"labels": [*labels]} if all(isinstance(label, str) for label in labels):
            return tuple(labels)
    raise _misfit("output.labels", "is no list of labels")


def _origin(config: Mapping[str, Any]) -> ModelOrigin:
    match config.get("origin"):
        case {"resource": str(resource), "digest": str(digest)}:
            return ModelOrigin("modelfoundry", resource, digest)
        case None:
            return ModelOrigin("modelfoundry")
    raise _misfit("origin", "does not give resource and digest")


def _about(config: Mapping[str, Any]) -> Described:
    card = config.get("card", {})
    if not isinstance(card, dict):
        raise _misfit("card", "is no object")
    texts = ("display_name", "description", "intended_use", "license")
    given: dict[str, Any] = {name: card[name] for name in texts if name in card}
    for name, text in given.items():
        if not isinstance(text, str):
            raise _misfit(f"card.{name}", "is no text")
    tags = card.get("tags", {})
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise _misfit("card.tags", "is no object of texts")
    return Described(**given, tags=tags)


def _misfit(field: str, what: str) -> MalformedFile:
    return MalformedFile(
        f"{CONFIG_FILE}: {field} {what}", field=field, hint="export it again with this version of ModelFoundry"
    )
