"""The collection of vocabularies: those that come with the registry, and those that people register."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Final

from sqlalchemy import func, select
from sqlmodel import Session, col

from modelfoundry.errors import AlreadyExists, InvalidField, StorageFull
from modelfoundry.names import parse_name, parse_parent
from modelfoundry.registry.listing.fields import TextField
from modelfoundry.registry.listing.pages import Listing
from modelfoundry.registry.records.deletion import delete_resource
from modelfoundry.registry.records.drafts import About, CreateCall
from modelfoundry.registry.records.finding import Lock, find
from modelfoundry.registry.records.shelf import Collection, Shelf
from modelfoundry.registry.records.wording import check_about
from modelfoundry.registry.search.tables import VocabularyRow
from modelfoundry.registry.search.vocabulary import (
    BUILT_IN,
    Thesaurus,
    built_in,
    checked_vocabulary,
    terms_from_json,
)
from modelfoundry.values.kinds import Kind
from modelfoundry.values.searching import Vocabulary

MAX_VOCABULARIES: Final = 64
_LISTING: Final = Listing(
    row=VocabularyRow,
    filterable={"name": TextField(col(VocabularyRow.name))},
    sortable={"name": col(VocabularyRow.name)},
    default_order="name",
)
MAX_READ: Final = 256
_READ: Final[dict[str, Thesaurus]] = {}
"""Contents by uid."""


class Vocabularies(Collection[VocabularyRow]):
    """All vocabularies. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf, Kind.VOCABULARY, _LISTING)

    def create(self, call: CreateCall, vocabulary: Vocabulary) -> Vocabulary:
        """Registers a vocabulary.

        Raises:
            InvalidField: it breaks a rule; see `checked_vocabulary`.
            StorageFull: the project has as many as it may have.
            AlreadyExists, RequestIdReused: see `Collection`.
        """
        if call.id in BUILT_IN:
            raise AlreadyExists(f"{call.id} comes with the registry", field="vocabulary_id", hint="choose another id")
        name, earlier = self._begin(call)
        if earlier is not None:
            return _stored(earlier)
        check_about(About(vocabulary.display_name, vocabulary.description), "vocabulary")
        checked_vocabulary(Thesaurus(vocabulary.terms))
        project = parse_parent(call.parent)
        self._refuse_too_many(project)
        row = VocabularyRow(
            name=name,
            project=project,
            create_time=self._shelf.now(),
            uid=str(uuid.uuid4()),
            display_name=vocabulary.display_name,
            description=vocabulary.description,
            term_count=len(vocabulary.terms),
            terms=[
                {"term": term.term, "synonyms": list(term.synonyms), "broader": list(term.broader)}
                for term in vocabulary.terms
            ],
        )
        return _stored(self._add(call, row))

    def show(self, name: str) -> Vocabulary:
        """Returns a vocabulary with its terms.

        Raises:
            NotFound: there is none of that name.
        """
        parsed = parse_name(name, self._name, field="name")
        if parsed.id in BUILT_IN:
            return _stored_built_in(parsed.parent, parsed.id, with_terms=True)
        return _stored(self.get(name))

    def of_project(self, parent: str) -> Sequence[Vocabulary]:
        """All vocabularies of `projects/{project}` without their terms, those that are built in first."""
        project = parse_parent(parent)
        columns = (
            col(VocabularyRow.name),
            col(VocabularyRow.term_count),
            col(VocabularyRow.display_name),
            col(VocabularyRow.description),
            col(VocabularyRow.uid),
            col(VocabularyRow.create_time),
        )
        query = select(*columns).where(col(VocabularyRow.project) == project).order_by(col(VocabularyRow.name))
        with self._shelf.database.read_session() as session:
            own = [Vocabulary(**row) for row in session.execute(query).mappings()]
        return [*(_stored_built_in(parent, one, with_terms=False) for one in BUILT_IN), *own]

    def delete(self, name: str) -> None:
        """Forgets a vocabulary.

        Raises:
            InvalidField: it is built in.
            NotFound: there is none of that name.
        """
        parsed = parse_name(name, self._name, field="name")
        if parsed.id in BUILT_IN:
            raise InvalidField(
                f"name: {parsed.id} comes with the registry and stays", field="name", hint="name one of your own"
            )
        with self._shelf.database.session() as session:
            row = find(session, VocabularyRow, name, field="name", lock=Lock.CHANGE)
            delete_resource(session, row, self._shelf.now(), cascade=False)

    def _refuse_too_many(self, project: str) -> None:
        with self._shelf.database.read_session() as session:
            count = session.scalar(
                select(func.count()).select_from(VocabularyRow).where(col(VocabularyRow.project) == project)
            )
        if (count or 0) >= MAX_VOCABULARIES:
            raise StorageFull(
                f"projects/{project} has {count} vocabularies",
                field="vocabulary",
                hint="delete one, or join several in one",
            )


def vocabularies_of(session: Session, project: str) -> list[tuple[str, Thesaurus]]:
    """Names and contents of all vocabularies that searches in a project look through."""
    parent = f"projects/{project}/{Kind.VOCABULARY}"
    own = session.execute(
        select(col(VocabularyRow.name), col(VocabularyRow.uid))
        .where(col(VocabularyRow.project) == project)
        .order_by(col(VocabularyRow.name))
    ).all()
    return [
        *((f"{parent}/{name}", built_in(name)) for name in BUILT_IN),
        *((name, _content(session, name, uid)) for name, uid in own),
    ]


def _content(session: Session, name: str, uid: str) -> Thesaurus:
    """A vocabulary never changes and its uid is never used again, so it is read once."""
    known = _READ.get(uid)
    if known is None:
        terms = session.scalars(select(col(VocabularyRow.terms)).where(col(VocabularyRow.name) == name)).one()
        known = Thesaurus(terms_from_json(terms))
        while len(_READ) >= MAX_READ:
            _READ.pop(next(iter(_READ)), None)
        _READ[uid] = known
    return known


def _stored(row: VocabularyRow) -> Vocabulary:
    return Vocabulary(
        name=row.name,
        term_count=row.term_count,
        display_name=row.display_name,
        description=row.description,
        terms=terms_from_json(row.terms),
        uid=row.uid,
        create_time=row.create_time,
    )


def _stored_built_in(parent: str, name: str, *, with_terms: bool) -> Vocabulary:
    content = built_in(name)
    return Vocabulary(
        name=f"{parent}/{Kind.VOCABULARY}/{name}",
        term_count=len(content.terms),
        display_name=content.display_name,
        description=content.description,
        terms=content.terms if with_terms else (),
        built_in=True,
    )
