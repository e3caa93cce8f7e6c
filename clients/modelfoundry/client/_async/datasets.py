"""Data sets: labelled images in the registry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from modelfoundry.client._async.blobs import AsyncBlobs
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.references import Named
from modelfoundry.client.resources import Dataset
from modelfoundry.client.transport import AsyncTransport


class AsyncDatasets:
    """Data sets in the registry. Reached as `client.datasets`."""

    def __init__(self, transport: AsyncTransport, parent: str, blobs: AsyncBlobs) -> None:
        self._transport = transport
        self._parent = parent
        self._blobs = blobs

    async def push(
        self,
        source: str | Path,
        *,
        dataset_id: str = "",
        labels: tuple[str, ...] = (),
        image_size: tuple[int, int] | None = None,
        display_name: str = "",
        description: str = "",
        license: str = "",
        tags: Mapping[str, str] | None = None,
        on_progress: OnTransfer | None = None,
    ) -> Dataset:
        """Reads a data set from this machine, uploads and registers it.

        Args:
            source: `digits` (those in scikit-learn), or a folder with one of: `SPLIT/LABEL/*.png|jpg` (ImageFolder),
                `SPLIT.safetensors` files with `images` and `labels`, the binary version of CIFAR-10 or CIFAR-100
                (`data_batch_1.bin`, `train.bin`), MNIST's or Fashion-MNIST's `*-ubyte` files, also gzipped.
            dataset_id: Last segment of the name. Empty: the server makes one.
            labels: Label names in order, where the files have none or others are wanted.
            image_size: Height and width that images of an ImageFolder are scaled to. None: all must have one size.
            display_name: What people see.
            description: Markdown.
            license: SPDX licence expression or a short name.
            tags: Free keys for searching.
            on_progress: Called with bytes done and bytes in all, over all splits.

        Raises:
            MalformedFile: no data set of a known form is there, or a file of it is damaged; it is named.
            InvalidImage: an image cannot be read or has another size than the first; it is named.
            AlreadyExists, Unavailable: as the registry says.
        """
        raise NotImplementedError

    async def create(self, dataset: Dataset, *, dataset_id: str = "", request_id: str | None = None) -> Dataset:
        """Registers a data set whose splits were uploaded before. Fields that the server fills in are ignored."""
        raise NotImplementedError

    async def get(self, dataset: Named) -> Dataset:
        """Returns a data set by id or name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        raise NotImplementedError

    async def list(self, filter: str = "", order_by: str = "") -> AsyncIterator[Dataset]:
        """All data sets that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `labels:"horse"`.
            order_by: For example `display_name, create_time desc`.
        """
        raise NotImplementedError
        yield

    async def update(
        self,
        dataset: Named,
        *,
        display_name: str | None = None,
        description: str | None = None,
        license: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Dataset:
        """Changes what people wrote about a data set. None: leave as it is.

        Raises:
            EtagMismatch: a `Dataset` was passed, and somebody changed it since.
        """
        raise NotImplementedError

    async def delete(self, dataset: Named) -> None:
        """Forgets a data set.

        Raises:
            InUse: models, modules or evaluations depend on it; they are named.
            EtagMismatch: a `Dataset` was passed, and somebody changed it since.
        """
        raise NotImplementedError
