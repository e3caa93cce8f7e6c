"""From the file of a picture to pixels, in the one way that training and predictions share.

- formats: those of `FORMATS`, told by content; of animations and files of several pages the first picture
- turned upright as EXIF says
- embedded colour profiles are converted to sRGB, CMYK and Lab too; a profile that cannot be read is left aside
- palettes are resolved; 16 bits a channel keep their upper 8; floating point has no scale and is refused
- transparent parts lie over white, unless the network takes transparency (4 channels)
- grey is 0.299 R + 0.587 G + 0.114 B
- scaled to height and width by Pillow's bilinear filter, which averages where it makes smaller (antialiasing); the
  aspect ratio is not kept

It needs Pillow and NumPy and nothing else of ModelFoundry: exported folders carry this very file.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

FORMATS = (
    *("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "DIB", "TIFF"),
    *("JPEG2000", "PPM", "PCX", "QOI", "SGI", "ICO", "ICNS", "PSD"),
)
"""What Pillow reads and tells by content, less what starts other programs (EPS) or needs them (WMF)."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""How Pillow calls pictures of so many channels."""
MAX_PIXELS = 80_000_000
"""Of a file: bounds the memory that a small hostile file can ask for. Pillow warns above 89 million."""
BACKGROUND = 255
"""What transparent parts lie over: white."""
SEVERAL_FRAMES = "the first of several frames"
UNREADABLE_PROFILE = "its colour profile cannot be read"

_GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_WITH_ALPHA = ("LA", "RGBA")
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "LAB"}
"""The colour space that a profile must be of, by the kind of pixels."""
_SIDEWAYS = (5, 6, 7, 8)
_ORIENTATION = 0x0112
_DAMAGES = (
    *(OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError),
    *(RuntimeError, ArithmeticError, AssertionError, AttributeError),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""What Pillow raises for damaged files."""


class UnreadablePicture(ValueError):
    """A file gives no picture. `foreign`: it is none of a format that is read, rather than damaged or too large."""

    def __init__(self, reason: str, *, foreign: bool = False) -> None:
        super().__init__(reason)
        self.foreign = foreign


@dataclass(frozen=True)
class Measured:
    """What a file says of its picture before it is decoded: upright height and width, and whether it is grey."""

    height: int
    width: int
    grey: bool


@dataclass(frozen=True)
class Decoded:
    """Pixels, uint8 [channels, height, width], and what people should know about how they came to be."""

    pixels: np.ndarray[Any, np.dtype[np.uint8]]
    notes: tuple[str, ...] = ()


def decode(file: bytes | str | Path, channels: int, height: int, width: int) -> Decoded:
    """Decodes a picture to the extents that a network takes.

    Args:
        file: The file's content, or its path.
        channels: 1 for grey, 3 for RGB, 4 for RGB with transparency.
        height: Of the result.
        width: Of the result.

    Raises:
        UnreadablePicture: it is of no format in `FORMATS`, damaged, of more than `MAX_PIXELS`, or of pixels that no
            scale is known of.
    """
    try:
        with _opened(file) as image:
            image.load()
            animated = image.format != "MPO" and bool(getattr(image, "is_animated", False))
            notes = [SEVERAL_FRAMES] if animated else []
            if animated:
                image.seek(0)
            upright = ImageOps.exif_transpose(image)
            plain = _in_srgb(_eight_bits(upright), image.info.get("icc_profile"), notes)
        converted = _in_mode(plain, MODES[channels])
        if converted.size != (width, height):
            converted = converted.resize((width, height), Image.Resampling.BILINEAR)
        pixels = np.array(converted, dtype=np.uint8).reshape(height, width, channels)
    except UnreadablePicture:
        raise
    except _DAMAGES as error:
        raise UnreadablePicture(f"it is damaged: {error}") from error
    return Decoded(np.ascontiguousarray(pixels.transpose(2, 0, 1)), tuple(notes))


def measure(file: bytes | str | Path) -> Measured:
    """Reads what stands at the beginning of a file.

    Raises:
        UnreadablePicture: as `decode`, as far as it can be told without decoding.
    """
    try:
        with _opened(file) as image:
            width, height = image.size
            # Pillow turns TIFF files by itself while it loads them, and says their upright size from the start.
            turned = image.format != "TIFF" and image.getexif().get(_ORIENTATION) in _SIDEWAYS
            return Measured(*((width, height) if turned else (height, width)), grey=image.mode in _GREY_MODES)
    except UnreadablePicture:
        raise
    except _DAMAGES as error:
        raise UnreadablePicture(f"it is damaged: {error}") from error


@cache
def _known_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this build of Pillow has."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _opened(file: bytes | str | Path) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=_known_formats())
    except UnidentifiedImageError as error:
        raise UnreadablePicture("it is no picture of a format that is read", foreign=True) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise UnreadablePicture(f"it has {width} x {height} pixels; at most {MAX_PIXELS} are decoded")
    return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """The same picture as L, LA, RGB, RGBA, CMYK or LAB."""
    match image.mode:
        case "L" | "RGB" if "transparency" in image.info:
            return image.convert("LA" if image.mode == "L" else "RGBA")
        case "L" | "LA" | "RGB" | "RGBA" | "CMYK" | "LAB":
            return image
        case "1" | "La":
            return image.convert("LA" if image.mode == "La" or "transparency" in image.info else "L")
        case "P" | "PA" | "RGBa":
            clear = image.mode != "P" or image.has_transparency_data
            return image.convert("RGBA" if clear else "RGB")
        case "I" | "I;16" | "I;16B" | "I;16L" | "I;16N":
            return _upper_bits(np.asarray(image).astype(np.int64))
        case "F":
            raise UnreadablePicture("its pixels are floating point numbers, whose scale is not known")
        case _:
            return image.convert("RGB")


def _upper_bits(values: np.ndarray[Any, np.dtype[np.int64]]) -> Image.Image:
    if values.min() < 0 or values.max() > 0xFFFF:
        raise UnreadablePicture("its pixels have 32 bits, whose scale is not known")
    return Image.fromarray((values >> 8).astype(np.uint8))


def _in_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """The same picture as L, LA, RGB or RGBA in sRGB."""
    bands = image.convert(image.mode[:-1]) if image.mode in _WITH_ALPHA else image
    if bands.mode == "LAB":
        source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    elif profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
            notes.append(UNREADABLE_PROFILE)
            return image if bands.mode != "CMYK" else image.convert("RGB")
    else:
        return image if bands.mode != "CMYK" else image.convert("RGB")
    converted = _converted(bands, source)
    if image.mode in _WITH_ALPHA:
        converted.putalpha(image.getchannel("A"))
    return converted


def _converted(bands: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    space = source.profile.xcolor_space.strip().upper()
    is_srgb = space == "RGB" and (source.profile.profile_description or "").startswith("sRGB")
    if is_srgb or _SPACES[bands.mode] != space:  # a profile of other pixels than these says nothing of them
        return bands.convert("RGB") if bands.mode == "CMYK" else bands.copy()
    target = ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(bands, source, target, outputMode="RGB")
    if converted is None:
        raise UnreadablePicture("its colours cannot be converted to sRGB")
    return converted.convert("L") if bands.mode == "L" else converted


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode == "RGBA":
        return image.convert("RGBA")
    if image.mode in _WITH_ALPHA:
        bands = image.convert(image.mode[:-1])
        over = Image.new(bands.mode, bands.size, (BACKGROUND,) * len(bands.getbands()))
        image = Image.composite(bands, over, image.getchannel("A"))
    return image.convert(mode)
