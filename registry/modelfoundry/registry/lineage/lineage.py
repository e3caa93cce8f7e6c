"""Walks provenance: from a resource to what it came from, and to what came from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import or_, select
from sqlmodel import Session, col

from modelfoundry.errors import InvalidField, NotFound
from modelfoundry.names import RESOURCE_ID, shortened
from modelfoundry.registry.lineage.nodes import JobNodes, find_nodes
from modelfoundry.registry.records.deletion import deletion_order, dependents
from modelfoundry.registry.records.families import aliases_of, resolved
from modelfoundry.registry.records.finding import batches, find
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.registry.records.tables import ProvenanceRow, resource_tables
from modelfoundry.values.lineage import Dependents, Direction, Lineage
from modelfoundry.values.resources import ProvenanceEdge, Relation

DEFAULT_DEPTH: Final = 10
MAX_DEPTH: Final = 100
DEFAULT_NODES: Final = 500
MAX_NODES: Final = 5000
NAMED_DEPENDENTS: Final = 1000


@dataclass
class _Walk:
    """What was seen so far."""

    limit: int
    distances: dict[str, int]
    edges: dict[int, ProvenanceRow] = field(default_factory=dict)
    truncated: bool = False

    def reach(self, name: str, distance: int) -> bool:
        """Whether a node is part of the graph; it is added as long as there is room."""
        if name not in self.distances and len(self.distances) >= self.limit:
            self.truncated = True
            return False
        self.distances[name] = min(distance, self.distances.get(name, distance))
        return True


class Lineages:
    """The graph of provenance of all projects. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf, job_nodes: JobNodes) -> None:
        self._shelf = shelf
        self._job_nodes = job_nodes

    def walk(self, name: str, direction: Direction, depth: int = 0, max_nodes: int = 0) -> Lineage:
        """Returns what a resource came from, what came from it, or both.

        Args:
            name: A resource or job, or what an alias stands for; one that was deleted will do as long as others came
                from it.
            direction: Which way.
            depth: Steps at most; 0: `DEFAULT_DEPTH`, more than `MAX_DEPTH`: that.
            max_nodes: Nodes at most; 0: `DEFAULT_NODES`, more than `MAX_NODES`: that.

        Raises:
            InvalidField: an argument is not as the contract says.
            NotFound: there is no such resource, and no step names it.
        """
        collection = _check_name(name)
        steps = _limit(depth, DEFAULT_DEPTH, MAX_DEPTH, field="depth")
        most = _limit(max_nodes, DEFAULT_NODES, MAX_NODES, field="max_nodes")
        with self._shelf.database.read_session() as session:
            name = resolved(session, name, collection, field="name")
            walk = _Walk(most, {name: 0})
            for way in (Direction.ANCESTORS, Direction.DESCENDANTS):
                if direction in {way, Direction.BOTH}:
                    _walk(session, walk, name, steps, upwards=way is Direction.ANCESTORS)
            nodes = find_nodes(session, walk.distances, self._job_nodes)
            if nodes[name].missing and not walk.edges and not _is_known(session, name):
                raise NotFound(
                    f"there is no {name}, and nothing came from it",
                    field="name",
                    hint="list what is there: modules, models, datasets, evaluations",
                    metadata={"resource": name},
                )
        nearest = sorted(walk.distances.items(), key=lambda entry: entry[1])
        return Lineage(
            nodes=tuple(replace(nodes[key], distance=distance) for key, distance in nearest),
            edges=tuple(edge_of(walk.edges[key]) for key in sorted(walk.edges)),
            truncated=walk.truncated,
        )

    def dependents(self, name: str) -> Dependents:
        """Returns what goes when a resource is deleted with `cascade`: the first `NAMED_DEPENDENTS`, and how many.

        Raises:
            InvalidField: the name is malformed or that of no resource.
            NotFound: there is no such resource.
        """
        collection = _check_name(name)
        table = resource_tables().get(collection)
        if table is None:
            raise InvalidField(
                f"name: {name} is no resource of the catalog",
                field="name",
                hint=f"name something in {', '.join(sorted(resource_tables()))}",
            )
        with self._shelf.database.read_session() as session:
            name = resolved(session, name, collection, field="name")
            find(session, table, name, field="name")
            graph = dependents(session, name)
            order = [one for one in deletion_order(graph) if one != name]
            named = order[:NAMED_DEPENDENTS]
            nodes = find_nodes(session, named, self._job_nodes)
            aliases = [alias for some in batches(graph) for alias in aliases_of(session, some)]
        distances = _distances(graph, name)
        return Dependents(
            nodes=tuple(replace(nodes[one], distance=distances[one]) for one in named),
            total_count=len(order),
            aliases=tuple(aliases[:NAMED_DEPENDENTS]),
        )


def edge_of(row: ProvenanceRow) -> ProvenanceEdge:
    """A stored step of provenance."""
    return ProvenanceEdge(
        subject=row.subject,
        relation=Relation[row.relation],
        object=row.object,
        object_digest=row.object_digest,
        create_time=row.create_time,
    )


def _distances(graph: Mapping[str, Iterable[str]], root: str) -> Mapping[str, int]:
    distances = {root: 0}
    for name in (reached := [root]):
        for dependent in graph[name]:
            if dependent not in distances:
                distances[dependent] = distances[name] + 1
                reached.append(dependent)
    return distances


def _walk(session: Session, walk: _Walk, root: str, depth: int, *, upwards: bool) -> None:
    level, seen = [root], {root}
    for distance in range(1, depth + 1):
        reached: dict[str, None] = {}
        for edge in _edges(session, level, walk, upwards=upwards):
            end = edge.object if upwards else edge.subject
            if walk.reach(end, distance):
                walk.edges[edge.id or 0] = edge
                if end not in seen:
                    reached[end] = None
        level = list(reached)
        seen.update(reached)
        if not level:
            return


def _edges(session: Session, names: Iterable[str], walk: _Walk, *, upwards: bool) -> Iterable[ProvenanceRow]:
    """The steps from nodes of one level, no more than tell that there are too many."""
    near, far = col(ProvenanceRow.subject), col(ProvenanceRow.object)
    if not upwards:
        near, far = far, near
    for batch in batches(names):
        # Few relations join the same two resources: this many steps lead to more nodes than there is room for.
        room = walk.limit * 4
        found = session.scalars(
            select(ProvenanceRow).where(near.in_(batch)).order_by(col(ProvenanceRow.id)).limit(room + 1)
        ).all()
        walk.truncated = walk.truncated or len(found) > room
        yield from found[:room]


def _is_known(session: Session, name: str) -> bool:
    named = or_(col(ProvenanceRow.subject) == name, col(ProvenanceRow.object) == name)
    return session.scalar(select(col(ProvenanceRow.id)).where(named).limit(1)) is not None


def _check_name(name: str) -> str:
    """The collection in a well-formed name."""
    parts = name.partition("@")[0].split("/", 4)
    well_formed = len(parts) == 4 and parts[0] == "projects" and all(map(RESOURCE_ID.fullmatch, parts[1:]))
    if not well_formed:
        raise InvalidField(
            f"name: {shortened(name)!r} is not of the form projects/{{project}}/{{collection}}/{{id}}",
            field="name",
            hint="pass for example projects/default/modules/horse",
        )
    return parts[2]


def _limit(given: int, default: int, largest: int, *, field: str) -> int:
    if given < 0:
        raise InvalidField(f"{field} is {given}", field=field, hint=f"pass 1 to {largest}, or 0 for {default}")
    return min(given, largest) if given else default
