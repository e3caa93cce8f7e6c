"""Images of a request: pixels are taken as they are, and what is wrong is named with its place."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from modelfoundry.api.reuser.v1 import reuser_service_pb2 as pb
from modelfoundry.errors import InvalidField, InvalidImage
from modelfoundry.reuser.predicting.images import MOST_IMAGES, images_from_proto
from modelfoundry.values.architectures import InputSpec

COLOUR = InputSpec(3, 6, 9)
PIXELS = pb.PixelTensor(shape=(3, 6, 9), values=bytes(range(3 * 6 * 9)))


def test_pixels_are_taken_as_they_are() -> None:
    images = images_from_proto([pb.ImageInput(pixels=PIXELS), pb.ImageInput(pixels=PIXELS)], COLOUR).pixels
    assert (images.shape, images.dtype) == ((2, 3, 6, 9), torch.uint8)
    assert images[1].flatten().tolist() == list(PIXELS.values)
    images.zero_()  # its own memory
    assert PIXELS.values[-1]


def test_a_file_and_pixels_stand_side_by_side() -> None:
    file = io.BytesIO()
    Image.new("RGB", (9, 6), (1, 2, 3)).save(file, "PNG")
    images = images_from_proto([pb.ImageInput(encoded=file.getvalue()), pb.ImageInput(pixels=PIXELS)], COLOUR).pixels
    assert images[0, :, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "shape", "field"),
    [
        (bytes(162), (6, 9, 3), "images[1].pixels.shape"),
        (bytes(161), (3, 6, 9), "images[1].pixels.values"),
        (bytes(163), (3, 6, 9), "images[1].pixels.values"),
        (b"", (), "images[1].pixels.shape"),
    ],
    ids=["another-order", "a-byte-less", "a-byte-more", "nothing"],
)
def test_pixels_of_another_shape_are_refused(values: bytes, shape: tuple[int, ...], field: str) -> None:
    wrong = pb.ImageInput(pixels=pb.PixelTensor(shape=shape, values=values))
    with pytest.raises(InvalidImage) as refused:
        images_from_proto([pb.ImageInput(pixels=PIXELS), wrong], COLOUR)
    assert refused.value.field == field
    assert refused.value.hint


def test_no_image_too_many_and_one_without_content_are_refused() -> None:
    one = pb.ImageInput(pixels=PIXELS)
    for images, field in (([], "images"), ([one] * (MOST_IMAGES + 1), "images"), ([one, pb.ImageInput()], "images[1]")):
        with pytest.raises(InvalidField) as refused:
            images_from_proto(images, COLOUR)
        assert refused.value.field == field
