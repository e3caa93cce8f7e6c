"""Whether what a finished job made is still there, so that an equal job can be answered with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

import modelfoundry.api.decomposer.v1.decomposer_service_pb2
import modelfoundry.api.decomposer.v1.rebuild_service_pb2
import modelfoundry.api.decomposer.v1.training_service_pb2
import modelfoundry.api.evaluator.v1.evaluator_service_pb2
import modelfoundry.api.reuser.v1.on_demand_service_pb2
import modelfoundry.api.reuser.v1.reuser_service_pb2  # noqa: F401 - imported so that their messages can be read
from modelfoundry.api.types.v1.blob_pb2 import BlobRef
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.tables import resource_tables


class Results:
    """Looks after what the responses of jobs name. Blocks.

    Args:
        database: Where resources are.
        blob_exists: Whether a blob of a digest is stored.
    """

    def __init__(self, database: Database, blob_exists: Callable[[str], bool]) -> None:
        self._database = database
        self._blob_exists = blob_exists

    def are_there(self, response: any_pb2.Any) -> bool:
        """Whether every resource and blob that a response names exists; False for a response that cannot be read."""
        try:
            descriptor = descriptor_pool.Default().FindMessageTypeByName(response.TypeName())
            message = message_factory.GetMessageClass(descriptor)()
            message.ParseFromString(response.value)
        except (KeyError, DecodeError):
            return False
        return all(map(self._blob_exists, _digests(message))) and self._exist(set(_names(message)))

    def _exist(self, names: set[str]) -> bool:
        with self._database.read_session() as session:
            tables = resource_tables()
            return all(session.get(tables[name.split("/")[2]], name) is not None for name in names)


def _names(message: Message) -> Iterator[str]:
    """Names of resources among all strings of a message."""
    tables = resource_tables()
    for value in _leaves(message):
        if isinstance(value, str):
            parts = value.split("/")
            if len(parts) == 4 and parts[0] == "projects" and parts[2] in tables:
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
