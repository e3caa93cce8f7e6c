"""What names with an `@` stand for, and what keeps a resource from being deleted. Knows no collection."""

from __future__ import annotations

from typing import Final

from sqlmodel import Session, select

from modelfoundry.errors import InUse, NotFound
from modelfoundry.names import ResourceName, VersionReference, near, parse_reference
from modelfoundry.registry.aliases.tables import AliasRow, VersionRow

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


def leave_family(session: Session, resource: str) -> None:
    """Forgets that a resource, which is being deleted, is a version of a family.

    Raises:
        InUse: aliases stand for it.
    """
    aliases = session.exec(select(AliasRow.name).where(AliasRow.target == resource).limit(NAMED_ALIASES))
    if names := list(aliases):
        raise InUse(
            f"{resource} is what {', '.join(names)} stands for",
            field="name",
            hint="move the alias to another version, or remove it: `modelfoundry module alias set` or `rm`",
            metadata={"dependents": ",".join(names)},
        )
    if row := session.get(VersionRow, resource):
        session.delete(row)


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
