"""Resources and jobs in short, whatever they are: what graphs of provenance are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, tuple_
from sqlmodel import Session, col

from modelfoundry.registry.catalog.tables import DescribedRow, LabelRow, ResourceRow, resource_tables
from modelfoundry.registry.jobs.tables import OperationRow

NODE_LABELS: Final = 100
# Fewer than SQLite takes parameters, also with two for a name.
BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Node:
    """A resource or job, in short."""

    name: str
    display_name: str = ""
    """What people see; of a job its kind."""
    digest: str = ""
    create_time: datetime | None = None
    """None when it is not there any more."""
    labels: Sequence[str] = ()
    """The first `NODE_LABELS`."""

    @property
    def collection(self) -> str:
        """Which collection it is in."""
        return collection_of(self.name)

    @property
    def missing(self) -> bool:
        """Whether it is only known from what came from it."""
        return self.create_time is None


def collection_of(name: str) -> str:
    """The collection in a resource's name."""
    return name.split("/")[2]


def batches(names: Iterable[str]) -> Iterator[Sequence[str]]:
    """Names in lists that a statement takes."""
    members = list(names)
    for start in range(0, len(members), BATCH):
        yield members[start : start + BATCH]


def find_nodes(session: Session, names: Iterable[str]) -> Mapping[str, Node]:
    """What is known of resources and jobs, by name; what is not there is missing."""
    found: dict[str, Node] = {}
    by_collection: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[name] = Node(name)
        by_collection[collection_of(name)].append(name)
    for collection, members in by_collection.items():
        for batch in batches(members):
            nodes = _jobs(session, batch) if collection == "operations" else _resources(session, collection, batch)
            found.update((node.name, node) for node in nodes)
    return found


def find_rows(session: Session, names: Iterable[str], *, lock: bool = False) -> list[ResourceRow]:
    """The rows of resources of any collections; names of nothing are left out.

    Args:
        session: The transaction.
        names: Full names.
        lock: Let nobody else change, delete or refer to them until the transaction ends.
    """
    by_collection: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        by_collection[collection_of(name)].append(name)
    rows: list[ResourceRow] = []
    for collection, members in by_collection.items():
        table = resource_tables()[collection]
        for batch in batches(members):
            query = select(table).where(col(table.name).in_(batch)).order_by(col(table.name))
            rows += session.scalars(query.with_for_update() if lock else query)
    return rows


def _resources(session: Session, collection: str, names: Sequence[str]) -> Iterator[Node]:
    if collection not in resource_tables():
        return
    labels: dict[str, list[str]] = defaultdict(list)
    query = select(col(LabelRow.resource), col(LabelRow.label)).where(
        col(LabelRow.resource).in_(names), col(LabelRow.position) < NODE_LABELS
    )
    for resource, label in session.execute(query.order_by(col(LabelRow.resource), col(LabelRow.position))):
        labels[resource].append(label)
    for row in find_rows(session, names):
        title = row.display_name if isinstance(row, DescribedRow) else ""
        yield Node(row.name, title, row.content_digest, row.create_time, labels.get(row.name, ()))


def _jobs(session: Session, names: Sequence[str]) -> Iterator[Node]:
    keys = [(parts[1], parts[3]) for parts in (name.split("/") for name in names)]
    columns = (
        col(OperationRow.project),
        col(OperationRow.id),
        col(OperationRow.kind),
        col(OperationRow.create_time),
    )
    query = select(*columns).where(tuple_(columns[0], columns[1]).in_(keys))
    for project, last, kind, create_time in session.execute(query):
        yield Node(f"projects/{project}/operations/{last}", kind, create_time=create_time)
