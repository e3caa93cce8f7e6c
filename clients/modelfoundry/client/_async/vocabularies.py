"""Vocabularies: words for labels, in the registry."""

from __future__ import annotations

from collections.abc import Iterable

from modelfoundry.api.registry.v1 import vocabulary_pb2
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import new_request_id
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import full_name
from modelfoundry.values.searching import Vocabulary, VocabularyTerm
from modelfoundry.wire.searching import vocabulary_from_proto, vocabulary_to_request


class AsyncVocabularies:
    """Vocabularies that searches understand. Reached as `client.vocabularies`."""

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent

    async def create(
        self,
        terms: Iterable[VocabularyTerm],
        *,
        vocabulary_id: str = "",
        display_name: str = "",
        description: str = "",
        request_id: str | None = None,
    ) -> Vocabulary:
        """Registers a vocabulary.

        Args:
            terms: Words with synonyms and super-classes.
            vocabulary_id: Last segment of the name. Empty: one is made up.
            display_name: What people see.
            description: Markdown.
            request_id: UUID4 under which a repeated call returns what the first one made. None: a new one.

        Raises:
            InvalidField: a limit is passed, a term is there twice, a super-class is no term or goes in a circle.
            AlreadyExists: the name is taken.
            StorageFull: the project has as many as it may have.
        """
        vocabulary = Vocabulary(terms=tuple(terms), display_name=display_name, description=description)
        request = vocabulary_pb2.CreateVocabularyRequest(
            parent=self._parent,
            vocabulary_id=vocabulary_id,
            vocabulary=vocabulary_to_request(vocabulary),
            request_id=request_id or new_request_id(),
        )
        return vocabulary_from_proto(
            await self._transport.unary(Service.REGISTRY, self._stubs.search.CreateVocabulary, request)
        )

    async def get(self, vocabulary: str | Vocabulary) -> Vocabulary:
        """Returns a vocabulary with its terms.

        Raises:
            NotFound: there is none.
        """
        request = vocabulary_pb2.GetVocabularyRequest(name=self._name(vocabulary))
        return vocabulary_from_proto(
            await self._transport.unary(Service.REGISTRY, self._stubs.search.GetVocabulary, request)
        )

    async def list(self) -> tuple[Vocabulary, ...]:
        """All vocabularies of the project without their terms, those that are built in first."""
        request = vocabulary_pb2.ListVocabulariesRequest(parent=self._parent)
        response = await self._transport.unary(
            Service.REGISTRY,
            self._stubs.search.ListVocabularies,
            request,
            timeout=self._transport.timeouts.lists,
        )
        return tuple(vocabulary_from_proto(message) for message in response.vocabularies)

    async def delete(self, vocabulary: str | Vocabulary) -> None:
        """Forgets a vocabulary.

        Raises:
            NotFound: there is none.
            InvalidField: it is built in.
        """
        request = vocabulary_pb2.DeleteVocabularyRequest(name=self._name(vocabulary))
        await self._transport.unary(Service.REGISTRY, self._stubs.search.DeleteVocabulary, request)

    def _name(self, vocabulary: str | Vocabulary) -> str:
        name = vocabulary if isinstance(vocabulary, str) else vocabulary.name
        return full_name(name, Kind.VOCABULARY, self._parent)
