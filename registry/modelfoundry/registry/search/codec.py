"""Searches and vocabularies, to and from their messages."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import search_pb2, vocabulary_pb2
from modelfoundry.registry.records.listed_modules import listed_module_to_proto
from modelfoundry.registry.records.messages import timestamp
from modelfoundry.registry.search.matching import Match
from modelfoundry.registry.search.search import Result
from modelfoundry.registry.search.vocabularies import StoredVocabulary
from modelfoundry.registry.search.vocabulary import Term, Vocabulary


def result_to_proto(result: Result) -> search_pb2.SearchResult:
    """A module that was found."""
    facts = result.facts
    return search_pb2.SearchResult(
        module=listed_module_to_proto(result.module),
        matches=[match_to_proto(match) for match in result.matches],
        measured=search_pb2.MeasuredSummary(
            accuracy=facts.accuracy, f1=facts.f1, dataset=facts.measured_dataset, latency_ms=facts.latency_ms
        ),
        architecture=facts.architecture,
    )


def vocabulary_from_proto(message: vocabulary_pb2.Vocabulary) -> Vocabulary:
    """A vocabulary to be registered; output-only fields are ignored."""
    terms = tuple(Term(term.term, tuple(term.synonyms), tuple(term.broader)) for term in message.terms)
    return Vocabulary(terms, message.display_name, message.description)


def vocabulary_to_proto(vocabulary: StoredVocabulary) -> vocabulary_pb2.Vocabulary:
    """A stored vocabulary."""
    return vocabulary_pb2.Vocabulary(
        name=vocabulary.name,
        uid=vocabulary.uid,
        display_name=vocabulary.display_name,
        description=vocabulary.description,
        terms=[
            vocabulary_pb2.VocabularyTerm(term=term.term, synonyms=term.synonyms, broader=term.broader)
            for term in vocabulary.terms
        ],
        term_count=vocabulary.term_count,
        built_in=not vocabulary.uid,
        create_time=None if vocabulary.create_time is None else timestamp(vocabulary.create_time),
    )


def match_to_proto(match: Match) -> search_pb2.Match:
    """One reason."""
    return search_pb2.Match(
        kind=search_pb2.MatchKind.ValueType(match.kind),
        label=match.label,
        term=match.term,
        vocabulary=match.vocabulary,
        distance=match.distance,
    )
