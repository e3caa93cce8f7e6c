"""Deletes resources, alone or with everything that depends on them.

What came from a resource depends on it: the subject of a step of provenance on its object, and a baseline's measurement
on the module whose problem was posed.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Final

from sqlalchemy import delete, select
from sqlmodel import Session, col

from modelfoundry.errors import InUse
from modelfoundry.names import singular_of
from modelfoundry.registry.records.families import leave_families, refuse_aliased
from modelfoundry.registry.records.finding import batches, collection_of, find_rows
from modelfoundry.registry.records.tables import (
    BlobUseRow,
    CompositionDatasetRow,
    CompositionSourceRow,
    EvaluationRow,
    LabelRow,
    ProvenanceRow,
    ResourceRow,
    TagRow,
    resource_tables,
)

NAMED_DEPENDENTS: Final = 20


def delete_resource(
    session: Session, row: ResourceRow, now: datetime, *, cascade: bool, carried: Container[str] = ()
) -> None:
    """Deletes a locked resource with its labels, tags, version and the provenance that was written with it.

    Args:
        session: The transaction.
        row: The resource.
        now: When.
        cascade: Also delete what depends on it, what depends on that, and the aliases that stand for any of these.
        carried: Collections of which dependents go with it in any case.

    Raises:
        InUse: others depend on it, or aliases stand for it; they are listed.
    """
    if not cascade:
        refuse_aliased(session, row.name)
        direct = _direct_dependents(session, [row.name])[row.name]
        _refuse_used(row.name, [name for name in direct if collection_of(name) not in carried])
    for generation in _generations(dependents(session, row.name, lock=True)):
        _forget(session, find_rows(session, generation), now)


def deletion_order(graph: Mapping[str, Collection[str]]) -> list[str]:
    """The resources of a graph of dependents, each after what depends on it."""
    return [name for generation in _generations(graph) for name in generation]


def dependents(session: Session, name: str, *, lock: bool = False) -> Mapping[str, Collection[str]]:
    """What depends on a resource, directly or through others.

    Args:
        session: The transaction.
        name: The resource.
        lock: Let nobody change them, or make something of them, until the transaction ends.

    Returns:
        For the resource and everything that depends on it: its direct dependents.
    """
    graph: dict[str, Collection[str]] = {}
    level = [name]
    while level:
        if lock:
            find_rows(session, level, lock=True)
        direct = _direct_dependents(session, level)
        graph.update(direct)
        level = sorted({dependent for names in direct.values() for dependent in names} - graph.keys())
    return graph


def _direct_dependents(session: Session, names: Sequence[str]) -> Mapping[str, list[str]]:
    found: dict[str, dict[str, None]] = {name: {} for name in names}
    for batch in batches(names):
        steps = select(col(ProvenanceRow.object), col(ProvenanceRow.subject)).where(
            col(ProvenanceRow.object).in_(batch)
        )
        baselines = select(col(EvaluationRow.module), col(EvaluationRow.name)).where(
            col(EvaluationRow.module).in_(batch)
        )
        for query in (steps.order_by(col(ProvenanceRow.id)), baselines.order_by(col(EvaluationRow.name))):
            for used, user in session.execute(query):
                found[used][user] = None
    return {name: list(users) for name, users in found.items()}


def _generations(graph: Mapping[str, Collection[str]]) -> Iterator[list[str]]:
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        yield ready
        sorter.done(*ready)


def _forget(session: Session, rows: Iterable[ResourceRow], now: datetime) -> None:
    """Deletes resources that nothing depends on any more."""
    doomed = {row.name: row for row in rows}
    for names in batches(doomed):
        leave_families(session, names, now)
        session.execute(delete(BlobUseRow).where(col(BlobUseRow.resource).in_(names)))
        session.execute(delete(LabelRow).where(col(LabelRow.resource).in_(names)))
        session.execute(delete(TagRow).where(col(TagRow.resource).in_(names)))
        session.execute(delete(ProvenanceRow).where(col(ProvenanceRow.subject).in_(names)))
        session.execute(delete(CompositionSourceRow).where(col(CompositionSourceRow.composition).in_(names)))
        session.execute(delete(CompositionDatasetRow).where(col(CompositionDatasetRow.composition).in_(names)))
    for row in doomed.values():
        session.delete(row)
    session.flush()


def _refuse_used(name: str, users: Sequence[str]) -> None:
    if not users:
        return
    listed = ", ".join(users[:NAMED_DEPENDENTS])
    more = f" and {len(users) - NAMED_DEPENDENTS} more" if len(users) > NAMED_DEPENDENTS else ""
    in_use = {collection_of(user) for user in users}
    raise InUse(
        f"{name} is needed by {listed}{more}",
        field="name",
        hint=_how_to_delete([collection for collection in sorted(resource_tables()) if collection in in_use]),
        metadata={"dependents": ",".join(users[:NAMED_DEPENDENTS])},
    )


def _how_to_delete(collections: Sequence[str]) -> str:
    """What to do about dependents in these collections, for people at a shell and for programs."""
    commands = " and ".join(f"`modelfoundry {singular_of(collection)} rm`" for collection in collections)
    calls = " and ".join(f"`client.{collection}.delete`" for collection in collections)
    return f"delete these first: {commands}, or {calls} in Python; or all at once with `--cascade`"
