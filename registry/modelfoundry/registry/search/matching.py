"""What a query means: the terms that answer it, and why, strongest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session

from modelfoundry.registry.search.tables import TermSource
from modelfoundry.registry.search.terms import exactly, terms_of
from modelfoundry.registry.search.vocabularies import vocabularies_of
from modelfoundry.registry.search.vocabulary import Thesaurus
from modelfoundry.values.searching import Match, MatchKind, VocabularyTerm

FARTHEST: Final = 100
_TEXT: Final = Match(kind=MatchKind.TEXT)


_ORDER: Final = {kind: place for place, kind in enumerate(MatchKind, start=1)}


def rank(match: Match) -> int:
    """Smaller is stronger: by kind, which is declared in this order, and then by slips. Page tokens carry it."""
    return _ORDER[match.kind] * FARTHEST + min(match.distance, FARTHEST - 1)


@dataclass(frozen=True, slots=True)
class Tier:
    """Terms whose modules are equally relevant."""

    rank: int
    terms: tuple[int, ...]
    """A module has to have one of these,"""
    also: tuple[int, ...] = ()
    """and all of these."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Everything in a project's index that answers a query."""

    reasons: Mapping[int, tuple[Match, ...]]
    """By term, strongest first."""
    tiers: tuple[Tier, ...]
    """Strongest first; a term is in one."""


def meaning(session: Session, project: str, query: str) -> Meaning:
    """Looks a folded query up, which is not empty."""
    words = query.split()
    vocabularies = vocabularies_of(session, project)
    by_label: dict[str, list[Match]] = defaultdict(list)
    by_label[query].append(Match(kind=MatchKind.LABEL, label=query))
    for name, vocabulary in vocabularies:
        for match in related(query, name, vocabulary):
            by_label[match.label].append(match)
    ids = exactly(session, project, TermSource.LABEL, by_label)
    reasons = {ids[label]: matches for label, matches in by_label.items() if label in ids}
    terms = terms_of(session, project)
    for identity, label in terms.with_words(TermSource.LABEL, words):
        if label != query:
            reasons.setdefault(identity, []).append(Match(kind=MatchKind.PREFIX, label=label))
    if query not in ids and not any(vocabulary.named(query) for _, vocabulary in vocabularies):
        for identity, label, distance in terms.near(words):
            reasons.setdefault(identity, []).append(Match(kind=MatchKind.SPELLING, label=label, distance=distance))
    return _meaning(reasons, _text_tier(session, project, words))


def related(query: str, name: str, vocabulary: Thesaurus) -> Iterable[Match]:
    """Words that a vocabulary of some name connects with a folded query, which is none of them."""
    for term in vocabulary.named(query):
        words = vocabulary.folded(term)
        yield from (_by_way(MatchKind.SYNONYM, word, term, name) for word in words if word != query)
        for kind, others in (
            (MatchKind.MEMBER, vocabulary.kinds_of(term)),
            (MatchKind.SUPER_CLASS, vocabulary.super_classes_of(term)),
        ):
            for other in others:
                yield from (_by_way(kind, word, term, name) for word in vocabulary.folded(other))


def _by_way(kind: MatchKind, label: str, term: VocabularyTerm, vocabulary: str) -> Match:
    return Match(kind=kind, label=label, term=term.term, vocabulary=vocabulary)


def _text_tier(session: Session, project: str, words: Sequence[str]) -> Tier | None:
    *whole, last = words
    also = exactly(session, project, TermSource.TEXT, whole)
    if len(also) < len(set(whole)):
        return None
    ends = terms_of(session, project).with_words(TermSource.TEXT, [last])
    return Tier(rank(_TEXT), tuple(identity for identity, _ in ends), tuple(also.values())) if ends else None


def _meaning(reasons: Mapping[int, Sequence[Match]], text_tier: Tier | None) -> Meaning:
    ordered = {identity: tuple(sorted(dict.fromkeys(matches), key=rank)) for identity, matches in reasons.items()}
    by_rank: dict[int, list[int]] = defaultdict(list)
    for identity, matches in ordered.items():
        by_rank[rank(matches[0])].append(identity)
    tiers = [Tier(place, tuple(identities)) for place, identities in by_rank.items()]
    if text_tier is not None:
        tiers.append(text_tier)
        ordered |= dict.fromkeys(text_tier.terms, (_TEXT,))
    return Meaning(ordered, tuple(sorted(tiers, key=lambda tier: tier.rank)))
