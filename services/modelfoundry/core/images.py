"""From the picture files that people send to the pixels that a network takes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.errors import InvalidImage
from modelfoundry.pictures.decoding import MODES, UnreadablePicture, decode
from modelfoundry.values.architectures import InputSpec


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Pixels, uint8 [channels, height, width], and what people should know of them."""

    pixels: Tensor
    notes: tuple[str, ...] = ()


def decode_image(data: bytes, input_spec: InputSpec, *, field: str = "images") -> DecodedImage:
    """Decodes a picture to the channels and size that a network takes, as `modelfoundry.pictures.decoding` says.

    Args:
        data: The file.
        input_spec: What the network takes: 1, 3 or 4 channels.
        field: Path of the request field that holds it.

    Raises:
        InvalidImage: it is no picture of a format that is read, damaged, of more than 80 million pixels, or the network
            takes another number of channels than pictures have.
    """
    if input_spec.channels not in MODES:
        raise InvalidImage(
            f"{field}: a picture's file cannot give the {input_spec.channels} channels that the network takes",
            field=field,
            hint="send the pixels as they are",
        )
    try:
        decoded = decode(data, input_spec.channels, input_spec.height, input_spec.width)
    except UnreadablePicture as error:
        hint = "save it as PNG, JPEG or WebP" if error.foreign else "check that the whole file was sent"
        raise InvalidImage(f"{field}: {len(data)} bytes: {error}", field=field, hint=hint) from error
    return DecodedImage(torch.from_numpy(decoded.pixels), decoded.notes)
