"""What all collections of the catalog share: their database and blobs, names, pages, and the one way to add a row."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Generic, TypeVar

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, col

from modelfoundry.errors import AlreadyExists
from modelfoundry.names import check_id, parse_parent, singular_of
from modelfoundry.registry.database import Database
from modelfoundry.registry.listing.pages import Listing, ListRequest, Page, fetch_page
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.registry.records.blob_reader import BlobReader, missing_blob
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.families import resolved
from modelfoundry.registry.records.finding import Lock, find
from modelfoundry.registry.records.requests import answered_before, remember_answer
from modelfoundry.registry.records.tables import (
    BlobRow,
    BlobUseRow,
    LabelRow,
    ProvenanceRow,
    ResourceRow,
    SigningKeyRow,
    TagRow,
)
from modelfoundry.values.resources import Relation

Row = TypeVar("Row", bound=ResourceRow)


def utc_now() -> datetime:
    """The clock of the catalog."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Shelf:
    """Where everything is kept."""

    database: Database
    blobs: BlobReader
    now: Callable[[], datetime] = utc_now

    @cached_property
    def signer(self) -> TokenSigner:
        """Signs page tokens with the key in the database; the first registry on a database makes the key."""
        purpose = "page_tokens"
        with self.database.read_session() as session:
            row = session.get(SigningKeyRow, purpose)
        if row is None:
            with suppress(IntegrityError), self.database.session() as session:  # another replica may have been quicker
                if session.get(SigningKeyRow, purpose) is None:
                    session.add(SigningKeyRow(purpose=purpose, key=secrets.token_bytes(32)))
            with self.database.read_session() as session:
                row = session.get_one(SigningKeyRow, purpose)
        return TokenSigner(row.key)


@dataclass(frozen=True, slots=True)
class Edge:
    """A step of provenance from the resource that is being stored."""

    relation: Relation
    object: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Parent:
    """A resource that the one being stored refers to."""

    table: type[ResourceRow]
    name: str
    field: str
    """Path of the name in the request."""


@dataclass(frozen=True, slots=True)
class Use:
    """A blob that the resource being stored is made of."""

    digest: str
    field: str
    """Path of the digest in the request."""


class Collection(Generic[Row]):
    """One collection of resources. All methods block: call them from a thread."""

    def __init__(self, shelf: Shelf, name: str, listing: Listing[Row]) -> None:
        self._shelf = shelf
        self._name = name
        self._listing = listing
        self._row = listing.row

    def get(self, name: str) -> Row:
        """Returns a resource by its name, or by `{family}@{alias}` or `{family}@{version}`.

        Raises:
            InvalidField: the name is malformed.
            NotFound: there is none of that name; near ones are named.
        """
        with self._shelf.database.read_session() as session:
            return find(session, self._row, resolved(session, name, self._name, field="name"), field="name")

    def list(self, request: ListRequest) -> Page[Row]:
        """Returns a page of a project's resources.

        Raises:
            InvalidField: an argument is not as the contract says.
        """
        project = parse_parent(request.parent)
        signer = self._shelf.signer
        with self._shelf.database.read_session() as session:
            return fetch_page(session, self._listing, col(self._row.project) == project, request, signer)

    def _begin(self, call: CreateCall) -> tuple[str, Row | None]:
        """Checks the call itself, before anything slow.

        Returns:
            The name for the new resource, and what an equal call made before.

        Raises:
            InvalidField: parent, id or request id are malformed.
            RequestIdReused: the request id was used for another request.
            AlreadyExists: the name is taken.
        """
        project = parse_parent(call.parent)
        singular = singular_of(self._name)
        last = check_id(call.id, field=f"{singular}_id") if call.id else f"{singular}-{secrets.token_hex(8)}"
        name = f"projects/{project}/{self._name}/{last}"
        with self._shelf.database.read_session() as session:
            return name, self._made_before(session, project, name, call)

    def _add(
        self,
        call: CreateCall,
        row: Row,
        *,
        parents: Iterable[Parent] = (),
        blobs: Sequence[Use] = (),
        labels: Sequence[str] = (),
        edges: Sequence[Edge] = (),
        parts: Sequence[SQLModel] = (),
    ) -> Row:
        """Stores a checked row with all that belongs to it, in one transaction.

        Args:
            call: The request.
            row: The resource.
            parents: Resources that must still be there.
            blobs: Blobs that it is made of.
            labels: Labels that lists find it by.
            edges: Where it came from.
            parts: Rows of other tables that refer to the row.

        Returns:
            The row, or the one that an equal call stored in the meantime.
        """
        if call.validate_only:
            return row
        try:
            with self._shelf.database.session() as session:
                earlier = self._made_before(session, row.project, row.name, call)
                if earlier is not None:
                    return earlier
                # Checked before, but large weights were read since: they must be there now and stay until the commit.
                for parent in parents:
                    find(session, parent.table, parent.name, field=parent.field, lock=Lock.KEEP)
                for use in blobs:
                    if session.get(BlobRow, use.digest, with_for_update=Lock.KEEP.value) is None:
                        raise missing_blob(use.digest, field=use.field)
                remember_answer(session, row.project, call, row, row.create_time)
                _insert(session, row, {use.digest for use in blobs}, labels, edges)
                session.flush()
                session.add_all(parts)
                session.flush()
        except IntegrityError:
            # Where several writers write at once (not on SQLite), an equal call or another of this name was quicker.
            _, earlier = self._begin(call)
            if earlier is None:
                raise
            return earlier
        return row

    def _made_before(self, session: Session, project: str, name: str, call: CreateCall) -> Row | None:
        """What an equal call made, or None when there was none and the name is free."""
        # In this order: where each question sees the newest state, an equal call may end between the two.
        taken = session.get(self._row, name) is not None
        earlier = answered_before(session, project, call, self._row, self._shelf.now())
        if earlier is None and taken:
            raise AlreadyExists(
                f"{name} is there already",
                field=f"{singular_of(self._name)}_id",
                hint="choose another id, or delete the old one first",
                metadata={"resource": name},
            )
        return earlier


def _insert(
    session: Session, row: ResourceRow, digests: Iterable[str], labels: Sequence[str], edges: Sequence[Edge]
) -> None:
    session.add(row)
    session.add_all(BlobUseRow(resource=row.name, digest=digest) for digest in digests)
    session.add_all(LabelRow(resource=row.name, position=index, label=label) for index, label in enumerate(labels))
    tags: dict[str, str] = getattr(row, "tags", {})
    session.add_all(TagRow(resource=row.name, key=key, value=value) for key, value in tags.items())
    session.add_all(
        ProvenanceRow(
            project=row.project,
            subject=row.name,
            relation=edge.relation.name,
            object=edge.object,
            object_digest=edge.digest,
            create_time=row.create_time,
        )
        for edge in edges
    )
