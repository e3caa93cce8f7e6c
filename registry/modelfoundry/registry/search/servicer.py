"""SearchService over gRPC: decode, one call, encode, all of it in a thread."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from modelfoundry.api.registry.v1 import label_service_pb2, search_pb2, vocabulary_pb2
from modelfoundry.api.registry.v1.label_service_pb2_grpc import LabelServiceServicer
from modelfoundry.api.registry.v1.search_service_pb2_grpc import SearchServiceServicer
from modelfoundry.registry.catalog.calls import create_call, fill_page, list_request
from modelfoundry.registry.catalog.catalog import Catalog
from modelfoundry.registry.search import codec
from modelfoundry.registry.threads import Threads

Context = grpc.aio.ServicerContext[Any, Any]


class SearchServicer(SearchServiceServicer, LabelServiceServicer):
    """Serves `SearchService` and `LabelService` of `modelfoundry.api.registry.v1`. Its threads are its own."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._threads = Threads("search")

    def close(self) -> None:
        """Waits for what is being done and ends the threads."""
        self._threads.close()

    async def SearchModules(
        self, request: search_pb2.SearchModulesRequest, context: Context
    ) -> search_pb2.SearchModulesResponse:
        """See the contract."""
        return await self._threads.run(self._found, request)

    async def FindLabels(
        self, request: label_service_pb2.FindLabelsRequest, context: Context
    ) -> label_service_pb2.FindLabelsResponse:
        """See the contract."""
        found = await self._threads.run(self._catalog.known_labels.find, request.parent, request.query)
        return label_service_pb2.FindLabelsResponse(
            matches=map(codec.match_to_proto, found.matches), known_labels=found.known
        )

    async def CreateVocabulary(
        self, request: vocabulary_pb2.CreateVocabularyRequest, context: Context
    ) -> vocabulary_pb2.Vocabulary:
        """See the contract."""
        call = create_call(request, request.vocabulary_id, validate_only=request.validate_only)
        draft = codec.vocabulary_from_proto(request.vocabulary)
        return codec.vocabulary_to_proto(await self._threads.run(self._catalog.vocabularies.create, call, draft))

    async def GetVocabulary(
        self, request: vocabulary_pb2.GetVocabularyRequest, context: Context
    ) -> vocabulary_pb2.Vocabulary:
        """See the contract."""
        return codec.vocabulary_to_proto(await self._threads.run(self._catalog.vocabularies.show, request.name))

    async def ListVocabularies(
        self, request: vocabulary_pb2.ListVocabulariesRequest, context: Context
    ) -> vocabulary_pb2.ListVocabulariesResponse:
        """See the contract."""
        found = await self._threads.run(self._catalog.vocabularies.of_project, request.parent)
        return vocabulary_pb2.ListVocabulariesResponse(vocabularies=map(codec.vocabulary_to_proto, found))

    async def DeleteVocabulary(self, request: vocabulary_pb2.DeleteVocabularyRequest, context: Context) -> Empty:
        """See the contract."""
        await self._threads.run(self._catalog.vocabularies.delete, request.name)
        return Empty()

    def _found(self, request: search_pb2.SearchModulesRequest) -> search_pb2.SearchModulesResponse:
        response = search_pb2.SearchModulesResponse()
        page = self._catalog.search.find(request.query, list_request(request, request.order_by))
        response.next_page_token = fill_page(page, codec.result_to_proto, response.results)
        return response
