"""Images of a request as one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.core.images import DecodedImage, decode_image
from modelfoundry.errors import InvalidField, InvalidImage
from modelfoundry.values.architectures import InputSpec

MOST_IMAGES: Final = 1024
_AT_ONCE_BYTES: Final = 64 * 1024
"""Of pixels: copying so many takes no longer than going to a thread and back."""


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """Images of a request, uint8 [n, channels, height, width], and of each what people should know of it."""

    pixels: torch.Tensor
    notes: tuple[tuple[str, ...], ...]


async def decoded(images: Sequence[pb.ImageInput], spec: InputSpec) -> ImageBatch:
    """`images_from_proto`, in a thread where that takes its time."""
    size = sum(len(image.pixels.values) for image in images)
    if size <= _AT_ONCE_BYTES and not any(image.HasField("encoded") for image in images):
        return images_from_proto(images, spec)
    return await asyncio.to_thread(images_from_proto, images, spec)


def images_from_proto(images: Sequence[pb.ImageInput], spec: InputSpec) -> ImageBatch:
    """All images of a request as one batch.

    Raises:
        InvalidField: none or too many images, or one without content.
        InvalidImage: one cannot be decoded or has another shape; its place is named.
    """
    if not 1 <= len(images) <= MOST_IMAGES:
        raise InvalidField(f"images: {len(images)} are given", field="images", hint=f"give 1 to {MOST_IMAGES}")
    found = [_image_from_proto(image, spec, f"images[{place}]") for place, image in enumerate(images)]
    return ImageBatch(torch.stack([image.pixels for image in found]), tuple(image.notes for image in found))


def _image_from_proto(image: pb.ImageInput, spec: InputSpec, field: str) -> DecodedImage:
    match image.WhichOneof("content"):
        case "encoded":
            return decode_image(image.encoded, spec, field=f"{field}.encoded")
        case "pixels":
            return DecodedImage(_pixels_from_proto(image.pixels, spec, f"{field}.pixels"))
        case _:
            raise InvalidField(
                f"{field}: it has no content", field=field, hint="set `encoded` to a picture's file, or `pixels`"
            )


def _pixels_from_proto(pixels: pb.PixelTensor, spec: InputSpec, field: str) -> torch.Tensor:
    expected = spec.shape
    if tuple(pixels.shape) != expected:
        raise InvalidImage(
            f"{field}.shape: {list(pixels.shape)} is not the subject's {list(expected)}",
            field=f"{field}.shape",
            hint="send channels, height and width of the subject, or an encoded image, which is scaled",
        )
    if len(pixels.values) != spec.channels * spec.height * spec.width:
        raise InvalidImage(
            f"{field}.values: {len(pixels.values)} bytes for {spec.channels * spec.height * spec.width} pixels",
            field=f"{field}.values",
            hint="send one byte from 0 to 255 a pixel, in row-major order",
        )
    return torch.frombuffer(bytearray(pixels.values), dtype=torch.uint8).reshape(expected)
