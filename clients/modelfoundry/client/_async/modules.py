"""Modules: parts of models, in the registry."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from modelfoundry.api.registry.v1 import module_pb2
from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client._async.pages import each
from modelfoundry.client._async.reusing import FileForm, start_export
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import changed_fields, new_request_id
from modelfoundry.client.transfers import TotalProgress, file_in
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.exports import ExportFormat
from modelfoundry.values.figures import FormComparison
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, full_name
from modelfoundry.values.resources import Module
from modelfoundry.wire.figures import forms_to_proto
from modelfoundry.wire.modules import module_from_proto, module_to_request


class AsyncModules:
    """Modules in the registry. Reached as `client.modules`."""

    def __init__(self, transport: AsyncTransport, parent: str, blobs: AsyncBlobs) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent
        self._blobs = blobs

    async def download(
        self,
        module: Named,
        folder: str | Path,
        format: ExportFormat | str = ExportFormat.SAFETENSORS,
        *,
        compact: bool = False,
        weights: WeightFormat | str | None = None,
        compute: Compute | str | None = None,
        dataset: Named | None = None,
        on_progress: OnTransfer | None = None,
    ) -> tuple[Path, ...]:
        """Exports a module (or `models/ID`) and downloads the files into a folder, which is made.

        Args:
            module: Id, name or `Module`.
            folder: Where to put the files.
            format: `safetensors`, `torch_export` or `onnx`.
            compact: Without the module's dead channels: smaller and faster, with the same outputs.
            weights: How weights are kept: `fp32`, `fp16` or `int8`; see `AsyncClient.export`.
            compute: `fp32` or, for ONNX, `int8`.
            dataset: Data set to calibrate and measure on. None: the recorded one.
            on_progress: Called with bytes done and bytes in all, over all files.

        Returns:
            Paths of the files: the program or weights, and `module.json`.

        Raises:
            ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the services say.
        """
        form = FileForm(compact, weights, compute, dataset)
        job = await start_export(self._transport, self._parent, module, format, form)
        export = await job.wait()
        paths = [file_in(Path(folder), file.path) for file in export.files]
        progress = TotalProgress(on_progress, [file.content.size_bytes for file in export.files])
        for file, path in zip(export.files, paths, strict=True):
            await self._blobs.download(file.content, path, on_progress=progress.next())
        return tuple(paths)

    async def create(self, module: Module, *, module_id: str = "", request_id: str | None = None) -> Module:
        """Registers a module whose artifact was uploaded before. Fields that the server fills in are ignored."""
        request = module_pb2.CreateModuleRequest(
            parent=self._parent,
            module_id=module_id,
            module=module_to_request(module),
            request_id=request_id or new_request_id(),
        )
        response = await self._transport.unary(
            Service.REGISTRY, self._stubs.registry.CreateModule, request, timeout=self._transport.timeouts.check
        )
        return module_from_proto(response)

    async def get(self, module: Named) -> Module:
        """Returns a module by id or name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        request = module_pb2.GetModuleRequest(name=full_name(module, Kind.MODULE, self._parent))
        return module_from_proto(await self._transport.unary(Service.REGISTRY, self._stubs.registry.GetModule, request))

    async def list(self, filter: str = "", order_by: str = "") -> AsyncIterator[Module]:
        """All modules that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `labels:"horse" AND weight_retention < 0.2`.
            order_by: For example `weight_retention, create_time desc`.
        """
        request = module_pb2.ListModulesRequest(parent=self._parent, filter=filter, order_by=order_by)
        async for message in each(self._transport, self._stubs.registry.ListModules, request, "modules"):
            yield module_from_proto(message)

    async def update(
        self,
        module: Named,
        *,
        display_name: str | None = None,
        description: str | None = None,
        license: str | None = None,
        tags: Mapping[str, str] | None = None,
        intended_use: str | None = None,
    ) -> Module:
        """Changes what people wrote about a module. None: leave as it is.

        Raises:
            EtagMismatch: a `Module` was passed, and somebody changed it since.
        """
        fields = changed_fields(
            display_name=display_name,
            description=description,
            license=license,
            tags=tags,
            intended_use=intended_use,
        )
        message = module_pb2.Module(name=full_name(module, Kind.MODULE, self._parent), **fields.values)
        if isinstance(module, Module):
            message.etag = module.etag
        request = module_pb2.UpdateModuleRequest(module=message, update_mask=fields.mask)
        return module_from_proto(
            await self._transport.unary(Service.REGISTRY, self._stubs.registry.UpdateModule, request)
        )

    async def set_forms(self, module: Named, forms: FormComparison) -> Module:
        """Keeps what was measured of a module's forms, in place of an earlier measurement."""
        request = module_pb2.SetModuleFormsRequest(
            name=full_name(module, Kind.MODULE, self._parent), forms=forms_to_proto(forms)
        )
        return module_from_proto(
            await self._transport.unary(Service.REGISTRY, self._stubs.registry.SetModuleForms, request)
        )

    async def delete(self, module: Named, *, cascade: bool = False) -> None:
        """Forgets a module together with its evaluations.

        Args:
            module: Id, name or `Module`.
            cascade: Also delete everything that depends on it, all at once; `client.dependents` says what that is.

        Raises:
            InUse: others depend on it and `cascade` is not set; they are named.
            EtagMismatch: a `Module` was passed, and somebody changed it since.
        """
        request = module_pb2.DeleteModuleRequest(
            name=full_name(module, Kind.MODULE, self._parent),
            etag=module.etag if isinstance(module, Module) else "",
            cascade=cascade,
        )
        await self._transport.unary(
            Service.REGISTRY, self._stubs.registry.DeleteModule, request, timeout=self._transport.timeouts.check
        )
