"""What searches find and why, and the vocabularies that they understand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from modelfoundry.values.resources import Module


class MatchKind(StrEnum):
    """How a module answers a query, in the order of relevance; see `search.proto`."""

    LABEL = "label"
    SYNONYM = "synonym"
    MEMBER = "member"
    SUPER_CLASS = "super_class"
    PREFIX = "prefix"
    TEXT = "text"
    SPELLING = "spelling"


_IN_WORDS: Final = {
    MatchKind.LABEL: "label {label}",
    MatchKind.SYNONYM: "{label}: synonym of {term} in {vocabulary}",
    MatchKind.MEMBER: "{label}: member of {term} in {vocabulary}",
    MatchKind.SUPER_CLASS: "{label}: super-class of {term} in {vocabulary}",
    MatchKind.PREFIX: "words of {label}",
    MatchKind.TEXT: "name or tags",
    MatchKind.SPELLING: "{label}: {slips} away",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One reason why a module was found.

    `term` and `vocabulary` say what the query was taken for (synonyms, members and super-classes), `distance` how many
    slips a spelling is away.
    """

    kind: MatchKind
    label: str = ""
    term: str = ""
    vocabulary: str = ""
    distance: int = 0

    def __str__(self) -> str:
        slips = "1 slip" if self.distance == 1 else f"{self.distance} slips"
        vocabulary = self.vocabulary.rpartition("/")[2]
        return _IN_WORDS[self.kind].format(label=self.label, term=self.term, vocabulary=vocabulary, slips=slips)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSummary:
    """The best test evaluation of a module, short, and the time of one image. None: not measured.

    `accuracy` and `f1` are those on the samples posed, `balanced_accuracy` and `auc` those on all of the split.
    """

    accuracy: float | None = None
    f1: float | None = None
    dataset: str = ""
    latency_ms: float | None = None
    balanced_accuracy: float | None = None
    auc: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """A module that was found, and why, the strongest reason first."""

    module: Module
    matches: tuple[Match, ...] = ()
    measured: MeasuredSummary = MeasuredSummary()
    architecture: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyTerm:
    """One meaning: a word, other words for it, and the terms that it is directly a kind of."""

    term: str
    synonyms: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """All words for it."""
        return (self.term, *self.synonyms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Words for labels that searches of a project understand. `terms` are left out of lists."""

    name: str = ""
    terms: tuple[VocabularyTerm, ...] = ()
    display_name: str = ""
    description: str = ""
    term_count: int = 0
    built_in: bool = False
    uid: str = ""
    create_time: datetime | None = None

    @property
    def id(self) -> str:
        """Last segment of the name."""
        return self.name.rpartition("/")[2]
