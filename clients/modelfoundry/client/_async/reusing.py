"""Calls that export, compact and use modules and models."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from modelfoundry.api.registry.v1 import composition_pb2, model_pb2, module_pb2
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.api.types.v1 import exports_pb2
from modelfoundry.client._async.jobs import AsyncJob, start
from modelfoundry.client.endpoints import Service
from modelfoundry.client.images import ImageLike, batches, have_large, image_inputs
from modelfoundry.client.requests import chosen, new_request_id
from modelfoundry.client.transport import AsyncTransport
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.exports import Export, ExportFormat
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, full_name, subject_name
from modelfoundry.values.results import Compaction, Prediction
from modelfoundry.wire.architectures import input_spec_from_proto
from modelfoundry.wire.exports import COMPUTE, WEIGHT_FORMAT, export_format_to_proto
from modelfoundry.wire.predictions import predictions_from_proto


class AsyncReusing:
    """The part of a client that uses what there is; see `AsyncClient`."""

    parent: str
    _transport: AsyncTransport

    async def export(
        self,
        subject: Named,
        format: ExportFormat | str = ExportFormat.SAFETENSORS,
        *,
        compact: bool = False,
        weights: WeightFormat | str | None = None,
        compute: Compute | str | None = None,
        dataset: Named | None = None,
        calibration_images: int = 0,
        request_id: str | None = None,
    ) -> AsyncJob[Export]:
        """Starts writing a module, model or composition in a format that runs elsewhere.

        `modules.download` also fetches the files. A file that is not float32 throughout is measured beside the float32
        network on validation data (`Export.measured`).

        Args:
            subject: A module (bare id) or model (`models/ID`).
            format: `safetensors` (`model.safetensors`), `torch_export` (`model.pt2`) or `onnx` (`model.onnx`), each
                with `module.json`.
            compact: Write a module without its dead channels: smaller and faster, with the same outputs.
            weights: How weights are kept: `fp32`, `fp16` (ONNX, safetensors) or `int8` (ONNX). None: `int8` where it is
                computed with, else `fp32`.
            compute: `fp32` or, for ONNX, `int8`, calibrated on training images. None: `fp32`.
            dataset: Data set to calibrate and measure on. None: the one that the subject was made with.
            calibration_images: Training images that int8 is calibrated on, 16 to 4096. 0: 256.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            InvalidField: format, weights and compute do not go together; the hint names what does.
            DatasetMismatch, ExportMismatch, UnsupportedModel, NotFound, Unavailable: as the service says.
        """
        form = FileForm(compact, weights, compute, dataset, calibration_images)
        return await start_export(self._transport, self.parent, subject, format, form, request_id=request_id)

    async def compact(
        self, module: Named, *, latency_batch_sizes: Sequence[int] = (), request_id: str | None = None
    ) -> AsyncJob[Compaction]:
        """Starts removing a module's dead channels, and measures original, masked and compacted form side by side.

        What was measured is then on the module (`Module.forms`). `export` and `modules.download` write the compacted
        form with `compact=True`.

        Args:
            module: Id, name or `Module`.
            latency_batch_sizes: Batch sizes at which to time the forward pass. Empty: 1 and 16.
            request_id: UUID4 under which a repeated call returns the first one's job. None: a new one.

        Raises:
            UnsupportedModel, InvalidField, NotFound, Unavailable: as the service says.
        """
        request = reuser_service_pb2.CompactRequest(
            parent=self.parent,
            module=full_name(module, Kind.MODULE, self.parent),
            latency_batch_sizes=latency_batch_sizes,
            request_id=request_id or new_request_id(),
        )
        return await start(self._transport, Service.REUSER, self._transport.stubs.reuser.Compact, request)

    async def predict(
        self, subject: Named, images: ImageLike | Iterable[ImageLike], *, top_k: int = 0
    ) -> tuple[Prediction, ...]:
        """Classifies images; large numbers go in several calls.

        Files that are larger than a call, as photographs are, are decoded here, in the same way, and sent as pixels.

        Args:
            subject: A module (bare id) or model (`models/ID`).
            images: One or many: a path or the bytes of a picture (PNG, JPEG, WebP, ...), or a uint8 array
                [channels, height, width] with the subject's own extents; an array [n, channels, height, width] is n
                images.
            top_k: At most this many labels in an answer. 0: all.

        Returns:
            One prediction an image, in the order given.

        Raises:
            InvalidImage: an image is unreadable or has a wrong shape; it is named.
            NotFound, Unavailable: as the service says.
        """
        name = subject_name(subject, self.parent)
        predictions: list[Prediction] = []
        notes: dict[int, tuple[str, ...]] = {}
        spec = await self._input_of(name) if have_large(images) else None
        for batch in batches(image_inputs(images, spec, notes)):
            request = reuser_service_pb2.PredictRequest(subject=name, images=batch, top_k=top_k)
            response = await self._transport.unary(
                Service.REUSER, self._transport.stubs.reuser.Predict, request, timeout=self._transport.timeouts.predict
            )
            predictions.extend(predictions_from_proto(response))
        for place, known in notes.items():
            predictions[place] = replace(predictions[place], notes=known)
        return tuple(predictions)

    async def _input_of(self, subject: str) -> InputSpec:
        """What images look like to a model, module or composition."""
        stubs = self._transport.stubs.registry
        match subject.split("/")[-2]:
            case Kind.COMPOSITION:
                asked = composition_pb2.GetCompositionRequest(name=subject)
                composition = await self._transport.unary(Service.REGISTRY, stubs.GetComposition, asked)
                return input_spec_from_proto(composition.input)
            case Kind.MODULE:
                request = module_pb2.GetModuleRequest(name=subject)
                subject = (await self._transport.unary(Service.REGISTRY, stubs.GetModule, request)).base_model
        model = model_pb2.GetModelRequest(name=subject)
        return input_spec_from_proto((await self._transport.unary(Service.REGISTRY, stubs.GetModel, model)).input)


@dataclass(frozen=True, slots=True)
class FileForm:
    """What `AsyncReusing.export` is told of the files besides their format."""

    compact: bool = False
    weights: WeightFormat | str | None = None
    compute: Compute | str | None = None
    dataset: Named | None = None
    calibration_images: int = 0


async def start_export(
    transport: AsyncTransport,
    parent: str,
    subject: Named,
    format: ExportFormat | str,
    form: FileForm,
    *,
    request_id: str | None = None,
) -> AsyncJob[Export]:
    """What `AsyncReusing.export` does, for whoever fetches the files too."""
    request = reuser_service_pb2.ExportRequest(
        parent=parent,
        subject=subject_name(subject, parent),
        format=export_format_to_proto(chosen(format, ExportFormat, "format")),
        request_id=request_id or new_request_id(),
        compact=form.compact,
        weights=weights_to_proto(form.weights),
        compute=compute_to_proto(form.compute),
        dataset="" if form.dataset is None else full_name(form.dataset, Kind.DATASET, parent),
        calibration_images=form.calibration_images,
    )
    return await start(transport, Service.REUSER, transport.stubs.reuser.Export, request)


def weights_to_proto(weights: WeightFormat | str | None) -> exports_pb2.WeightFormat.ValueType:
    """The number of a word; 0 for None.

    Raises:
        InvalidField: there is no such word.
    """
    return WEIGHT_FORMAT.to_proto(None if weights is None else chosen(weights, WeightFormat, "weights"))


def compute_to_proto(compute: Compute | str | None) -> exports_pb2.Compute.ValueType:
    """The number of a word; 0 for None.

    Raises:
        InvalidField: there is no such word.
    """
    return COMPUTE.to_proto(None if compute is None else chosen(compute, Compute, "compute"))
