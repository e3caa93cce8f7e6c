"""What every kind of file becomes: the right pixels are stated, not those that some code gave."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from modelfoundry.pictures.decoding import (
    BACKGROUND,
    SEVERAL_FRAMES,
    UNREADABLE_PROFILE,
    UnreadablePicture,
    decode,
    measure,
)

NOISE = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (6, 9, 3), dtype=np.uint8)
LOSSLESS = ("PNG", "WEBP", "TIFF")


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"lossless": True} if kind == "WEBP" else {}), **options)
    return buffer.getvalue()


def decoded(data: bytes, channels: int, size: tuple[int, int] = (6, 9)) -> np.ndarray[Any, Any]:
    return decode(data, channels, *size).pixels


UPRIGHT_FROM = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a stored picture upright, by EXIF's orientation; Pillow counts rotations against the clock."""
STORED_FROM = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
"""The way back, where it is another one."""


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(kind: str, orientation: int) -> None:
    way = STORED_FROM.get(orientation, UPRIGHT_FROM[orientation])
    stored = Image.fromarray(NOISE) if way is None else Image.fromarray(NOISE).transpose(way)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_of(stored, kind, exif=exif)
    assert np.array_equal(decoded(data, 3), NOISE.transpose(2, 0, 1))
    found = measure(data)
    assert (found.height, found.width) == (6, 9)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_there_are_not_turn_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(decoded(file_of(Image.fromarray(NOISE), exif=exif), 3), NOISE.transpose(2, 0, 1))


def test_palettes_are_resolved_with_their_transparency() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 0, 0])
    image.putpixel((1, 0), 1)
    assert decoded(file_of(image), 3, (1, 2)).reshape(3, 2).T.tolist() == [[10, 20, 30], [200, 0, 0]]
    assert decoded(file_of(image, transparency=1), 3, (1, 2)).reshape(3, 2).T.tolist() == [[10, 20, 30], [255] * 3]
    several = file_of(image, transparency=bytes([255, 51]))  # a fifth of 200 over four fifths of white
    assert decoded(several, 3, (1, 2)).reshape(3, 2).T.tolist() == [[10, 20, 30], [244, 204, 204]]
    assert decoded(several, 4, (1, 2)).reshape(4, 2).T.tolist() == [[10, 20, 30, 255], [200, 0, 0, 51]]


@pytest.mark.parametrize("kind", LOSSLESS)
def test_transparent_parts_lie_over_white(kind: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 100, 200, 255))
    image.putpixel((1, 0), (0, 100, 200, 0))
    options = {"exact": True} if kind == "WEBP" else {}
    data = file_of(image, kind, **options)
    assert decoded(data, 3, (1, 2)).reshape(3, 2).T.tolist() == [[0, 100, 200], [BACKGROUND] * 3]
    assert decoded(data, 4, (1, 2)).reshape(4, 2).T.tolist() == [[0, 100, 200, 255], [0, 100, 200, 0]]
    grey = Image.new("LA", (2, 1), (100, 51))
    assert decoded(file_of(grey), 1, (1, 2)).tolist() == [[[224, 224]]]  # 0.2 x 100 + 0.8 x 255
    assert decoded(file_of(grey), 3, (1, 2))[2].tolist() == [[224, 224]]


def test_a_colour_that_stands_for_transparent_is_white() -> None:
    image = Image.new("RGB", (2, 1), (1, 2, 3))
    image.putpixel((1, 0), (9, 9, 9))
    data = file_of(image, transparency=(1, 2, 3))
    assert decoded(data, 3, (1, 2)).reshape(3, 2).T.tolist() == [[255] * 3, [9] * 3]
    grey = Image.fromarray(np.array([[5, 6]], np.uint8))
    assert decoded(file_of(grey, transparency=5), 1, (1, 2)).tolist() == [[[255, 6]]]


def test_clear_parts_do_not_bleed_when_a_picture_is_made_smaller() -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    image.paste((0, 200, 0, 255), (0, 0, 4, 8))
    assert decoded(file_of(image), 4, (1, 1)).reshape(4).tolist() == [0, 199, 0, 128]


