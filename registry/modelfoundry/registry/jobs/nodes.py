"""Jobs as nodes of provenance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import select, tuple_
from sqlmodel import Session, col

from modelfoundry.registry.jobs.tables import OperationRow
from modelfoundry.values.kinds import Kind
from modelfoundry.values.lineage import LineageNode


def job_nodes(session: Session, names: Sequence[str]) -> Iterator[LineageNode]:
    """Jobs by their full names; those that are not there are left out. People see the kind of work."""
    keys = [(parts[1], parts[3]) for parts in (name.split("/") for name in names)]
    columns = (
        col(OperationRow.project),
        col(OperationRow.id),
        col(OperationRow.kind),
        col(OperationRow.create_time),
    )
    query = select(*columns).where(tuple_(columns[0], columns[1]).in_(keys))
    for project, last, work, create_time in session.execute(query):
        name = f"projects/{project}/{Kind.OPERATION}/{last}"
        yield LineageNode(name=name, collection=Kind.OPERATION, display_name=work, create_time=create_time)
