"""Images to classify: what callers may pass, and how many go in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.errors import InvalidImage, TooLarge

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modelfoundry.pictures.decoding import Decoded
    from modelfoundry.values.architectures import InputSpec

ImageLike: TypeAlias = "str | Path | bytes | npt.NDArray[np.uint8]"
"""A path or the bytes of a picture (PNG, JPEG, WebP, ...), or a uint8 array [channels, height, width]."""

MAX_IMAGES: Final = 1024
MAX_BATCH_BYTES: Final = 3 * 1024 * 1024 + 512 * 1024  # leaves room for the rest of a message of 4 MiB
_BYTES_BESIDE_CONTENT: Final = 64


def have_large(images: ImageLike | Iterable[ImageLike]) -> bool:
    """Whether a file among them is larger than a call, as photographs are. Iterators are not looked into."""
    if isinstance(images, Iterator):
        return False
    return any(_file_size(image) + _BYTES_BESIDE_CONTENT > MAX_BATCH_BYTES for image in _each(images))


def _file_size(image: ImageLike) -> int:
    if isinstance(image, bytes):
        return len(image)
    if isinstance(image, str | Path):
        try:
            return Path(image).stat().st_size
        except OSError:
            return 0  # reading it says what is wrong
    return 0


def image_inputs(
    images: ImageLike | Iterable[ImageLike],
    spec: InputSpec | None = None,
    notes: dict[int, tuple[str, ...]] | None = None,
) -> Iterator[reuser_service_pb2.ImageInput]:
    """Messages for one or many images, in order.

    Args:
        images: As callers pass them.
        spec: What the subject takes: files that are larger than a call are decoded here to that, by the decoder that
            the service has. None: they are sent as they are.
        notes: Takes what there is to know of those that were decoded here, by their place.

    Raises:
        InvalidImage: a file cannot be read, or an array has a wrong type or number of dimensions; it is named.
    """
    for index, image in enumerate(_each(images)):
        one = _image_input(image, f"images[{index}]")
        if spec is not None and len(one.encoded) + _BYTES_BESIDE_CONTENT > MAX_BATCH_BYTES:
            decoded = _decoded(one.encoded, spec, f"images[{index}]")
            pixels = reuser_service_pb2.PixelTensor(shape=decoded.pixels.shape, values=decoded.pixels.tobytes())
            one = reuser_service_pb2.ImageInput(pixels=pixels)
            if notes is not None:
                notes[index] = decoded.notes
        yield one


def _decoded(data: bytes, spec: InputSpec, field: str) -> Decoded:
    from modelfoundry.pictures.decoding import MODES, UnreadablePicture, decode  # here: few programs need Pillow

    if spec.channels not in MODES:
        raise InvalidImage(
            f"{field}: a picture's file cannot give the {spec.channels} channels that the network takes",
            field=field,
            hint="pass the pixels as an array",
        )
    try:
        return decode(data, spec.channels, spec.height, spec.width)
    except UnreadablePicture as error:
        raise InvalidImage(f"{field}: {error}", field=field, hint="save it as PNG, JPEG or WebP") from error


def batches(
    inputs: Iterable[reuser_service_pb2.ImageInput],
) -> Iterator[list[reuser_service_pb2.ImageInput]]:
    """Groups that fit in one message each.

    Raises:
        TooLarge: a single image does not fit.
    """
    batch: list[reuser_service_pb2.ImageInput] = []
    total = 0
    for index, one in enumerate(inputs):
        size = one.ByteSize() + _BYTES_BESIDE_CONTENT
        if size > MAX_BATCH_BYTES:
            raise TooLarge(
                f"images[{index}] has {size:,} bytes, more than the {MAX_BATCH_BYTES:,} of one call",
                field=f"images[{index}]",
                hint="scale the image down; the network sees it at its own size anyhow",
                metadata={"limit_bytes": str(MAX_BATCH_BYTES)},
            )
        if batch and (total + size > MAX_BATCH_BYTES or len(batch) == MAX_IMAGES):
            yield batch
            batch, total = [], 0
        batch.append(one)
        total += size
    if batch:
        yield batch


def _each(images: ImageLike | Iterable[ImageLike]) -> Iterable[ImageLike]:
    import numpy as np  # here: programs that classify nothing start sooner without it

    if isinstance(images, str | Path | bytes):
        return [images]
    if isinstance(images, np.ndarray) and images.ndim != 4:
        return [images]
    return images


def _image_input(image: ImageLike, field: str) -> reuser_service_pb2.ImageInput:
    import numpy as np

    if isinstance(image, bytes):
        return reuser_service_pb2.ImageInput(encoded=image)
    if isinstance(image, str | Path):
        try:
            return reuser_service_pb2.ImageInput(encoded=Path(image).read_bytes())
        except OSError as error:
            raise InvalidImage(f"{field}: {error}", field=field, hint="check the path") from error
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3:
        found = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
        raise InvalidImage(
            f"{field}: {found} is not an image",
            field=field,
            hint="pass a path, the bytes of a picture (PNG, JPEG, ...), or a uint8 array [channels, height, width]",
        )
    pixels = reuser_service_pb2.PixelTensor(shape=image.shape, values=image.tobytes())
    return reuser_service_pb2.ImageInput(pixels=pixels)
