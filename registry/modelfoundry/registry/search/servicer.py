"""SearchService over gRPC: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import label_service_pb2, search_pb2, search_service_pb2, vocabulary_pb2
from modelfoundry.api.registry.v1.label_service_pb2_grpc import LabelServiceServicer, add_LabelServiceServicer_to_server
from modelfoundry.api.registry.v1.search_service_pb2_grpc import (
    SearchServiceServicer,
    add_SearchServiceServicer_to_server,
)
from modelfoundry.registry.parts import Part, service_of
from modelfoundry.registry.records.calls import create_call, fill_page, list_request
from modelfoundry.registry.search.known_labels import KnownLabels
from modelfoundry.registry.search.search import ModuleSearch, hit_to_proto
from modelfoundry.registry.search.vocabularies import Vocabularies
from modelfoundry.runtime.server import Service
from modelfoundry.wire.on_demand import found_labels_to_proto
from modelfoundry.wire.searching import VOCABULARY, vocabulary_to_proto

Context = grpc.aio.ServicerContext[Any, Any]


class SearchServicer(SearchServiceServicer, LabelServiceServicer, Part):
    """Serves `SearchService` and `LabelService` of `modelfoundry.api.registry.v1`. Its threads are its own."""

    def __init__(self, search: ModuleSearch, known_labels: KnownLabels, vocabularies: Vocabularies) -> None:
        Part.__init__(self, "search")
        self._search = search
        self._known_labels = known_labels
        self._vocabularies = vocabularies

    def services(self) -> Sequence[Service]:
        """See `Part`."""
        return [
            service_of(search_service_pb2.DESCRIPTOR, add_SearchServiceServicer_to_server, self),
            service_of(label_service_pb2.DESCRIPTOR, add_LabelServiceServicer_to_server, self),
        ]

    async def SearchModules(
        self, request: search_pb2.SearchModulesRequest, context: Context
    ) -> search_pb2.SearchModulesResponse:
        """See the contract."""
        return await self.threads.run(self._found, request)

    async def FindLabels(
        self, request: label_service_pb2.FindLabelsRequest, context: Context
    ) -> label_service_pb2.FindLabelsResponse:
        """See the contract."""
        found = await self.threads.run(self._known_labels.find, request.parent, request.query)
        return found_labels_to_proto(found)

    async def CreateVocabulary(
        self, request: vocabulary_pb2.CreateVocabularyRequest, context: Context
    ) -> vocabulary_pb2.Vocabulary:
        """See the contract."""
        call = create_call(request, request.vocabulary_id, validate_only=request.validate_only)
        draft = VOCABULARY.from_request(request.vocabulary, field="vocabulary")
        return vocabulary_to_proto(await self.threads.run(self._vocabularies.create, call, draft))

    async def GetVocabulary(
        self, request: vocabulary_pb2.GetVocabularyRequest, context: Context
    ) -> vocabulary_pb2.Vocabulary:
        """See the contract."""
        return vocabulary_to_proto(await self.threads.run(self._vocabularies.show, request.name))

    async def ListVocabularies(
        self, request: vocabulary_pb2.ListVocabulariesRequest, context: Context
    ) -> vocabulary_pb2.ListVocabulariesResponse:
        """See the contract."""
        found = await self.threads.run(self._vocabularies.of_project, request.parent)
        return vocabulary_pb2.ListVocabulariesResponse(vocabularies=map(vocabulary_to_proto, found))

    async def DeleteVocabulary(self, request: vocabulary_pb2.DeleteVocabularyRequest, context: Context) -> Empty:
        """See the contract."""
        await self.threads.run(self._vocabularies.delete, request.name)
        return Empty()

    def _found(self, request: search_pb2.SearchModulesRequest) -> search_pb2.SearchModulesResponse:
        response = search_pb2.SearchModulesResponse()
        page = self._search.find(request.query, list_request(request, request.order_by))
        response.next_page_token = fill_page(page, hit_to_proto, response.results)
        return response
