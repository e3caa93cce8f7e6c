"""Names that stay while what they stand for moves on."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import AsyncIterator

from modelfoundry.api.registry.v1 import alias_service_pb2 as pb
from modelfoundry.client._async.pages import each
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.aliases import Alias, AliasMove, Version
from modelfoundry.values.references import Named, family_member, full_name
from modelfoundry.wire.aliases import alias_from_proto, alias_move_from_proto, version_from_proto


class AsyncAliases:
    """Aliases and versions in the registry. Reached as `client.aliases`.

    Families and aliases are written like other names: `cat@champion` is one of modules, `models/net@champion` one of
    models. What they stand for can be passed wherever a model or module is read.
    """

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent

    async def set(self, alias: str, target: Named, *, expected: Named | None = None) -> Alias:
        """Moves an alias to another member of its family, or makes it. A target without a family joins this one.

        Args:
            alias: For example `cat@champion`.
            target: The resource, by id, name or itself, or `cat@3`.
            expected: What it is believed to stand for; `""` for nothing. None: whatever it is.

        Raises:
            EtagMismatch: it stands for something else than expected; metadata `target` says for what.
            NotFound: there is no such target.
            InvalidField: the target is of another collection or family.
        """
        name, collection = family_member(alias, self._parent)
        request = pb.SetAliasRequest(name=name, target=full_name(target, collection, self._parent))
        if expected is not None:
            request.expected_target = full_name(expected, collection, self._parent)
        return alias_from_proto(await self._transport.unary(Service.REGISTRY, self._stubs.aliases.SetAlias, request))

    async def delete(self, alias: str, *, expected: Named | None = None) -> None:
        """Removes an alias; its history stays.

        Raises:
            NotFound: there is none.
            EtagMismatch: it stands for something else than expected.
        """
        name, collection = family_member(alias, self._parent)
        request = pb.DeleteAliasRequest(name=name)
        if expected is not None:
            request.expected_target = full_name(expected, collection, self._parent)
        await self._transport.unary(Service.REGISTRY, self._stubs.aliases.DeleteAlias, request)

    async def list(self, filter: str = "") -> AsyncIterator[Alias]:
        """All aliases that match, by name.

        Args:
            filter: AIP-160 filter over `name`, `collection`, `family`, `target`, `update_time`.
        """
        request = pb.ListAliasesRequest(parent=self._parent, filter=filter)
        async for message in each(self._transport, self._stubs.aliases.ListAliases, request, "aliases"):
            yield alias_from_proto(message)

    async def moves(self, filter: str = "") -> AsyncIterator[AliasMove]:
        """What aliases stood for before, newest first.

        Args:
            filter: AIP-160 filter over `alias`, `previous_target`, `target`, `move_time`.
        """
        request = pb.ListAliasMovesRequest(parent=self._parent, filter=filter)
        async for message in each(self._transport, self._stubs.aliases.ListAliasMoves, request, "moves"):
            yield alias_move_from_proto(message)

    async def add_version(self, family: str, resource: Named) -> Version:
        """Makes a resource the next version of a family, for example `cat` (of modules) or `models/net`.

        Raises:
            NotFound: there is no such resource.
            InvalidField: it is a version of another family.
        """
        name, collection = family_member(family, self._parent)
        request = pb.AddVersionRequest(family=name, resource=full_name(resource, collection, self._parent))
        return version_from_proto(
            await self._transport.unary(Service.REGISTRY, self._stubs.aliases.AddVersion, request)
        )

    async def versions(self, filter: str = "") -> AsyncIterator[Version]:
        """All versions that match, newest first.

        Args:
            filter: AIP-160 filter over `resource`, `collection`, `family`, `version`, `create_time`.
        """
        request = pb.ListVersionsRequest(parent=self._parent, filter=filter)
        async for message in each(self._transport, self._stubs.aliases.ListVersions, request, "versions"):
            yield version_from_proto(message)
