from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from modelfoundry.core.images import decode_image
from modelfoundry.errors import InvalidImage
from modelfoundry.values.architectures import InputSpec

GREY = InputSpec(1, 6, 9)
COLOUR = InputSpec(3, 6, 9)
NOISE = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def _file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_png_of_the_right_size_is_taken_pixel_by_pixel() -> None:
    decoded = decode_image(_file(Image.fromarray(NOISE)), COLOUR).pixels
    assert torch.equal(decoded, torch.from_numpy(NOISE).permute(2, 0, 1))


def test_a_jpeg_is_what_it_was_up_to_its_losses() -> None:
    smooth = np.linspace(0, 255, 64).astype(np.uint8).reshape(1, 64).repeat(64, axis=0)
    decoded = decode_image(_file(Image.fromarray(smooth), "JPEG", quality=95), InputSpec(1, 64, 64)).pixels
    assert int((decoded[0].int() - torch.from_numpy(smooth).int()).abs().max()) <= 6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_kind_of_png_becomes_the_channels_asked(mode: str, channels: int) -> None:
    white = {"LA": (255, 255), "RGB": (255,) * 3, "RGBA": (255,) * 4, "I;16": 65535, "1": 1}.get(mode, 255)
    image = Image.new("L", (9, 6), 255).convert("P") if mode == "P" else Image.new(mode, (9, 6), white)
    decoded = decode_image(_file(image), InputSpec(channels, 6, 9)).pixels
    assert decoded.dtype == torch.uint8
    assert decoded.shape == (channels, 6, 9)
    assert bool((decoded == 255).all())


def test_sixteen_bits_are_scaled_not_cut_off() -> None:
    ramp = (np.arange(54, dtype=np.uint16) * 1200).reshape(6, 9)
    decoded = decode_image(_file(Image.fromarray(ramp)), GREY).pixels
    assert decoded.flatten().tolist() == [value * 1200 // 256 for value in range(54)]


def test_a_larger_image_is_scaled_with_antialiasing() -> None:
    stripes = np.zeros((60, 90), dtype=np.uint8)
    stripes[:, ::2] = 255  # finer than the target's pixels: their mean is grey
    decoded = decode_image(_file(Image.fromarray(stripes)), GREY).pixels
    assert decoded.shape == (1, 6, 9)
    assert 110 <= int(decoded.min()) <= int(decoded.max()) <= 145


def test_a_photograph_is_turned_upright() -> None:
    upright = Image.fromarray(NOISE)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: turn by 90 degrees clockwise to see it upright
    sideways = upright.transpose(Image.Transpose.ROTATE_90)
    decoded = decode_image(_file(sideways, exif=exif), COLOUR).pixels
    assert torch.equal(decoded, torch.from_numpy(NOISE).permute(2, 0, 1))


def _png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"", "no picture of a format that is read", id="empty"),
        pytest.param(b"hello" * 100, "no picture of a format that is read", id="text"),
        pytest.param(_file(Image.fromarray(NOISE), "EPS"), "no picture of a format that is read", id="eps"),
        pytest.param(_file(Image.fromarray(NOISE))[:-30], "damaged", id="truncated png"),
        pytest.param(_file(Image.effect_noise((99, 99), 50), "JPEG")[:1500], "damaged", id="truncated jpeg"),
        pytest.param(_png_header(9, 6), "damaged", id="png without its pixels"),
        pytest.param(_png_header(10_000, 8_500), "at most 80000000", id="bomb"),
        pytest.param(_png_header(12_000, 9_000), "DecompressionBomb|exceeds limit", id="larger bomb"),
        pytest.param(_png_header(200_000, 200_000), "exceeds limit", id="enormous bomb"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(data: bytes, said: str) -> None:
    with pytest.raises(InvalidImage, match=said) as caught:
        decode_image(data, COLOUR, field="images[2].encoded")
    assert caught.value.field == "images[2].encoded"
    assert caught.value.hint


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_gives_another_error(data: st.DataObject) -> None:
    whole = bytearray(_file(Image.fromarray(NOISE), data.draw(st.sampled_from(["PNG", "JPEG"]))))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_image(bytes(whole), COLOUR).pixels
    except InvalidImage:
        return
    assert decoded.shape == (3, 6, 9)


def test_a_network_of_five_channels_needs_pixels() -> None:
    with pytest.raises(InvalidImage, match="5 channels"):
        decode_image(_file(Image.fromarray(NOISE)), InputSpec(5, 6, 9))
