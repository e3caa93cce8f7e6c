"""Makes, moves, removes and lists aliases and versions, each change in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from modelfoundry.errors import EtagMismatch, InvalidField, NotFound
from modelfoundry.names import ResourceName, VersionReference, parse_name, parse_parent, parse_reference, shortened
from modelfoundry.registry.listing.fields import MomentField, NumberField, TextField
from modelfoundry.registry.listing.pages import Listing, ListRequest, Page, Row, fetch_page
from modelfoundry.registry.records.alias_tables import AliasMoveRow, AliasRow, FamilyRow, VersionRow
from modelfoundry.registry.records.families import record_move, resolved
from modelfoundry.registry.records.finding import Lock, find
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.registry.records.tables import CompositionRow, ModelRow, ModuleRow, ResourceRow
from modelfoundry.values.aliases import Alias, AliasMove, Version
from modelfoundry.values.kinds import Kind

TABLES: Final[Mapping[str, type[ResourceRow]]] = {
    Kind.MODEL: ModelRow,
    Kind.MODULE: ModuleRow,
    Kind.COMPOSITION: CompositionRow,
}
"""Collections that have families."""
ALIASES: Final = Listing(
    row=AliasRow,
    filterable={
        "name": TextField(col(AliasRow.name)),
        "collection": TextField(col(AliasRow.collection)),
        "family": TextField(col(AliasRow.family)),
        "target": TextField(col(AliasRow.target)),
        "update_time": MomentField(col(AliasRow.update_time)),
    },
    sortable={"name": col(AliasRow.name)},
    default_order="name",
)
MOVES: Final = Listing(
    row=AliasMoveRow,
    filterable={
        "alias": TextField(col(AliasMoveRow.alias)),
        "previous_target": TextField(col(AliasMoveRow.previous_target)),
        "target": TextField(col(AliasMoveRow.target)),
        "move_time": MomentField(col(AliasMoveRow.move_time)),
    },
    sortable={"id": col(AliasMoveRow.id)},
    default_order="id desc",
    last="id",
)
VERSIONS: Final = Listing(
    row=VersionRow,
    filterable={
        "resource": TextField(col(VersionRow.resource)),
        "collection": TextField(col(VersionRow.collection)),
        "family": TextField(col(VersionRow.family)),
        "version": NumberField(col(VersionRow.version)),
        "create_time": MomentField(col(VersionRow.create_time)),
    },
    sortable={"create_time": col(VersionRow.create_time), "resource": col(VersionRow.resource)},
    default_order="create_time desc",
    last="resource",
)
Result = TypeVar("Result")


class Aliases:
    """All aliases and versions. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._database = shelf.database
        self._now = shelf.now

    def set(self, name: str, target: str, expected: str | None) -> AliasRow:
        """Moves or makes an alias. `expected`: what it must stand for now, empty for nothing, None for whatever.

        Raises:
            InvalidField: a name is malformed, or the target is of another project, collection or family.
            NotFound: there is no such target.
            EtagMismatch: the alias stands for something else than expected.
        """
        alias = _alias(name)
        return self._changed(lambda session: self._set(session, alias, target, expected))

    def delete(self, name: str, expected: str | None) -> None:
        """Removes an alias.

        Raises:
            InvalidField: the name is malformed.
            NotFound: there is no such alias.
            EtagMismatch: it stands for something else than expected.
        """
        _alias(name)
        with self._database.session() as session:
            row = session.get(AliasRow, name, with_for_update=True)
            _check_expected(name, row, expected)
            if row is None:
                raise NotFound(
                    f"there is no alias {name}",
                    field="name",
                    hint="list the aliases",
                    metadata={"resource": name},
                )
            record_move(session, row, row.target, "", self._now())
            session.delete(row)

    def add_version(self, family: str, resource: str) -> VersionRow:
        """Makes a resource the next version of a family.

        Raises:
            InvalidField: a name is malformed, or the resource is a version of another family.
            NotFound: there is no such resource.
        """
        collection = _collection(family, field="family")
        named = parse_name(family, collection, field="family")
        return self._changed(lambda session: self._join(session, named, resource, field="resource"))

    def aliases(self, request: ListRequest) -> Page[AliasRow]:
        """A page of a project's aliases, by name."""
        return self._page(ALIASES, request)

    def moves(self, request: ListRequest) -> Page[AliasMoveRow]:
        """A page of the moves of a project's aliases, newest first."""
        return self._page(MOVES, request)

    def versions(self, request: ListRequest) -> Page[VersionRow]:
        """A page of a project's versions, newest first."""
        return self._page(VERSIONS, request)

    def _set(self, session: Session, alias: VersionReference, target: str, expected: str | None) -> AliasRow:
        name = str(alias)
        row = session.get(AliasRow, name, with_for_update=True)
        _check_expected(name, row, expected)
        family = ResourceName(alias.project, alias.collection, alias.family)
        version = self._join(session, family, target, field="target")
        previous = "" if row is None else row.target
        if row is None:
            row = AliasRow(
                name=name,
                project=alias.project,
                collection=alias.collection,
                family=alias.family,
                target=version.resource,
                version=version.version,
                update_time=self._now(),
            )
            session.add(row)
        if previous != version.resource:
            row.target, row.version, row.update_time = version.resource, version.version, self._now()
            record_move(session, row, previous, version.resource, row.update_time)
        session.flush()
        return row

    def _join(self, session: Session, family: ResourceName, resource: str, *, field: str) -> VersionRow:
        own_name = resolved(session, resource, family.collection, field=field)
        if parse_name(own_name, family.collection, field=field).project != family.project:
            raise InvalidField(
                f"{field}: {own_name} is in another project",
                field=field,
                hint=f"name something in projects/{family.project}",
            )
        find(session, TABLES[family.collection], own_name, field=field, lock=Lock.KEEP)
        row = session.get(VersionRow, own_name)
        if row is None:
            return self._added(session, family, own_name)
        if row.family_name != str(family):
            raise InvalidField(
                f"{field}: {own_name} is version {row.version} of {row.family}, not of {family.id}",
                field=field,
                hint=f"use an alias {row.family}@..., or another resource",
            )
        return row

    def _added(self, session: Session, family: ResourceName, resource: str) -> VersionRow:
        counter = session.get(FamilyRow, str(family), with_for_update=True) or FamilyRow(name=str(family))
        counter.last_version += 1
        session.add(counter)
        row = VersionRow(
            resource=resource,
            project=family.project,
            collection=family.collection,
            family=family.id,
            family_name=str(family),
            version=counter.last_version,
            create_time=self._now(),
        )
        session.add(row)
        session.flush()
        return row

    def _changed(self, change: Callable[[Session], Result]) -> Result:
        try:
            with self._database.session() as session:
                return change(session)
        except IntegrityError:
            # Where several writers write at once (not on SQLite), another made the same row; now it can be seen.
            with self._database.session() as session:
                return change(session)

    def _page(self, listing: Listing[Row], request: ListRequest) -> Page[Row]:
        project = parse_parent(request.parent)
        scope = listing.row.project == project  # type: ignore[attr-defined]  # all three have it
        signer = self._shelf.signer
        with self._database.read_session() as session:
            return fetch_page(session, listing, scope, request, signer)


