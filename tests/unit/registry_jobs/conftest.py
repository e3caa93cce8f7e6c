from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf import any_pb2, wrappers_pb2
from google.rpc import code_pb2, status_pb2

from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.names import ResourceName
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.archive import Archive
from modelfoundry.registry.jobs.intake import Intake
from modelfoundry.registry.jobs.leases import Leases
from modelfoundry.registry.jobs.ledger import Ledger
from modelfoundry.registry.jobs.operation import Lease, NewJob, Operation, ProgressReport, StoredEvent
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.values.resources import BlobRef


class MovableClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Queue:
    """The queue's parts on one database, as one registry process has them."""

    database: Database
    clock: MovableClock = field(default_factory=MovableClock)
    blobs: set[str] = field(default_factory=set)
    released: list[str] = field(default_factory=list)
    gone: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.database, self.clock, self.released.append)
        self.archive = Archive(self.ledger, TokenSigner(b"key"))
        self.leases = Leases(self.ledger, lambda digest: digest in self.blobs)
        self.intake = Intake(self.ledger, lambda response: response not in self.gone)

    def enqueue(self, **changes: object) -> Operation:
        return self.intake.enqueue(self.new_job(**changes))

    def take(self, *kinds: str, seconds: float = 15) -> Lease:
        lease = self.leases.take(kinds or ("decompose",), "worker@host:1", seconds)
        assert lease is not None
        return lease

    def events(self, name: ResourceName, after: int = 0) -> list[StoredEvent]:
        return list(self.archive.events(name, after, 100_000).events)

    def states(self, name: ResourceName) -> list[str]:
        return [event.state for event in self.events(name) if event.state is not None]

    def checkpoint(self, letter: str) -> BlobRef:
        digest = f"sha256:{letter * 64}"
        self.blobs.add(digest)
        return BlobRef(digest, 10, "application/vnd.safetensors")

    @staticmethod
    def new_job(**changes: object) -> NewJob:
        fields: dict[str, object] = {
            "project": "default",
            "kind": "decompose",
            "target": "projects/default/models/digits",
            "request": Queue.packed("the request"),
            "cache_key": "",
            "force": False,
            "request_id": "",
            "max_attempts": 3,
        }
        return NewJob(**{**fields, **changes})  # type: ignore[arg-type]

    @staticmethod
    def packed(text: str) -> bytes:
        message = any_pb2.Any()
        message.Pack(wrappers_pb2.StringValue(value=text))
        return message.SerializeToString()

    @staticmethod
    def failure(code: int = code_pb2.INTERNAL, message: str = "it broke") -> bytes:
        return status_pb2.Status(code=code, message=message).SerializeToString()

    @staticmethod
    def status(data: bytes | None) -> status_pb2.Status:
        assert data is not None
        return status_pb2.Status.FromString(data)

    @staticmethod
    def progress(done: int, phase: str = "search") -> ProgressReport:
        message = operation_pb2.Progress(phase=phase, done_units=done, total_units=100, unit="epoch")
        return ProgressReport(phase, message.SerializeToString())

    @staticmethod
    def log_line(text: str) -> bytes:
        return operation_pb2.LogLine(text=text).SerializeToString()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)
