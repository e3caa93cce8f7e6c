# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Data sets: labelled images in the registry."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from modelfoundry.api.registry.v1 import dataset_pb2
from modelfoundry.client._sync.blobs import Blobs
from modelfoundry.client._sync.pages import each
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import changed_fields, new_request_id
from modelfoundry.client.sources.prepare import prepare_dataset
from modelfoundry.client.sources.prepared import SourceReport
from modelfoundry.client.sources.reporting import report
from modelfoundry.client.transfers import TotalProgress
from modelfoundry.client.transport import Transport
from modelfoundry.client.weights import SAFETENSORS_MEDIA_TYPE
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, full_name
from modelfoundry.values.resources import Dataset, DatasetSplit
from modelfoundry.wire.resources import dataset_from_proto, dataset_to_request


class Datasets:
    """Data sets in the registry. Reached as `client.datasets`."""

    def __init__(self, transport: Transport, parent: str, blobs: Blobs) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent
        self._blobs = blobs

    def push(
        self,
        source: str | Path,
        *,
        dataset_id: str = "",
        labels: Sequence[str] = (),
        image_size: tuple[int, int] | None = None,
        display_name: str = "",
        description: str = "",
        license: str = "",
        tags: Mapping[str, str] | None = None,
        on_progress: OnTransfer | None = None,
        on_report: Callable[[SourceReport], None] | None = None,
    ) -> Dataset:
        """Reads a data set from this machine, uploads and registers it.

        Nothing of a folder of pictures is passed over in silence: what is left out is reported, and what is called a
        picture and cannot be read is refused.

        Args:
            source: `digits` (those in scikit-learn), or a folder with one of: pictures as `SPLIT/LABEL/PICTURE` or
                `LABEL/PICTURE` (PNG, JPEG, WebP, ...), `SPLIT.safetensors` files with `images` and `labels`, the binary
                version of CIFAR-10 or CIFAR-100 (`data_batch_1.bin`, `train.bin`), MNIST's or Fashion-MNIST's `*-ubyte`
                files, also gzipped.
            dataset_id: Last segment of the name. Empty: the server makes one.
            labels: Label names in order, where the files have none or others are wanted.
            image_size: Height and width that images of an ImageFolder are scaled to. None: all must have one size.
            display_name: What people see.
            description: Markdown.
            license: SPDX licence expression or a short name.
            tags: Free keys for searching.
            on_progress: Called with bytes done and bytes in all, over all splits.
            on_report: Called with what was left out and how pictures were read, before anything is uploaded. None:
                where there is something to say it is a warning.

        Raises:
            MalformedFile: no data set of a known form is there, or a file of it is damaged; it is named.
            InvalidImage: images cannot be read, or one has another size than the first; they are named.
            AlreadyExists, Unavailable: as the registry says.
        """
        with TemporaryDirectory(prefix="modelfoundry-") as folder:
            prepared = self._transport.in_thread(prepare_dataset, source, Path(folder), labels, image_size)
            report(prepared.report, on_report)
            progress = TotalProgress(on_progress, [path.stat().st_size for path in prepared.files.values()])
            splits = []
            for split, path in prepared.files.items():
                blob = self._blobs.upload(path, SAFETENSORS_MEDIA_TYPE, on_progress=progress.next())
                splits.append(DatasetSplit(split=split, content=blob))
        dataset = Dataset(
            labels=prepared.labels,
            splits=tuple(splits),
            display_name=display_name,
            description=description,
            license=license,
            tags=dict(tags or {}),
        )
        return self.create(dataset, dataset_id=dataset_id)

    def create(self, dataset: Dataset, *, dataset_id: str = "", request_id: str | None = None) -> Dataset:
        """Registers a dataset whose splits were uploaded before. Fields that the server fills in are ignored."""
        request = dataset_pb2.CreateDatasetRequest(
            parent=self._parent,
            dataset_id=dataset_id,
            dataset=dataset_to_request(dataset),
            request_id=request_id or new_request_id(),
        )
        response = self._transport.unary(
            Service.REGISTRY, self._stubs.registry.CreateDataset, request, timeout=self._transport.timeouts.check
        )
        return dataset_from_proto(response)

    def get(self, dataset: Named) -> Dataset:
        """Returns a dataset by id or name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        request = dataset_pb2.GetDatasetRequest(name=full_name(dataset, Kind.DATASET, self._parent))
        return dataset_from_proto(self._transport.unary(Service.REGISTRY, self._stubs.registry.GetDataset, request))

    def list(self, filter: str = "", order_by: str = "") -> Iterator[Dataset]:
        """All datasets that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `labels:"horse" AND tags.team = "vision"`.
            order_by: For example `display_name, create_time desc`.
        """
        request = dataset_pb2.ListDatasetsRequest(parent=self._parent, filter=filter, order_by=order_by)
        for message in each(self._transport, self._stubs.registry.ListDatasets, request, "datasets"):
            yield dataset_from_proto(message)

    def update(
        self,
        dataset: Named,
        *,
        display_name: str | None = None,
        description: str | None = None,
        license: str | None = None,
        tags: Mapping[str, str] | None = None,
        intended_use: str | None = None,
    ) -> Dataset:
        """Changes what people wrote about a dataset. None: leave as it is.

        Raises:
            EtagMismatch: a `Dataset` was passed, and somebody changed it since.
        """
        fields = changed_fields(
            display_name=display_name,
            description=description,
            license=license,
            tags=tags,
            intended_use=intended_use,
        )
        message = dataset_pb2.Dataset(name=full_name(dataset, Kind.DATASET, self._parent), **fields.values)
        if isinstance(dataset, Dataset):
            message.etag = dataset.etag
        request = dataset_pb2.UpdateDatasetRequest(dataset=message, update_mask=fields.mask)
        return dataset_from_proto(self._transport.unary(Service.REGISTRY, self._stubs.registry.UpdateDataset, request))

    def delete(self, dataset: Named, *, cascade: bool = False) -> None:
        """Forgets a data set.

        Args:
            dataset: Id, name or `Dataset`.
            cascade: Also delete everything that depends on it, all at once; `client.dependents` says what that is.

        Raises:
            InUse: others depend on it and `cascade` is not set; they are named.
            EtagMismatch: a `Dataset` was passed, and somebody changed it since.
        """
        request = dataset_pb2.DeleteDatasetRequest(
            name=full_name(dataset, Kind.DATASET, self._parent),
            etag=dataset.etag if isinstance(dataset, Dataset) else "",
            cascade=cascade,
        )
        self._transport.unary(
            Service.REGISTRY, self._stubs.registry.DeleteDataset, request, timeout=self._transport.timeouts.check
        )
