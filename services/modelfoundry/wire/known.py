"""Resources that a caller hands on, so that they are not read again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from modelfoundry.api.registry.v1 import known_resources_pb2
from modelfoundry.values.resources import Dataset, Model
from modelfoundry.wire.resources import DATASET, MODEL

_CHANGEABLE: Final[dict[str, Any]] = {
    "display_name": "",
    "description": "",
    "license": "",
    "tags": {},
    "intended_use": "",
    "create_time": None,
    "update_time": None,
    "etag": "",
}
"""Fields that can differ from one reading to the next, so that they would make equal requests differ."""


def known_to_proto(*resources: Model | Dataset) -> known_resources_pb2.KnownResources:
    """The message of resources that were read, with what never changes of them."""
    message = known_resources_pb2.KnownResources()
    for resource in resources:
        match resource:
            case Model():
                message.models.append(MODEL.to_proto(replace(resource, **_CHANGEABLE)))
            case Dataset():
                message.datasets.append(DATASET.to_proto(replace(resource, **_CHANGEABLE)))
    return message


def known_from_proto(message: known_resources_pb2.KnownResources) -> tuple[Model | Dataset, ...]:
    """The resources of a message, as if they had been read just now."""
    return (*map(MODEL.from_proto, message.models), *map(DATASET.from_proto, message.datasets))
