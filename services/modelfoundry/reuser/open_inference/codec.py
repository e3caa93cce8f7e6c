"""Tensors of the Open Inference Protocol as images and probabilities, and back."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from modelfoundry.api.inference.v2 import open_inference_pb2 as pb
from modelfoundry.errors import InvalidField, InvalidImage
from modelfoundry.names import shortened
from modelfoundry.reuser.predicting.images import MOST_IMAGES
from modelfoundry.reuser.predicting.predictor import rank
from modelfoundry.values.architectures import InputSpec

IMAGES: Final = "images"
PROBABILITIES: Final = "probabilities"
LABELS: Final = "labels"
CLASSIFICATION: Final = "classification"
ROUNDING: Final = 1e-6
"""How far pixels may lie outside of [0, 1]: a little more than 255 * float32(1 / 255) does."""
_ELEMENTS: Final[Mapping[str, np.dtype[Any]]] = {"UINT8": np.dtype("<u1"), "FP32": np.dtype("<f4")}


@dataclass(frozen=True, slots=True)
class WantedOutput:
    """An output that a request asks for."""

    name: str
    best: int = 0
    """Of `probabilities`: so many of the most probable labels in place of all numbers; 0: the numbers."""


def wanted_from_proto(request: pb.ModelInferRequest) -> tuple[WantedOutput, ...]:
    """The outputs that a request asks for, all when it names none.

    Raises:
        InvalidField: an output is unknown or there twice, or a parameter is.
    """
    _check_parameters(request.parameters, "parameters")
    names = [output.name for output in request.outputs]
    for place, output in enumerate(request.outputs):
        field = f"outputs[{place}]"
        if output.name not in (PROBABILITIES, LABELS):
            raise InvalidField(
                f"{field}.name: there is no output {shortened(output.name)!r}",
                field=f"{field}.name",
                hint=f"ask for {PROBABILITIES!r} or {LABELS!r}",
            )
        if output.name in names[:place]:
            raise InvalidField(
                f"{field}.name: {output.name!r} is there twice", field=f"{field}.name", hint="ask for every output once"
            )
    wanted = tuple(_wanted(output, f"outputs[{place}]") for place, output in enumerate(request.outputs))
    return wanted or (WantedOutput(PROBABILITIES), WantedOutput(LABELS))


def _wanted(output: pb.ModelInferRequest.InferRequestedOutputTensor, field: str) -> WantedOutput:
    known = (CLASSIFICATION,) if output.name == PROBABILITIES else ()
    _check_parameters(output.parameters, f"{field}.parameters", known)
    if CLASSIFICATION not in output.parameters:
        return WantedOutput(output.name)
    best = output.parameters[CLASSIFICATION].int64_param
    if best < 1:
        path = f'{field}.parameters["{CLASSIFICATION}"]'
        raise InvalidField(
            f"{path}: {best} labels are no answer", field=path, hint="set int64_param to 1 or more, or leave it out"
        )
    return WantedOutput(output.name, best)


def _check_parameters(parameters: Iterable[str], field: str, known: Sequence[str] = ()) -> None:
    for name in parameters:
        if name not in known:
            path = f'{field}["{shortened(name)}"]'
            raise InvalidField(f"{path}: this parameter is not known", field=path, hint="leave it out")


def images_asked(request: pb.ModelInferRequest) -> int:
    """How many images a request says that it has, at most as many as one may have; what it says is not checked yet."""
    counts = [tensor.shape[0] for tensor in request.inputs if tensor.shape]
    return max(0, min(sum(counts), MOST_IMAGES))


def pixels_from_proto(request: pb.ModelInferRequest, spec: InputSpec) -> torch.Tensor:
    """The images of a request, float32 in [0, 1], [n, channels, height, width].

    Raises:
        InvalidField: there is not just the input `images`, its data type is none of pixels, or its elements are missing
            or there twice.
        InvalidImage: another shape, or elements that do not fit it or are no pixels.
    """
    if len(request.inputs) != 1 or request.inputs[0].name != IMAGES:
        given = ", ".join(repr(shortened(each.name)) for each in request.inputs[:5]) or "none"
        raise InvalidField(
            f"inputs: the model has one, {IMAGES!r}; given: {given}", field="inputs", hint=f"send the input {IMAGES!r}"
        )
    (images,) = request.inputs
    _check_parameters(images.parameters, "inputs[0].parameters")
    if images.datatype not in _ELEMENTS:
        raise InvalidField(
            f"inputs[0].datatype: images are no {shortened(images.datatype)!r}",
            field="inputs[0].datatype",
            hint="send UINT8, pixels from 0 to 255, or FP32, pixels from 0 to 1",
        )
    _check_shape(images.shape, spec)
    values = _raw(request) if request.raw_input_contents else _typed(images)
    pixels = torch.from_numpy(values.astype(np.float32)).reshape(tuple(images.shape))
    return pixels.div_(255) if images.datatype == "UINT8" else _checked(pixels)


def _check_shape(shape: Sequence[int], spec: InputSpec) -> None:
    expected = ", ".join(map(str, spec.shape))
    if tuple(shape[1:]) != spec.shape:
        last = tuple(shape[1:]) == (spec.height, spec.width, spec.channels)
        raise InvalidImage(
            f"inputs[0].shape: {list(shape[:8])} is not the model's [n, {expected}]",
            field="inputs[0].shape",
            hint="put the channels before height and width: transpose(0, 3, 1, 2)"
            if last
            else "send images, channels, height and width as the model's metadata says",
        )
    if not 1 <= shape[0] <= MOST_IMAGES:
        raise InvalidImage(
            f"inputs[0].shape: {shape[0]} images", field="inputs[0].shape", hint=f"send 1 to {MOST_IMAGES} at a time"
        )


def _raw(request: pb.ModelInferRequest) -> NDArray[Any]:
    (images,) = request.inputs
    element = _ELEMENTS[images.datatype]
    expected = math.prod(images.shape) * element.itemsize
    if images.HasField("contents") or len(request.raw_input_contents) != 1:
        raise InvalidField(
            "raw_input_contents: the elements of the one input are to be there once",
            field="raw_input_contents",
            hint="set it to the elements of the input and leave `contents` out",
        )
    (content,) = request.raw_input_contents
    if len(content) != expected:
        raise InvalidImage(
            f"raw_input_contents[0]: {len(content)} bytes, {expected} are {images.datatype} {list(images.shape)}",
            field="raw_input_contents[0]",
            hint="send all elements in row-major order",
        )
    return np.frombuffer(content, element)


def _typed(images: pb.ModelInferRequest.InferInputTensor) -> NDArray[Any]:
    name = "uint_contents" if images.datatype == "UINT8" else "fp32_contents"
    field = f"inputs[0].contents.{name}"
    values = np.array(getattr(images.contents, name), np.float32 if images.datatype == "FP32" else np.uint32)
    expected = math.prod(images.shape)
    if len(values) != expected:
        raise InvalidImage(
            f"{field}: {len(values)} elements, {expected} are {images.datatype} {list(images.shape)}",
            field=field,
            hint="send all elements in row-major order, there or in raw_input_contents",
        )
    if images.datatype == "UINT8" and values.max() > 255:
        raise InvalidImage(f"{field}: {values.max()} is no pixel", field=field, hint="send numbers from 0 to 255")
    return values


def _checked(pixels: torch.Tensor) -> torch.Tensor:
    # The comparison is false for NaN, too.
    if not bool(((pixels >= -ROUNDING) & (pixels <= 1 + ROUNDING)).all()):
        raise InvalidImage(
            f"inputs[0]: FP32 pixels are from 0 to 1, these from {pixels.min():g} to {pixels.max():g}",
            field="inputs[0]",
            hint="divide by 255, or send UINT8; leave normalising to the model",
        )
    return pixels


def answer_to_proto(
    request: pb.ModelInferRequest, wanted: Sequence[WantedOutput], labels: Sequence[str], found: torch.Tensor
) -> pb.ModelInferResponse:
    """The outputs that are wanted, raw or typed as the request is, and its id.

    Args:
        request: What is answered.
        wanted: Outputs, in order.
        labels: Meaning of the columns.
        found: Probabilities, float32 [n, labels].
    """
    response = pb.ModelInferResponse(id=request.id)
    for output in wanted:
        tensor = response.outputs.add(name=output.name)
        if output.name == PROBABILITIES and not output.best:
            tensor.datatype = "FP32"
            tensor.shape[:] = found.shape
            if request.raw_input_contents:
                response.raw_output_contents.append(found.numpy().astype("<f4").tobytes())
            else:
                tensor.contents.fp32_contents[:] = found.flatten().tolist()
            continue
        texts = _texts(output, labels, found)
        tensor.datatype = "BYTES"
        tensor.shape[:] = [len(found)] if output.name == LABELS else [len(found), len(texts) // len(found)]
        if request.raw_input_contents:
            response.raw_output_contents.append(b"".join(struct.pack("<I", len(text)) + text for text in texts))
        else:
            tensor.contents.bytes_contents[:] = texts
    return response


def _texts(output: WantedOutput, labels: Sequence[str], found: torch.Tensor) -> list[bytes]:
    values, places = rank(found)
    if output.name == LABELS:
        return [labels[place].encode() for place in places[:, 0].tolist()]
    return [
        f"{value:f}:{place}:{labels[place]}".encode()
        for row, at in zip(values[:, : output.best].tolist(), places[:, : output.best].tolist(), strict=True)
        for value, place in zip(row, at, strict=True)
    ]


def metadata_to_proto(
    name: str, kind: str, version: str, spec: InputSpec, labels: Sequence[str]
) -> pb.ModelMetadataResponse:
    """What a client must know of a model.

    Args:
        name: Full name.
        kind: `model`, `module` or `composition`.
        version: Digest.
        spec: What it takes.
        labels: Meaning of its outputs.
    """
    tensor = pb.ModelMetadataResponse.TensorMetadata
    return pb.ModelMetadataResponse(
        name=name,
        versions=[version],
        platform=f"modelfoundry_{kind}",
        inputs=[tensor(name=IMAGES, datatype="UINT8", shape=[-1, *spec.shape])],
        outputs=[
            tensor(name=PROBABILITIES, datatype="FP32", shape=[-1, len(labels)]),
            tensor(name=LABELS, datatype="BYTES", shape=[-1]),
        ],
    )
