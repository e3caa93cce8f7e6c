"""What a query means: the terms that answer it, and why, strongest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from sqlmodel import Session

from modelfoundry.registry.search.tables import Source
from modelfoundry.registry.search.terms import exactly, terms_of
from modelfoundry.registry.search.vocabularies import vocabularies_of
from modelfoundry.registry.search.vocabulary import Vocabulary

FARTHEST: Final = 100


class MatchKind(IntEnum):
    """How a module answers a query, in the order of relevance; the numbers are those of the contract."""

    LABEL = 1
    SYNONYM = 2
    MEMBER = 3
    SUPER_CLASS = 4
    PREFIX = 5
    TEXT = 6
    SPELLING = 7


@dataclass(frozen=True, slots=True)
class Match:
    """One reason why a module was found; see the contract."""

    kind: MatchKind
    label: str = ""
    """Folded in what `meaning` gives; as the module has it in results."""
    term: str = ""
    vocabulary: str = ""
    distance: int = 0

    @property
    def rank(self) -> int:
        """Smaller is stronger."""
        return self.kind * FARTHEST + min(self.distance, FARTHEST - 1)


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
    by_label[query].append(Match(MatchKind.LABEL, query))
    for name, vocabulary in vocabularies:
        for match in related(query, name, vocabulary):
            by_label[match.label].append(match)
    ids = exactly(session, project, Source.LABEL, by_label)
    reasons = {ids[label]: matches for label, matches in by_label.items() if label in ids}
    terms = terms_of(session, project)
    for identity, label in terms.with_words(Source.LABEL, words):
        if label != query:
            reasons.setdefault(identity, []).append(Match(MatchKind.PREFIX, label))
    if query not in ids and not any(vocabulary.named(query) for _, vocabulary in vocabularies):
        for identity, label, distance in terms.near(words):
            reasons.setdefault(identity, []).append(Match(MatchKind.SPELLING, label, distance=distance))
    return _meaning(reasons, _text_tier(session, project, words))


def related(query: str, name: str, vocabulary: Vocabulary) -> Iterable[Match]:
    """Words that a vocabulary of some name connects with a folded query, which is none of them."""
    for term in vocabulary.named(query):
        words = vocabulary.folded(term)
        yield from (Match(MatchKind.SYNONYM, word, term.term, name) for word in words if word != query)
        for kind, others in (
            (MatchKind.MEMBER, vocabulary.kinds_of(term)),
            (MatchKind.SUPER_CLASS, vocabulary.super_classes_of(term)),
        ):
            for other in others:
                yield from (Match(kind, word, term.term, name) for word in vocabulary.folded(other))


def _text_tier(session: Session, project: str, words: Sequence[str]) -> Tier | None:
    *whole, last = words
    also = exactly(session, project, Source.TEXT, whole)
    if len(also) < len(set(whole)):
        return None
    ends = terms_of(session, project).with_words(Source.TEXT, [last])
    return (
        Tier(Match(MatchKind.TEXT).rank, tuple(identity for identity, _ in ends), tuple(also.values()))
        if ends
        else None
    )


def _meaning(reasons: Mapping[int, Sequence[Match]], text_tier: Tier | None) -> Meaning:
    ordered = {
        identity: tuple(sorted(dict.fromkeys(matches), key=lambda match: match.rank))
        for identity, matches in reasons.items()
    }
    by_rank: dict[int, list[int]] = defaultdict(list)
    for identity, matches in ordered.items():
        by_rank[matches[0].rank].append(identity)
    tiers = [Tier(rank, tuple(identities)) for rank, identities in by_rank.items()]
    if text_tier is not None:
        tiers.append(text_tier)
        ordered |= {identity: (Match(MatchKind.TEXT),) for identity in text_tier.terms}
    return Meaning(ordered, tuple(sorted(tiers, key=lambda tier: tier.rank)))
