"""Signed statements about modules and compositions: reading and checking them, and repeating decompositions."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelfoundry import errors
from modelfoundry.api.decomposer.v1 import rebuild_service_pb2
from modelfoundry.api.registry.v1 import composition_pb2, dataset_pb2, model_pb2, module_pb2
from modelfoundry.api.registry.v1 import statement_service_pb2 as pb
from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client._async.jobs import AsyncJob
from modelfoundry.client.content import content_of
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import new_request_id
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, any_name, full_name
from modelfoundry.values.results import Progress
from modelfoundry.values.statements import Check, Rebuild, SigningKey, Statement, Verification
from modelfoundry.wire.statements import signing_key_from_proto, statement_from_proto

if TYPE_CHECKING:
    from modelfoundry.client.verifying import Signed, TrustedKeys

NO_VERDICT = (errors.Unavailable, errors.DeadlineExceeded, errors.Cancelled, errors.WorkerLost, errors.Internal)
"""Failures that say nothing about what was to be checked."""


class AsyncStatements:
    """Statements in the registry. Reached as `client.statements`."""

    def __init__(self, transport: AsyncTransport, parent: str, blobs: AsyncBlobs) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent
        self._blobs = blobs

    async def get(self, resource: Named) -> Statement:
        """What was signed about a module (bare id) or composition (`compositions/ID`); `signed` says whether anything.

        Raises:
            NotFound: there is no such resource.
        """
        return statement_from_proto(await self._fetch(any_name(resource, self._parent)))

    async def save(self, resource: Named, path: str | Path) -> Path:
        """Writes a signed statement, a DSSE envelope in JSON, into a file; folders above are made.

        Raises:
            NotFound: there is no such resource, or it is unsigned.
            OSError: the file cannot be written.
        """
        statement = await self.get(resource)
        if not statement.signed:
            raise errors.NotFound(
                f"{statement.name} is unsigned: it was registered before statements were made",
                field="name",
                hint="decompose or compose again to have it signed",
                metadata={"resource": statement.name},
            )
        target = Path(path)
        await self._transport.in_thread(target.parent.mkdir, parents=True, exist_ok=True)
        await self._transport.in_thread(target.write_text, f"{statement.envelope}\n", encoding="utf-8")
        return target

    async def keys(self) -> tuple[SigningKey, ...]:
        """The public keys that the registry signs with, or signed with once, oldest first."""
        response = await self._transport.unary(
            Service.REGISTRY, self._stubs.statements.ListSigningKeys, pb.ListSigningKeysRequest()
        )
        return tuple(signing_key_from_proto(key) for key in response.keys)

    async def rebuild(self, module: Named, *, request_id: str | None = None) -> AsyncJob[Rebuild]:
        """Starts the decomposition that a module's record names once more, to compare the bits; registers nothing.

        Args:
            module: Id, name or `Module`.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnsupportedModel: the record does not say enough.
            NotFound, Unavailable: as the service says.
        """
        request = rebuild_service_pb2.RebuildRequest(
            module=full_name(module, Kind.MODULE, self._parent), request_id=request_id or new_request_id()
        )
        timeout = self._transport.timeouts.check
        operation = await self._transport.unary(
            Service.DECOMPOSER, self._stubs.rebuilding.Rebuild, request, timeout=timeout
        )
        return AsyncJob(self._transport, operation)

    async def verify(
        self,
        resource: Named,
        *,
        keys: Sequence[str | Path] = (),
        file: str | Path | None = None,
        rebuild: bool = False,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Verification:
        """Checks a module or composition against its signed statement: bytes, signature, subject, materials, record.

        Args:
            resource: A module (bare id) or composition (`compositions/ID`).
            keys: PEM files of public keys that you trust. Empty: the keys that the registry publishes, which proves
                less, as whoever can change its database can add a key.
            file: A module file on this machine, checked in place of the registry's bytes.
            rebuild: Of a module, also repeat its decomposition and compare bit by bit; of a composition, also check all
                sources: bytes, and of modules their statements.
            on_progress: Called with how far repeating is.

        Returns:
            What was found. A check that fails raises nothing.

        Raises:
            NotFound: there is no such resource.
            MalformedFile: a key file is none.
            OSError: a file cannot be read.
            Unavailable: a service cannot be reached.
        """
        from modelfoundry.client.verifying import TrustedKeys  # cryptography is slow to load and only needed here

        name = any_name(resource, self._parent)
        statement = await self._fetch(name)
        name = statement.name if "@" in name else name
        trusted = TrustedKeys.from_files(keys) if keys else TrustedKeys.from_registry(await self._published())
        if "/modules/" in name:
            checks = await self._module_checks(statement, trusted, file)
            if rebuild:
                checks.append(await self._rebuild_check(name, on_progress))
        else:
            checks = await self._composition_checks(statement, trusted, file, sources=rebuild)
        return Verification(name, tuple(checks))

    async def _module_checks(
        self, statement: pb.Statement, trusted: TrustedKeys, file: str | Path | None
    ) -> list[Check]:
        request = module_pb2.GetModuleRequest(name=statement.name)
        module = await self._transport.unary(Service.REGISTRY, self._stubs.registry.GetModule, request)
        return [await self._file_check(module, file), *await self._statement_checks(module, statement, trusted)]

    async def _composition_checks(
        self, statement: pb.Statement, trusted: TrustedKeys, file: str | Path | None, *, sources: bool
    ) -> list[Check]:
        from modelfoundry.client.verifying import check_definition

        if file is not None:
            raise errors.InvalidField(
                f"{statement.name} has no bytes of its own", field="file", hint="give a file for a module only"
            )
        request = composition_pb2.GetCompositionRequest(name=statement.name)
        composition = await self._transport.unary(Service.REGISTRY, self._stubs.registry.GetComposition, request)
        checks = [check_definition(composition), *await self._statement_checks(composition, statement, trusted)]
        if sources:
            for source in dict.fromkeys(member.source for member in composition.members):
                checks += [
                    Check(f"{source.rpartition('/')[2]}: {check.name}", check.ok, check.detail)
                    for check in await self._source_checks(source, trusted)
                ]
        return checks

    async def _source_checks(self, source: str, trusted: TrustedKeys) -> list[Check]:
        if "/modules/" in source:
            return await self._module_checks(await self._fetch(source), trusted, None)
        request = model_pb2.GetModelRequest(name=source)
        model = await self._transport.unary(Service.REGISTRY, self._stubs.registry.GetModel, request)
        return [await self._bytes_check(model.weights.digest)]

    async def _statement_checks(self, message: Signed, statement: pb.Statement, trusted: TrustedKeys) -> list[Check]:
        from modelfoundry.client.verifying import check_statement, materials, unsigned

        if not statement.HasField("envelope"):
            return [unsigned()]
        now: dict[str, str] = {}
        for name in materials(message, statement.envelope):
            digest = await self._digest_now(name)
            if digest:
                now[name] = digest
        return check_statement(message, statement.envelope, trusted, now)

    async def _file_check(self, module: module_pb2.Module, file: str | Path | None) -> Check:
        from modelfoundry.client.verifying import check_file

        if file is None:
            return await self._bytes_check(module.artifact.digest)
        content = await self._transport.in_thread(content_of, file)
        return check_file(module, content.digest, str(file))

    async def _bytes_check(self, digest: str) -> Check:
        """Whether the registry's bytes are those of a digest: by reading them all."""
        with tempfile.TemporaryDirectory(prefix="modelfoundry-verify-") as folder:
            try:
                await self._blobs.download(digest, Path(folder) / "content")
            except (errors.CorruptBlob, errors.NotFound) as error:
                return Check("file", ok=False, detail=f"the registry's bytes are not {digest}: {error.message}")
        return Check("file", ok=True, detail=f"the registry's bytes are {digest}")

    async def _rebuild_check(self, name: str, on_progress: Callable[[Progress], None] | None) -> Check:
        from modelfoundry.client.verifying import check_rebuild

        try:
            job = await self.rebuild(name)
            return check_rebuild(await job.wait(on_progress))
        except NO_VERDICT:
            raise
        except errors.ModelFoundryError as error:
            return Check("rebuild", ok=False, detail=error.message)

    async def _digest_now(self, name: str) -> str:
        """SHA-256 of what the registry holds under a name; empty for nothing."""
        registry = self._stubs.registry
        try:
            match name.split("/"):
                case ["projects", _, Kind.MODEL, _]:
                    model = model_pb2.GetModelRequest(name=name)
                    return (await self._transport.unary(Service.REGISTRY, registry.GetModel, model)).weights.digest
                case ["projects", _, Kind.DATASET, _]:
                    dataset = dataset_pb2.GetDatasetRequest(name=name)
                    return (await self._transport.unary(Service.REGISTRY, registry.GetDataset, dataset)).digest
                case ["projects", _, Kind.MODULE, _]:
                    module = module_pb2.GetModuleRequest(name=name)
                    return (await self._transport.unary(Service.REGISTRY, registry.GetModule, module)).artifact.digest
        except (errors.NotFound, errors.InvalidField):
            pass  # an altered statement may name anything
        return ""

    async def _fetch(self, name: str) -> pb.Statement:
        request = pb.GetStatementRequest(name=name)
        return await self._transport.unary(Service.REGISTRY, self._stubs.statements.GetStatement, request)

    async def _published(self) -> Sequence[pb.SigningKey]:
        request = pb.ListSigningKeysRequest()
        response = await self._transport.unary(Service.REGISTRY, self._stubs.statements.ListSigningKeys, request)
        return response.keys