def alias_of(row: AliasRow) -> Alias:
    """A stored alias."""
    return Alias(name=row.name, target=row.target, version=row.version, update_time=row.update_time)


def move_of(row: AliasMoveRow) -> AliasMove:
    """A stored move."""
    return AliasMove(alias=row.alias, previous_target=row.previous_target, target=row.target, move_time=row.move_time)


def version_of(row: VersionRow) -> Version:
    """A stored version."""
    return Version(
        name=f"{row.family_name}@{row.version}",
        resource=row.resource,
        version=row.version,
        create_time=row.create_time,
    )


def _alias(name: str) -> VersionReference:
    reference = parse_reference(name, _collection(name, field="name"), field="name")
    if isinstance(reference, ResourceName) or reference.version is not None:
        raise InvalidField(
            f"name: {shortened(name)!r} is no alias",
            field="name",
            hint="pass for example projects/default/modules/cat@champion; the part after @ begins with a letter",
        )
    return reference


def _collection(name: str, *, field: str) -> str:
    match name.split("/", 4):
        case ["projects", _, collection, _] if collection in TABLES:
            return collection
        case _:
            raise InvalidField(
                f"{field}: {shortened(name)!r} names nothing that has families",
                field=field,
                hint=f"families are in {', '.join(TABLES)}: pass for example projects/default/modules/cat@champion",
            )


def _check_expected(name: str, row: AliasRow | None, expected: str | None) -> None:
    target = "" if row is None else row.target
    if expected is not None and expected != target:
        raise EtagMismatch(
            f"{name} stands for {target or 'nothing'}, not for {shortened(expected) or 'nothing'}",
            field="expected_target",
            hint="look at what it stands for now, then repeat with that",
            metadata={"target": target},
        )
