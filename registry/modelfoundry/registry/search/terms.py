"""Looks terms up by their words: in SQLite's full-text index, or on any database by looking through all terms."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from sqlalchemy import ColumnElement, and_, func, literal, or_, select, text
from sqlmodel import Session, col

from modelfoundry.registry.search.folding import deletion_keys, distance, slips
from modelfoundry.registry.search.tables import SearchTermRow, TermSource

AT_MOST: Final = 200
"""Terms that one kind of match may bring in."""
CANDIDATES: Final = 1000
AT_ONCE: Final = 5000
MAX_NEAR_WORDS: Final = 8
Found = Sequence[tuple[int, str]]
"""Ids and texts of terms."""


class Terms(Protocol):
    """The terms of one project."""

    def with_words(self, source: TermSource, words: Sequence[str]) -> Found:
        """Terms that have all words, of the last one at least its beginning; the shortest first."""
        ...

    def near(self, words: Sequence[str]) -> Sequence[tuple[int, str, int]]:
        """Labels with a near word for every word, each with the slips in all; the nearest first."""
        ...


def exactly(session: Session, project: str, source: TermSource, terms: Iterable[str]) -> dict[str, int]:
    """Ids of those terms that are there."""
    found: dict[str, int] = {}
    row = SearchTermRow
    wanted = list(terms)
    for start in range(0, len(wanted), AT_ONCE):
        query = select(col(row.term), col(row.id)).where(
            col(row.project) == project,
            col(row.source) == source,
            col(row.term).in_(wanted[start : start + AT_ONCE]),
        )
        found |= dict(session.execute(query).all())
    return found


def terms_of(session: Session, project: str) -> Terms:
    """The best way there is on the session's database."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return FulltextTerms(session, project) if is_sqlite else PlainTerms(session, project)


class FulltextTerms:
    """Terms by SQLite's FTS5."""

    def __init__(self, session: Session, project: str) -> None:
        self._session = session
        self._project = project

    def with_words(self, source: TermSource, words: Sequence[str]) -> Found:
        """See `Terms`."""
        *whole, last = map(_quoted, words)
        return self._matching(source, f"term : ({' AND '.join((*whole, f'{last} *'))})", AT_MOST)

    def near(self, words: Sequence[str]) -> Sequence[tuple[int, str, int]]:
        """See `Terms`."""
        if len(words) > MAX_NEAR_WORDS:
            return []
        groups = (" OR ".join(map(_quoted, sorted(deletion_keys(word, slips(word))))) for word in words)
        match = "keys : (" + " AND ".join(f"({group})" for group in groups) + ")"
        return _nearest(words, self._matching(TermSource.LABEL, match, CANDIDATES))

    def _matching(self, source: TermSource, match: str, limit: int) -> Found:
        query = text(
            "SELECT t.id, t.term FROM search_terms_fts f JOIN search_terms t ON t.id = f.rowid "
            "WHERE search_terms_fts MATCH :match AND t.project = :project AND t.source = :source "
            "ORDER BY length(t.term), t.term LIMIT :limit"
        )
        arguments = {"match": match, "project": self._project, "source": str(source), "limit": limit}
        return [(identity, term) for identity, term in self._session.execute(query, arguments)]


class PlainTerms:
    """Terms on any database, with nothing but LIKE: the same answers, in time that grows with the number of terms."""

    def __init__(self, session: Session, project: str) -> None:
        self._session = session
        self._project = project

    def with_words(self, source: TermSource, words: Sequence[str]) -> Found:
        """See `Terms`."""
        padded = literal(" ") + col(SearchTermRow.term) + literal(" ")
        *whole, last = words
        conditions = [padded.contains(f" {word} ", autoescape=True) for word in whole]
        return self._matching(source, and_(*conditions, padded.contains(f" {last}", autoescape=True)), AT_MOST)

    def near(self, words: Sequence[str]) -> Sequence[tuple[int, str, int]]:
        """See `Terms`."""
        if len(words) > MAX_NEAR_WORDS:
            return []
        keys = col(SearchTermRow.keys)
        groups = [
            or_(*(keys.contains(f" {key} ", autoescape=True) for key in sorted(deletion_keys(word, slips(word)))))
            for word in words
        ]
        return _nearest(words, self._matching(TermSource.LABEL, and_(*groups), CANDIDATES))

    def _matching(self, source: TermSource, condition: ColumnElement[bool], limit: int) -> Found:
        row = SearchTermRow
        query = (
            select(col(row.id), col(row.term))
            .where(col(row.project) == self._project, col(row.source) == source, condition)
            .order_by(func.length(col(row.term)), col(row.term))
            .limit(limit)
        )
        return [(identity, term) for identity, term in self._session.execute(query)]


def _nearest(words: Sequence[str], candidates: Found) -> Sequence[tuple[int, str, int]]:
    measured = [(identity, term, distance(words, term.split())) for identity, term in candidates]
    near = [(identity, term, slips) for identity, term, slips in measured if slips is not None]
    return sorted(near, key=lambda found: (found[2], len(found[1]), found[1]))[:AT_MOST]


def _quoted(word: str) -> str:
    """A word as FTS5 takes it, whatever it is made of."""
    return '"' + word.replace('"', '""') + '"'
