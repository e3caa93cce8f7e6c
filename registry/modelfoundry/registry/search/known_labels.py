"""Which labels of models a word means, whether there are modules of them or not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import select
from sqlmodel import Session, col

from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_parent
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.registry.records.tables import LabelRow, ModelRow
from modelfoundry.registry.search.folding import distance, fold
from modelfoundry.registry.search.matching import rank, related
from modelfoundry.registry.search.search import MAX_QUERY
from modelfoundry.registry.search.vocabularies import vocabularies_of
from modelfoundry.values.on_demand import FoundLabels
from modelfoundry.values.searching import Match, MatchKind

MAX_MATCHES: Final = 200
MAX_KNOWN: Final = 20
MAX_NEAR_WORDS: Final = 8


class KnownLabels:
    """Finds labels of models. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def find(self, parent: str, query: str) -> FoundLabels:
        """Labels that answer a query.

        Raises:
            InvalidField: the query is too long, or has no letter, digit or symbol.
        """
        project = parse_parent(parent)
        if len(query) > MAX_QUERY or not fold(query):
            raise InvalidField(
                f"query: it has {len(query)} characters, {len(fold(query))} of them to compare by",
                field="query",
                hint=f"write a label in words, in at most {MAX_QUERY} characters",
            )
        with self._shelf.database.read_session() as session:
            spellings = _spellings(session, project)
            matches = list(_meant(session, project, fold(query), spellings))
        if not matches:
            known = sorted(label for labels in spellings.values() for label in labels)
            return FoundLabels(known_labels=tuple(known[:MAX_KNOWN]))
        return FoundLabels(matches=tuple(_strongest(matches, spellings))[:MAX_MATCHES])


def _spellings(session: Session, project: str) -> Mapping[str, Sequence[str]]:
    """Labels of models by their folded form."""
    query = (
        select(col(LabelRow.label))
        .join(ModelRow, col(ModelRow.name) == col(LabelRow.resource))
        .where(col(ModelRow.project) == project)
        .distinct()
        .order_by(col(LabelRow.label))
    )
    found: dict[str, list[str]] = defaultdict(list)
    for label in session.scalars(query):
        found[fold(label)].append(label)
    return found


def _meant(session: Session, project: str, query: str, spellings: Mapping[str, Sequence[str]]) -> Iterator[Match]:
    """Reasons with folded labels, all of labels that there are."""
    vocabularies = vocabularies_of(session, project)
    if query in spellings:
        yield Match(kind=MatchKind.LABEL, label=query)
    for name, vocabulary in vocabularies:
        yield from (match for match in related(query, name, vocabulary) if match.label in spellings)
    words = query.split()
    yield from (
        Match(kind=MatchKind.PREFIX, label=label)
        for label in spellings
        if label != query and _has(label.split(), words)
    )
    if query in spellings or any(vocabulary.named(query) for _, vocabulary in vocabularies):
        return
    if len(words) > MAX_NEAR_WORDS:
        return
    for label in spellings:
        slips = distance(words, label.split())
        if slips is not None:
            yield Match(kind=MatchKind.SPELLING, label=label, distance=slips)


def _has(label: Sequence[str], words: Sequence[str]) -> bool:
    """Whether a label has all words, of the last one at least its beginning."""
    *whole, last = words
    return set(whole) <= set(label) and any(word.startswith(last) for word in label)


def _strongest(matches: Sequence[Match], spellings: Mapping[str, Sequence[str]]) -> Iterator[Match]:
    """Each label once as models spell it, the strongest reason first."""
    seen: set[str] = set()
    for match in sorted(matches, key=lambda match: (rank(match), match.label)):
        if match.label not in seen:
            seen.add(match.label)
            yield from (replace(match, label=spelling) for spelling in spellings[match.label])
