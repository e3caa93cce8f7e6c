"""Searches and vocabularies."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import search_pb2, vocabulary_pb2
from modelfoundry.values.searching import (
    Match,
    MatchKind,
    MeasuredSummary,
    SearchResult,
    Vocabulary,
    VocabularyTerm,
)
from modelfoundry.wire.enums import enum_from_proto
from modelfoundry.wire.modules import module_from_proto
from modelfoundry.wire.times import time_from_proto


def search_result_from_proto(message: search_pb2.SearchResult) -> SearchResult:
    """Message to value; reasons of a kind that a newer registry knows are left out."""
    matches = (match_from_proto(match) for match in message.matches)
    measured = message.measured
    return SearchResult(
        module=module_from_proto(message.module),
        matches=tuple(match for match in matches if match is not None),
        measured=MeasuredSummary(
            accuracy=measured.accuracy if measured.HasField("accuracy") else None,
            f1=measured.f1 if measured.HasField("f1") else None,
            dataset=measured.dataset,
            latency_ms=measured.latency_ms if measured.HasField("latency_ms") else None,
        ),
        architecture=message.architecture,
    )


def vocabulary_to_proto(vocabulary: Vocabulary) -> vocabulary_pb2.Vocabulary:
    """Value to message. Fields that the server fills in are not sent."""
    return vocabulary_pb2.Vocabulary(
        display_name=vocabulary.display_name,
        description=vocabulary.description,
        terms=[
            vocabulary_pb2.VocabularyTerm(term=term.term, synonyms=term.synonyms, broader=term.broader)
            for term in vocabulary.terms
        ],
    )


def vocabulary_from_proto(message: vocabulary_pb2.Vocabulary) -> Vocabulary:
    """Message to value."""
    return Vocabulary(
        name=message.name,
        terms=tuple(
            VocabularyTerm(term=term.term, synonyms=tuple(term.synonyms), broader=tuple(term.broader))
            for term in message.terms
        ),
        display_name=message.display_name,
        description=message.description,
        term_count=message.term_count,
        built_in=message.built_in,
        uid=message.uid,
        create_time=time_from_proto(message, "create_time"),
    )


def match_from_proto(message: search_pb2.Match) -> Match | None:
    """Message to value; None for a reason of a kind that a newer registry knows."""
    kind = enum_from_proto(search_pb2.MatchKind, "MATCH_KIND", message.kind, MatchKind)
    if kind is None:
        return None
    return Match(
        kind=kind, label=message.label, term=message.term, vocabulary=message.vocabulary, distance=message.distance
    )
