"""Modules: parts of models, in the registry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client._async.verbs import AsyncVerbs
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.references import Named
from modelfoundry.client.resources import Module
from modelfoundry.client.results import ExportFormat
from modelfoundry.client.transport import AsyncTransport


class AsyncModules:
    """Modules in the registry. Reached as `client.modules`."""

    def __init__(self, transport: AsyncTransport, parent: str, blobs: AsyncBlobs, verbs: AsyncVerbs) -> None:
        self._transport = transport
        self._parent = parent
        self._blobs = blobs
        self._verbs = verbs

    async def download(
        self,
        module: Named,
        folder: str | Path,
        format: ExportFormat | str = ExportFormat.SAFETENSORS,
        *,
        on_progress: OnTransfer | None = None,
    ) -> tuple[Path, ...]:
        """Exports a module (or `models/ID`) and downloads the files into a folder, which is made.

        Args:
            module: Id, name or `Module`.
            folder: Where to put the files.
            format: `safetensors`, `torch_export` or `onnx`.
            on_progress: Called with bytes done and bytes in all, over all files.

        Returns:
            Paths of the files: the program or weights, and `module.json`.

        Raises:
            ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the services say.
        """
        raise NotImplementedError

    async def create(self, module: Module, *, module_id: str = "", request_id: str | None = None) -> Module:
        """Registers a module whose artifact was uploaded before. Fields that the server fills in are ignored."""
        raise NotImplementedError

    async def get(self, module: Named) -> Module:
        """Returns a module by id or name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        raise NotImplementedError

    async def list(self, filter: str = "", order_by: str = "") -> AsyncIterator[Module]:
        """All modules that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `labels:"horse" AND weight_retention < 0.2`.
            order_by: For example `weight_retention, create_time desc`.
        """
        raise NotImplementedError
        yield

    async def update(
        self,
        module: Named,
        *,
        display_name: str | None = None,
        description: str | None = None,
        license: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Module:
        """Changes what people wrote about a module. None: leave as it is.

        Raises:
            EtagMismatch: a `Module` was passed, and somebody changed it since.
        """
        raise NotImplementedError

    async def delete(self, module: Named) -> None:
        """Forgets a module together with its evaluations.

        Raises:
            EtagMismatch: a `Module` was passed, and somebody changed it since.
        """
        raise NotImplementedError
