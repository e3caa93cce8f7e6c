"""Finds rows by name, one with near names where it is not there, or many of any kind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Final, TypeVar

from sqlalchemy import select
from sqlmodel import Session, col

from modelfoundry.errors import NotFound
from modelfoundry.names import near
from modelfoundry.registry.records.tables import BlobUseRow, ResourceRow, resource_tables

SEARCHED_NAMES: Final = 2000
# Fewer than SQLite takes parameters, also with two for a name.
BATCH: Final = 500
Row = TypeVar("Row", bound=ResourceRow)


class Lock(Enum):
    """What others may not do with a row until the transaction ends, where several write at once."""

    KEEP = {"read": True}  # noqa: RUF012 - SQLAlchemy's spelling of FOR SHARE
    """Change or delete it."""
    CHANGE = {"read": False}  # noqa: RUF012 - FOR UPDATE
    """Change, delete or keep it."""


def find(session: Session, row: type[Row], name: str, *, field: str, lock: Lock | None = None) -> Row:
    """Reads a resource by name.

    Args:
        session: The transaction.
        row: The table.
        name: Full name.
        field: Path of the name in the request.
        lock: Hold the row.

    Raises:
        NotFound: there is none; near names are in the message.
    """
    found = session.get(row, name, with_for_update=lock.value if lock else None)
    if found is not None:
        return found
    parent, _, last = name.rpartition("/")
    project = name.split("/")[1]
    names = session.scalars(select(col(row.name)).where(col(row.project) == project).limit(SEARCHED_NAMES))
    suggestions = near(last, (known.rpartition("/")[2] for known in names))
    raise NotFound(
        f"there is no {name}",
        field=field,
        hint=f"did you mean {' or '.join(suggestions)}?" if suggestions else f"list what is there: {parent}",
        metadata={"resource": name, "near": ", ".join(suggestions)},
    )


def uses_blob(session: Session, digest: str) -> bool:
    """Whether a resource is made of a blob (a `blobs.ReferenceCheck`)."""
    return session.scalar(select(col(BlobUseRow.digest)).where(col(BlobUseRow.digest) == digest).limit(1)) is not None


def find_rows(session: Session, names: Iterable[str], *, lock: bool = False) -> list[ResourceRow]:
    """The rows of resources of any collections; names of nothing are left out.

    Args:
        session: The transaction.
        names: Full names.
        lock: Let nobody else change, delete or refer to them until the transaction ends.
    """
    by_collection: dict[str, list[str]] = defaultdict(list)
    # Always in the same order: two who lock the same rows wait for each other, and never both at once.
    for name in sorted(names):
        by_collection[collection_of(name)].append(name)
    rows: list[ResourceRow] = []
    for collection, members in by_collection.items():
        table = resource_tables()[collection]
        for batch in batches(members):
            query = select(table).where(col(table.name).in_(batch)).order_by(col(table.name))
            rows += session.scalars(query.with_for_update() if lock else query)
    return rows


def collection_of(name: str) -> str:
    """The collection in a resource's name."""
    return name.split("/")[2]


def batches(names: Iterable[str]) -> Iterator[Sequence[str]]:
    """Names in lists that a statement takes."""
    members = list(names)
    for start in range(0, len(members), BATCH):
        yield members[start : start + BATCH]
