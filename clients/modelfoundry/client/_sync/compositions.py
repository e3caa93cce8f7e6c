# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Compositions: classifiers joined from modules and models, in the registry."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelfoundry.api.registry.v1 import composition_pb2
from modelfoundry.client._sync.pages import each
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import changed_fields, new_request_id
from modelfoundry.client.transport import Transport
from modelfoundry.values.compositions import Composition
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, full_name
from modelfoundry.wire.compositions import composition_from_proto, composition_to_request


class Compositions:
    """Compositions in the registry. Reached as `client.compositions`."""

    def __init__(self, transport: Transport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent

    def create(
        self, composition: Composition, *, composition_id: str = "", request_id: str | None = None
    ) -> Composition:
        """Registers a composition of modules and models that are there. Fields that the server fills in are ignored.

        Raises:
            NotFound: a source, the base model or a data set is not there.
            InvalidField, UnknownLabel, TestSplitSealed: a field is wrong; nothing was stored.
        """
        request = composition_pb2.CreateCompositionRequest(
            parent=self._parent,
            composition_id=composition_id,
            composition=composition_to_request(composition),
            request_id=request_id or new_request_id(),
        )
        response = self._transport.unary(Service.REGISTRY, self._stubs.registry.CreateComposition, request)
        return composition_from_proto(response)

    def get(self, composition: Named) -> Composition:
        """Returns a composition by id or name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        request = composition_pb2.GetCompositionRequest(name=full_name(composition, Kind.COMPOSITION, self._parent))
        response = self._transport.unary(Service.REGISTRY, self._stubs.registry.GetComposition, request)
        return composition_from_proto(response)

    def list(self, filter: str = "", order_by: str = "") -> Iterator[Composition]:
        """All compositions that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `task = "PATCH" AND labels:"horse"`.
            order_by: For example `display_name, create_time desc`.
        """
        request = composition_pb2.ListCompositionsRequest(parent=self._parent, filter=filter, order_by=order_by)
        for message in each(self._transport, self._stubs.registry.ListCompositions, request, "compositions"):
            yield composition_from_proto(message)

    def update(
        self,
        composition: Named,
        *,
        display_name: str | None = None,
        description: str | None = None,
        license: str | None = None,
        tags: Mapping[str, str] | None = None,
        intended_use: str | None = None,
    ) -> Composition:
        """Changes what people wrote about a composition. None: leave as it is.

        Raises:
            EtagMismatch: a `Composition` was passed, and somebody changed it since.
        """
        fields = changed_fields(
            display_name=display_name,
            description=description,
            license=license,
            tags=tags,
            intended_use=intended_use,
        )
        name = full_name(composition, Kind.COMPOSITION, self._parent)
        message = composition_pb2.Composition(name=name, **fields.values)
        if isinstance(composition, Composition):
            message.etag = composition.etag
        request = composition_pb2.UpdateCompositionRequest(composition=message, update_mask=fields.mask)
        response = self._transport.unary(Service.REGISTRY, self._stubs.registry.UpdateComposition, request)
        return composition_from_proto(response)

    def delete(self, composition: Named) -> None:
        """Forgets a composition together with its evaluations. Its modules and models stay.

        Raises:
            EtagMismatch: a `Composition` was passed, and somebody changed it since.
        """
        etag = composition.etag if isinstance(composition, Composition) else ""
        name = full_name(composition, Kind.COMPOSITION, self._parent)
        request = composition_pb2.DeleteCompositionRequest(name=name, etag=etag)
        self._transport.unary(Service.REGISTRY, self._stubs.registry.DeleteComposition, request)
