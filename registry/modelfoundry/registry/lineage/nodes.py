"""Resources and jobs in short, whatever they are: what graphs of provenance are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlmodel import Session, col

from modelfoundry.registry.records.finding import batches, collection_of, find_rows
from modelfoundry.registry.records.tables import DescribedRow, LabelRow, resource_tables
from modelfoundry.values.kinds import Kind
from modelfoundry.values.lineage import LineageNode

NODE_LABELS: Final = 100
JobNodes = Callable[[Session, Sequence[str]], Iterable[LineageNode]]
"""Describes jobs by their names, at most `BATCH`; those that are not there are left out."""


def find_nodes(session: Session, names: Iterable[str], job_nodes: JobNodes) -> Mapping[str, LineageNode]:
    """What is known of resources and jobs, by name; what is not there is missing."""
    found: dict[str, LineageNode] = {}
    by_collection: dict[str, list[str]] = defaultdict(list)
    for name in names:
        found[name] = LineageNode(name=name, collection=collection_of(name), missing=True)
        by_collection[collection_of(name)].append(name)
    for collection, members in by_collection.items():
        for batch in batches(members):
            is_jobs = collection == Kind.OPERATION
            nodes = job_nodes(session, batch) if is_jobs else _resources(session, collection, batch)
            found.update((node.name, node) for node in nodes)
    return found


def _resources(session: Session, collection: str, names: Sequence[str]) -> Iterator[LineageNode]:
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
        yield LineageNode(
            name=row.name,
            collection=collection,
            display_name=title,
            digest=row.content_digest,
            create_time=row.create_time,
            labels=tuple(labels.get(row.name, ())),
        )
