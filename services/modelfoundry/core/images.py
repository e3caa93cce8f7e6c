"""From the image files that people send to the pixels that a network takes."""

from __future__ import annotations

import io
import struct
from typing import Final

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from modelfoundry.errors import InvalidImage
from modelfoundry.values.architectures import InputSpec

MAX_PIXELS: Final = 80_000_000
"""Of an encoded image: bounds the memory that a small hostile file can ask for. Pillow warns above 89 million."""
_FORMATS: Final = ("PNG", "JPEG")
_MODES: Final = {1: "L", 3: "RGB", 4: "RGBA"}
"""How Pillow calls images of so many channels."""


_DAMAGES: Final = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""What Pillow raises for damaged files."""


def decode_image(data: bytes, input_spec: InputSpec, *, field: str = "images") -> Tensor:
    """Decodes a PNG or JPEG file to the channels and size that a network takes.

    The image is turned upright (EXIF), converted to grey, RGB or RGBA, and scaled to height and width (bilinear with
    antialiasing; the aspect ratio is not kept). Of several frames the first one is taken.

    Args:
        data: The file.
        input_spec: What the network takes: 1, 3 or 4 channels.
        field: Path of the request field that holds it.

    Returns:
        uint8 [channels, height, width].

    Raises:
        InvalidImage: it is neither PNG nor JPEG, damaged, of more than 80 million pixels, or the network takes another
            number of channels than images have.
    """
    mode = _MODES.get(input_spec.channels)
    if mode is None:
        raise InvalidImage(
            f"{field}: a PNG or JPEG file cannot give the {input_spec.channels} channels that the network takes",
            field=field,
            hint="send the pixels as they are",
        )
    image = _decoded(data, field)
    size = (input_spec.width, input_spec.height)
    converted = _in_mode(image, mode)
    if converted.size != size:
        converted = converted.resize(size, Image.Resampling.BILINEAR)
    pixels = np.array(converted, dtype=np.uint8).reshape(input_spec.height, input_spec.width, input_spec.channels)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _decoded(data: bytes, field: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise InvalidImage(
                f"{field}: an image of {width} x {height} pixels; at most {MAX_PIXELS} are decoded",
                field=field,
                hint="scale it down before sending it",
            )
        return ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:
        raise InvalidImage(
            f"{field}: {len(data)} bytes that are neither a PNG nor a JPEG file",
            field=field,
            hint="convert the image to PNG or JPEG",
        ) from error
    except _DAMAGES as error:
        raise InvalidImage(
            f"{field}: the image is damaged: {error}", field=field, hint="check that the whole file was sent"
        ) from error


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel, which `convert` would cut off at 255
        image = Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8))
    return image.convert(mode)