def test_cmyk_becomes_rgb() -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))  # cyan
    for kind, options in (("TIFF", {}), ("JPEG", {"quality": 100})):
        red, green, blue = decoded(file_of(image, kind, **options), 3, (8, 8)).reshape(3, -1).mean(axis=1)
        assert red < 3
        assert green > 252
        assert blue > 252


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_upper_eight(kind: str) -> None:
    ramp = (np.arange(54, dtype=np.uint16) * 1200).reshape(6, 9)
    data = file_of(Image.fromarray(ramp), kind)
    assert decoded(data, 1).flatten().tolist() == [value * 1200 // 256 for value in range(54)]
    assert decoded(data, 3)[1].flatten().tolist() == [value * 1200 // 256 for value in range(54)]
    assert measure(data).grey


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (Image.new("F", (4, 4), 0.5), "floating point"),
        (Image.fromarray(np.full((4, 4), 70_000, np.int32)), "32 bits"),
        (Image.fromarray(np.full((4, 4), -1, np.int32)), "32 bits"),
    ],
)
def test_numbers_without_a_scale_are_refused(image: Image.Image, said: str) -> None:
    with pytest.raises(UnreadablePicture, match=said):
        decoded(file_of(image, "TIFF"), 1)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit_is_black_and_white(kind: str) -> None:
    bits = np.array([[True, False, True]])
    assert decoded(file_of(Image.fromarray(bits), kind), 1, (1, 3)).tolist() == [[[255, 0, 255]]]


def test_grey_goes_to_rgb_and_back_unchanged() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    in_colour = decoded(file_of(Image.fromarray(ramp)), 3, (16, 16))
    assert (in_colour == ramp).all()
    assert (decoded(file_of(Image.fromarray(in_colour.transpose(1, 2, 0))), 1, (16, 16)) == ramp).all()


def swapped_profile() -> bytes:
    """A profile whose red is sRGB's green, and the other way round: the two tags' names change places in the table."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    described = profile.index(b"s\x00R\x00G\x00B")
    profile[described : described + 7] = b"o\x00d\x00d\x00\x20"
    return bytes(profile)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_colour_profile_is_converted_to_srgb(kind: str) -> None:
    image = Image.new("RGB", (8, 8), (255, 0, 0))
    red, green, blue = decoded(file_of(image, kind, icc_profile=swapped_profile()), 3, (8, 8)).reshape(3, -1).T[0]
    assert (red < 12, green > 243, blue < 12) == (True, True, True)
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 128))
    if kind == "PNG":
        assert decoded(file_of(clear, kind, icc_profile=swapped_profile()), 4, (8, 8))[3, 0, 0] == 128


def test_srgb_itself_changes_nothing_and_a_broken_profile_is_said() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decoded(file_of(Image.fromarray(NOISE), icc_profile=srgb), 3), NOISE.transpose(2, 0, 1))
    broken = decode(file_of(Image.fromarray(NOISE), icc_profile=b"no profile at all" * 20), 3, 6, 9)
    assert np.array_equal(broken.pixels, NOISE.transpose(2, 0, 1))
    assert broken.notes == (UNREADABLE_PROFILE,)
    grey = Image.fromarray(NOISE[:, :, 0])  # a profile of colours says nothing of grey
    assert np.array_equal(decoded(file_of(grey, icc_profile=swapped_profile()), 1)[0], NOISE[:, :, 0])


def test_lab_becomes_rgb() -> None:
    lab = Image.new("LAB", (4, 4), (128, 128, 128))
    found = decoded(file_of(lab, "TIFF"), 3, (4, 4)).reshape(3, -1).T[0].astype(int)
    assert abs(found - 119).max() <= 3  # L* = 50.2 is 119 in sRGB


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_animations_the_first_frame_is_taken_and_said(kind: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    found = decode(file_of(frames[0], kind, save_all=True, append_images=frames[1:]), 3, 4, 4)
    assert found.pixels.reshape(3, -1).T[0].tolist() == [255, 0, 0]
    assert found.notes == (SEVERAL_FRAMES,)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "BMP", "DIB", "TIFF", "GIF", "PNG", "JPEG2000", "PPM", "PCX"])
def test_every_format_is_read(kind: str, tmp_path: Path) -> None:
    flat = Image.new("RGB", (16, 16), (200, 100, 50))
    path = tmp_path / "no-suffix"
    path.write_bytes(file_of(flat, kind))
    for file in (path, str(path), path.read_bytes()):
        found = decode(file, 3, 16, 16)
        assert np.abs(found.pixels.reshape(3, -1).T.astype(int) - (200, 100, 50)).max() <= 3
        assert found.notes == ()


def test_making_smaller_averages() -> None:
    stripes = np.zeros((60, 90), dtype=np.uint8)
    stripes[:, ::2] = 255
    found = decoded(file_of(Image.fromarray(stripes)), 1)
    assert 110 <= found.min() <= found.max() <= 145


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 9_000, 9_000, 8, 0, 0, 0, 0))
    for read in (measure, lambda file: decode(file, 1, 8, 8)):
        with pytest.raises(UnreadablePicture, match="at most 80000000"):
            read(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))


@pytest.fixture(scope="module")
def whole_files() -> list[bytes]:
    kinds = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM", "PCX")
    return [file_of(Image.fromarray(NOISE), kind) for kind in kinds]


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow, about tags that it skips
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_damage_gives_another_error(whole_files: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from(whole_files)))
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(whole), 3, 6, 9)
    except UnreadablePicture:
        return
    assert found.pixels.shape == (3, 6, 9)
