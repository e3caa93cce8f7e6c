"""Searches and vocabularies."""

from __future__ import annotations

from modelfoundry.api.registry.v1 import search_pb2, vocabulary_pb2
from modelfoundry.values.searching import Match, MeasuredSummary, SearchResult, Vocabulary, VocabularyTerm
from modelfoundry.wire.modules import MODULE
from modelfoundry.wire.pairs import Pair

MATCH = Pair(Match, search_pb2.Match)
match_to_proto = MATCH.to_proto

MEASURED_SUMMARY = Pair(MeasuredSummary, search_pb2.MeasuredSummary)
measured_summary_to_proto = MEASURED_SUMMARY.to_proto

SEARCH_RESULT = Pair(SearchResult, search_pb2.SearchResult, MODULE, MATCH, MEASURED_SUMMARY)
search_result_from_proto = SEARCH_RESULT.from_proto

VOCABULARY = Pair(Vocabulary, vocabulary_pb2.Vocabulary, Pair(VocabularyTerm, vocabulary_pb2.VocabularyTerm))
vocabulary_to_proto = VOCABULARY.to_proto
vocabulary_to_request = VOCABULARY.to_request
vocabulary_from_proto = VOCABULARY.from_proto
