"""Collections whose resources people describe: updates and deletions guarded by etags."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Container, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import delete
from sqlmodel import Session, col

from modelfoundry.errors import EtagMismatch
from modelfoundry.names import parse_name
from modelfoundry.registry.listing.fields import Column, EntriesField, FilterField, MembersField, MomentField, TextField
from modelfoundry.registry.records.deletion import delete_resource
from modelfoundry.registry.records.drafts import About
from modelfoundry.registry.records.finding import Lock, find
from modelfoundry.registry.records.shelf import Collection
from modelfoundry.registry.records.tables import DescribedRow, LabelRow, TagRow
from modelfoundry.registry.records.wording import check_about

Row = TypeVar("Row", bound=DescribedRow)


def new_etag() -> str:
    """A string that no other state of a resource has."""
    return f'"{secrets.token_hex(8)}"'


def described(name: str, project: str, about: About, now: datetime) -> dict[str, Any]:
    """The columns that all described resources have."""
    return {
        "name": name,
        "project": project,
        "uid": str(uuid.uuid4()),
        "etag": new_etag(),
        "create_time": now,
        "update_time": now,
        "display_name": about.display_name,
        "description": about.description,
        "license": about.license,
        "tags": dict(about.tags),
        "intended_use": about.intended_use,
    }


def described_filters(row: type[DescribedRow]) -> dict[str, FilterField]:
    """What lists of all described resources can be filtered by."""
    name = col(row.name)
    return {
        "name": TextField(name),
        "display_name": TextField(col(row.display_name)),
        "license": TextField(col(row.license)),
        "labels": MembersField(name, col(LabelRow.resource), col(LabelRow.label)),
        "tags": EntriesField(name, col(TagRow.resource), col(TagRow.key), col(TagRow.value)),
        "create_time": MomentField(col(row.create_time)),
        "update_time": MomentField(col(row.update_time)),
    }


def described_order(row: type[DescribedRow]) -> dict[str, Column]:
    """What lists of all described resources can be ordered by."""
    return {
        "name": col(row.name),
        "create_time": col(row.create_time),
        "update_time": col(row.update_time),
        "display_name": col(row.display_name),
    }


class DescribedCollection(Collection[Row]):
    """A collection whose resources people describe. All methods block."""

    def update(self, name: str, etag: str, changes: Mapping[str, Any], *, prefix: str) -> Row:
        """Changes what people wrote.

        Args:
            name: Which resource.
            etag: When not empty, the state that the caller believes it to be in.
            changes: New values of fields of `About`.
            prefix: Path of the resource in the request.

        Raises:
            NotFound: there is no such resource.
            EtagMismatch: somebody else changed it.
            InvalidField: a new value is against the rules.
        """
        parse_name(name, self._name, field=f"{prefix}.name")
        check_about(replace(About(), **changes), prefix)
        with self._shelf.database.session() as session:
            row = self._locked(session, name, etag, field=f"{prefix}.name")
            if any(getattr(row, field) != value for field, value in changes.items()):
                for field, value in changes.items():
                    setattr(row, field, value)
                row.etag = new_etag()
                row.update_time = max(self._shelf.now(), row.update_time)
                if "tags" in changes:
                    _replace_tags(session, row)
            return row

    def _delete(self, name: str, etag: str, *, cascade: bool = False, carried: Container[str] = ()) -> None:
        """Deletes a resource; see `delete_resource`.

        Raises:
            InvalidField: the name is malformed.
            NotFound: there is no such resource.
            EtagMismatch: somebody else changed it.
            InUse: others depend on it, or aliases stand for it; they are listed.
        """
        parse_name(name, self._name, field="name")
        with self._shelf.database.session() as session:
            row = self._locked(session, name, etag, field="name")
            delete_resource(session, row, self._shelf.now(), cascade=cascade, carried=carried)

    def _locked(self, session: Session, name: str, etag: str, *, field: str) -> Row:
        row = find(session, self._row, name, field=field, lock=Lock.CHANGE)
        if etag and etag != row.etag:
            raise EtagMismatch(
                f"{name} was changed since it was read",
                field="etag",
                hint="read it again, look at the change, then repeat with the new etag",
                metadata={"etag": row.etag},
            )
        return row


def _replace_tags(session: Session, row: DescribedRow) -> None:
    session.execute(delete(TagRow).where(col(TagRow.resource) == row.name))
    session.add_all(TagRow(resource=row.name, key=key, value=value) for key, value in row.tags.items())
