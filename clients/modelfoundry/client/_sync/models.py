# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Models: trained classifiers in the registry."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from modelfoundry.api.evaluator.v1 import evaluator_service_pb2
from modelfoundry.api.registry.v1 import model_pb2
from modelfoundry.client._sync.blobs import Blobs
from modelfoundry.client._sync.pages import each
from modelfoundry.client.content import OnTransfer
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import changed_fields, new_request_id
from modelfoundry.client.transport import Transport
from modelfoundry.client.weights import SAFETENSORS_MEDIA_TYPE, as_safetensors, read_tensor_specs
from modelfoundry.errors import NotFound
from modelfoundry.values.architectures import Architecture, InputSpec, ModelCheck, TensorSpec
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, full_name
from modelfoundry.values.resources import BlobRef, Model, ModelOrigin
from modelfoundry.wire.architectures import (
    architecture_to_proto,
    input_spec_to_proto,
    model_check_from_proto,
    tensor_spec_to_proto,
)
from modelfoundry.wire.resources import blob_ref_to_proto, model_from_proto, model_to_request


class Models:
    """Models in the registry. Reached as `client.models`."""

    def __init__(self, transport: Transport, parent: str, blobs: Blobs) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent
        self._blobs = blobs

    def push(
        self,
        weights: str | Path,
        *,
        architecture: Architecture | str,
        input: InputSpec,
        labels: Sequence[str],
        model_id: str = "",
        display_name: str = "",
        description: str = "",
        license: str = "",
        tags: Mapping[str, str] | None = None,
        training_dataset: Named = "",
        intended_use: str = "",
        origin: ModelOrigin | None = None,
        on_progress: OnTransfer | None = None,
    ) -> Model:
        """Checks weights against an architecture, uploads and registers them.

        Args:
            weights: A `.safetensors` file, or a `.th`, `.pth`, `.pt` file with a state dict, which is converted here
                with `weights_only=True` (this needs torch). A `module.` prefix of all its tensors is taken off.
            architecture: How the network is rebuilt, or its builder's name, for example `zoo:resnet20`.
            input: What an image looks like.
            labels: Meaning of every output, in order.
            model_id: Last segment of the name. Empty: the server makes one.
            display_name: What people see.
            description: Markdown.
            license: SPDX licence expression.
            tags: Free keys for searching.
            training_dataset: Data set that the model was trained on: id, name or `Dataset`.
            intended_use: What it is meant for, and what not. Markdown.
            origin: Where it was before, when it is imported.
            on_progress: Called with bytes done and bytes in all during the upload.

        Raises:
            MalformedFile: `weights` is no file of that kind.
            WeightsMismatch: tensors do not fit; every tensor is a violation. Nothing was uploaded.
            NonFiniteWeights, NonFiniteOutputs: the network gives NaN or infinity. Nothing was registered.
            UnknownArchitecture, AlreadyExists, Unavailable: as the services say.
        """
        built = Architecture(architecture) if isinstance(architecture, str) else architecture
        with TemporaryDirectory(prefix="modelfoundry-") as folder:
            path = self._transport.in_thread(as_safetensors, Path(weights), Path(folder))
            tensors = self._transport.in_thread(read_tensor_specs, path)
            self.check(built, input, len(labels), tensors)
            blob = self._blobs.upload(path, SAFETENSORS_MEDIA_TYPE, on_progress=on_progress)
        # An evaluator of another registry cannot fetch the file; whoever loads the network finds what it gives.
        with suppress(NotFound):
            self.check(built, input, len(labels), tensors, weights=blob)
        model = Model(
            architecture=built,
            input=input,
            labels=tuple(labels),
            weights=blob,
            display_name=display_name,
            description=description,
            license=license,
            tags=dict(tags or {}),
            training_dataset=full_name(training_dataset, Kind.DATASET, self._parent),
            intended_use=intended_use,
            origin=origin,
        )
        return self.create(model, model_id=model_id)

    def check(
        self,
        architecture: Architecture,
        input: InputSpec,
        label_count: int,
        tensors: Sequence[TensorSpec],
        *,
        weights: BlobRef | None = None,
    ) -> ModelCheck:
        """Asks the evaluator whether tensors fit an architecture, and which layers can be masked.

        Args:
            architecture: How the network is rebuilt.
            input: What an image looks like.
            label_count: Number of outputs.
            tensors: Those of the weights file.
            weights: The file, where it was uploaded: the network is then run on a few images too.

        Raises:
            WeightsMismatch: they do not; every tensor is a violation.
            UnknownArchitecture: it cannot be built.
            NonFiniteWeights, NonFiniteOutputs: the network gives NaN or infinity.
        """
        request = evaluator_service_pb2.CheckModelRequest(
            architecture=architecture_to_proto(architecture),
            input=input_spec_to_proto(input),
            label_count=label_count,
            tensors=[tensor_spec_to_proto(tensor) for tensor in tensors],
            weights=None if weights is None else blob_ref_to_proto(weights),
        )
        timeouts = self._transport.timeouts
        response = self._transport.unary(
            Service.EVALUATOR,
            self._stubs.evaluator.CheckModel,
            request,
            timeout=timeouts.check if weights is None else timeouts.transfer,  # it fetches the file
        )
        return model_check_from_proto(response)

    def create(self, model: Model, *, model_id: str = "", request_id: str | None = None) -> Model:
        """Registers a model whose weights were uploaded before. Fields that the server fills in are ignored."""
        request = model_pb2.CreateModelRequest(
            parent=self._parent,
            model_id=model_id,
            model=model_to_request(model),
            request_id=request_id or new_request_id(),
        )
        response = self._transport.unary(
            Service.REGISTRY, self._stubs.registry.CreateModel, request, timeout=self._transport.timeouts.check
        )
        return model_from_proto(response)

    def get(self, model: Named) -> Model:
        """Returns a model by id or name.

        Raises:
            NotFound: there is none; the hint names near ones.
        """
        request = model_pb2.GetModelRequest(name=full_name(model, Kind.MODEL, self._parent))
        return model_from_proto(self._transport.unary(Service.REGISTRY, self._stubs.registry.GetModel, request))

    def list(self, filter: str = "", order_by: str = "") -> Iterator[Model]:
        """All models that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter, for example `labels:"horse" AND tags.team = "vision"`.
            order_by: For example `display_name, create_time desc`.
        """
        request = model_pb2.ListModelsRequest(parent=self._parent, filter=filter, order_by=order_by)
        for message in each(self._transport, self._stubs.registry.ListModels, request, "models"):
            yield model_from_proto(message)

    def update(
        self,
        model: Named,
        *,
        display_name: str | None = None,
        description: str | None = None,
        license: str | None = None,
        tags: Mapping[str, str] | None = None,
        intended_use: str | None = None,
    ) -> Model:
        """Changes what people wrote about a model. None: leave as it is.

        Raises:
            EtagMismatch: a `Model` was passed, and somebody changed it since.
        """
        fields = changed_fields(
            display_name=display_name,
            description=description,
            license=license,
            tags=tags,
            intended_use=intended_use,
        )
        message = model_pb2.Model(name=full_name(model, Kind.MODEL, self._parent), **fields.values)
        if isinstance(model, Model):
            message.etag = model.etag
        request = model_pb2.UpdateModelRequest(model=message, update_mask=fields.mask)
        return model_from_proto(self._transport.unary(Service.REGISTRY, self._stubs.registry.UpdateModel, request))

    def delete(self, model: Named, *, cascade: bool = False) -> None:
        """Forgets a model.

        Args:
            model: Id, name or `Model`.
            cascade: Also delete everything that depends on it, all at once; `client.dependents` says what that is.

        Raises:
            InUse: others depend on it and `cascade` is not set; they are named.
            EtagMismatch: a `Model` was passed, and somebody changed it since.
        """
        request = model_pb2.DeleteModelRequest(
            name=full_name(model, Kind.MODEL, self._parent),
            etag=model.etag if isinstance(model, Model) else "",
            cascade=cascade,
        )
        self._transport.unary(
            Service.REGISTRY, self._stubs.registry.DeleteModel, request, timeout=self._transport.timeouts.check
        )
