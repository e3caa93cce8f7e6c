"""Whether what a finished job made is still there, so that an equal job can be answered with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

import modelfoundry.api.decomposer.v1.decomposer_service_pb2
import modelfoundry.api.decomposer.v1.rebuild_service_pb2
import modelfoundry.api.decomposer.v1.training_service_pb2
import modelfoundry.api.evaluator.v1.evaluator_service_pb2
import modelfoundry.api.reuser.v1.on_demand_service_pb2
import modelfoundry.api.reuser.v1.reuser_service_pb2  # noqa: F401 - imported so that their messages can be read
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.catalog.tables import (
    CompositionRow,
    DatasetRow,
    EvaluationRow,
    ModelRow,
    ModuleRow,
    ResourceRow,
)
from modelfoundry.registry.database import Database

_TABLES: Final[Mapping[str, type[ResourceRow]]] = {
    "models": ModelRow,
    "datasets": DatasetRow,
    "modules": ModuleRow,
    "compositions": CompositionRow,
    "evaluations": EvaluationRow,
}


class Results:
    """Looks after what the responses of jobs name. Blocks.

    Args:
        database: Where resources are.
        blobs: Where bytes are.
    """

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def are_there(self, response: any_pb2.Any) -> bool:
        """Whether every resource and blob that a response names exists; False for a response that cannot be read."""
        try:
            descriptor = descriptor_pool.Default().FindMessageTypeByName(response.TypeName())
            message = message_factory.GetMessageClass(descriptor)()
            message.ParseFromString(response.value)
        except (KeyError, DecodeError):
            return False
        return all(self._blobs.find(digest) for digest in _digests(message)) and self._exist(set(_names(message)))

    def _exist(self, names: set[str]) -> bool:
        with self._database.read_session() as session:
            return all(session.get(_TABLES[name.split("/")[2]], name) is not None for name in names)


def _names(message: Message) -> Iterator[str]:
    """Names of resources among all strings of a message."""
    for value in _leaves(message):
        if isinstance(value, str):
            parts = value.split("/")
            if len(parts) == 4 and parts[0] == "projects" and parts[2] in _TABLES:
                yield value


def _digests(message: Message) -> Iterator[str]:
    for value in _leaves(message):
        if isinstance(value, BlobRef):
            yield value.digest


def _leaves(message: Message) -> Iterator[object]:
    """Every value in a message and in those inside it, the messages too."""
    yield message
    for field, value in message.ListFields():
        for element in value if field.is_repeated else [value]:
            if isinstance(element, Message):
                yield from _leaves(element)
            else:
                yield element
