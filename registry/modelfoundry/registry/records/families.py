"""Families: what names with an `@` stand for, how that is changed, and what becomes of it with a resource."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from modelfoundry.errors import InUse, NotFound
from modelfoundry.names import ResourceName, VersionReference, near, parse_reference, singular_of
from modelfoundry.registry.records.alias_tables import AliasMoveRow, AliasRow, VersionRow
from modelfoundry.registry.records.journal import Happening, note
from modelfoundry.registry.records.tables import resource_tables
from modelfoundry.values.lineage import EventKind

NAMED_ALIASES: Final = 20
SEARCHED_ALIASES: Final = 2000


def resolved(session: Session, text: str, collection: str, *, field: str) -> str:
    """The resource's own name: of `.../{family}@{alias}` and `.../{family}@{version}` what they stand for now.

    Raises:
        InvalidField: it is malformed.
        NotFound: no such alias or version; near ones are named.
    """
    reference = parse_reference(text, collection, field=field)
    if isinstance(reference, ResourceName):
        return text
    if reference.version is None:
        row = session.get(AliasRow, text)
        target = None if row is None else row.target
    else:
        query = select(VersionRow.resource).where(
            VersionRow.family_name == reference.family_name, VersionRow.version == reference.version
        )
        target = session.exec(query).first()
    if target is None:
        raise _unknown(session, reference, field)
    return target


def aliases_of(session: Session, resources: Sequence[str], limit: int | None = None) -> list[str]:
    """The aliases that stand for any of some resources, by name."""
    named = select(AliasRow.name).where(col(AliasRow.target).in_(resources)).order_by(AliasRow.name)
    return list(session.exec(named if limit is None else named.limit(limit)))


def refuse_aliased(session: Session, resource: str) -> None:
    """Keeps what somebody reaches by an alias from being deleted alone.

    Raises:
        InUse: aliases stand for it; they are named.
    """
    if names := aliases_of(session, [resource], NAMED_ALIASES):
        short = names[0].rpartition("/")[2]
        command = f"modelfoundry {singular_of(names[0].split('/')[2])}"
        raise InUse(
            f"{resource} is what {', '.join(names)} stands for",
            field="name",
            hint=f"move it first: `{command} alias set {short} OTHER`, or remove it: `{command} alias rm {short}`",
            metadata={"dependents": ",".join(names)},
        )


def record_move(session: Session, alias: AliasRow, previous: str, target: str, now: datetime) -> None:
    """Adds a move to an alias's history, and the event of it.

    Args:
        session: The transaction of the move.
        alias: The alias.
        previous: What it stood for; empty: it is being made.
        target: What it stands for from now on; empty: it is being removed.
        now: When.
    """
    session.add(
        AliasMoveRow(project=alias.project, alias=alias.name, previous_target=previous, target=target, move_time=now)
    )
    named = target or previous
    row = session.get_one(resource_tables()[alias.collection], named)
    kind = EventKind.ALIASED if target else EventKind.UNALIASED
    note(session, Happening(kind, named, row.content_digest, getattr(row, "etag", ""), alias=alias.name))


def leave_families(session: Session, resources: Sequence[str], now: datetime) -> None:
    """Forgets the versions of resources that are being deleted, and the aliases that stand for them."""
    for alias in session.exec(select(AliasRow).where(col(AliasRow.target).in_(resources)).with_for_update()).all():
        record_move(session, alias, alias.target, "", now)
        session.delete(alias)
    for version in session.exec(select(VersionRow).where(col(VersionRow.resource).in_(resources))).all():
        session.delete(version)


def _unknown(session: Session, reference: VersionReference, field: str) -> NotFound:
    name = str(reference)
    of_collection = (AliasRow.project == reference.project, AliasRow.collection == reference.collection)
    there = session.exec(select(AliasRow.name).where(*of_collection).limit(SEARCHED_ALIASES))
    suggestions = near(name.rpartition("/")[2], (alias.rpartition("/")[2] for alias in there))
    return NotFound(
        f"there is no {name}",
        field=field,
        hint=f"did you mean {' or '.join(suggestions)}?" if suggestions else "list the aliases and versions",
        metadata={"resource": name, "near": ", ".join(suggestions)},
    )
