"""Reads safetensors files from the blob store without torch, and believes nothing that their headers say.

The format: 8 bytes with the length of the header (little endian), the header as JSON, the tensors' bytes without gaps.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from modelfoundry.errors import MalformedFile
from modelfoundry.names import check_digest, shortened
from modelfoundry.registry.records.blob_reader import BlobReader, missing_blob

# The format allows 100 MB. What fits into MAX_SPEC_BYTES, and so into a message, has a header far below this.
MAX_HEADER_BYTES: Final = 16 * 1024 * 1024
MAX_SPEC_BYTES: Final = 1024 * 1024
MAX_DIMENSIONS: Final = 32
_WHOLE_HINT: Final = "save the file again and upload it whole"
_INT64_MAX: Final = 2**63 - 1
_PREFIX_BYTES: Final = 8
ELEMENT_BYTES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as the header states it."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    """First byte, counted from the start of the file."""
    size: int
    """Number of bytes."""


@dataclass(frozen=True, slots=True)
class SafetensorsFile:
    """A blob whose header was read and found right."""

    digest: str
    size: int
    tensors: tuple[Tensor, ...]
    """In the order of their bytes."""
    metadata: Mapping[str, str]
    data_begin: int

    def tensor(self, name: str) -> Tensor | None:
        """The tensor of that name, or None."""
        return next((tensor for tensor in self.tensors if tensor.name == name), None)


def open_safetensors(blobs: BlobReader, digest: str, *, field: str) -> SafetensorsFile:
    """Reads and checks the header of a blob.

    Args:
        blobs: The store.
        digest: Which blob.
        field: Path of the BlobRef in the request.

    Raises:
        InvalidField: `digest` is not a digest.
        BlobMissing: there is no such blob.
        MalformedFile: the blob is no sound safetensors file.
    """
    check_digest(digest, field=f"{field}.digest")
    blob = blobs.find(digest)
    if blob is None:
        raise missing_blob(digest, field=f"{field}.digest")
    size = blob.size_bytes
    header_size = _header_size(blobs, digest, size, field)
    text = read_bytes(blobs, digest, _PREFIX_BYTES, header_size)
    entries = _parsed(text, field)
    metadata = entries.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _malformed(field, "its __metadata__ is no map from strings to strings")
    data_begin = _PREFIX_BYTES + header_size
    tensors = [_tensor(name, entry, data_begin, field) for name, entry in entries.items()]
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.size))
    _check_layout(tensors, data_begin, size, field)
    return SafetensorsFile(digest, size, tuple(tensors), metadata, data_begin)


def read_bytes(blobs: BlobReader, digest: str, offset: int, size: int) -> bytes:
    """Reads `size` bytes; only for sizes that fit in memory."""
    return b"".join(stream(blobs, digest, offset, size)) if size else b""


def stream(blobs: BlobReader, digest: str, offset: int, size: int) -> Generator[bytes]:
    """Yields `size` bytes from `offset` on, 0 for all, and closes the store's stream also when left early."""
    with closing(blobs.read(digest, offset, size)) as chunks:
        yield from chunks


def _header_size(blobs: BlobReader, digest: str, size: int, field: str) -> int:
    start = read_bytes(blobs, digest, 0, min(size, _PREFIX_BYTES + 1)) if size else b""
    length = int.from_bytes(start[:_PREFIX_BYTES], "little")
    looks_right = len(start) > _PREFIX_BYTES and start[_PREFIX_BYTES] == ord("{")
    # A header of 640 bytes begins like a pickle, so the beginning alone decides only when the rest is wrong, too.
    if start.startswith((b"PK\x03\x04", b"\x80")) and not (looks_right and length <= size - _PREFIX_BYTES):
        raise _malformed(
            field,
            "it is a pickle (what torch.save writes), never loaded here because loading one can run anybody's code",
            hint="convert it to safetensors: `modelfoundry model push FILE.pth` does that on your own machine",
        )
    if not looks_right:
        raise _malformed(field, f"it has {size} bytes and does not begin like one")
    if length > MAX_HEADER_BYTES:
        raise _malformed(field, f"its header would be {length} bytes long, more than {MAX_HEADER_BYTES}")
    if length > size - _PREFIX_BYTES:
        raise _malformed(field, f"it is truncated: a header of {length} bytes in a file of {size}", hint=_WHOLE_HINT)
    return length


def _parsed(text: bytes, field: str) -> dict[str, Any]:
    def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) != len(pairs):
            double, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise _malformed(field, f"its header has {shortened(double)!r} twice")
        return entries

    try:
        entries = json.loads(text, object_pairs_hook=without_doubles)
    except (ValueError, RecursionError):
        raise _malformed(field, "its header is not JSON") from None
    if not isinstance(entries, dict):
        raise _malformed(field, "its header is not a JSON object")
    return entries


def _tensor(name: str, entry: object, data_begin: int, field: str) -> Tensor:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
            pass
        case _:
            raise _malformed(field, f"its header says no type, shape and offsets of tensor {shortened(name)!r}")
    if dtype not in ELEMENT_BYTES:
        raise _malformed(field, f"tensor {shortened(name)!r} has the unknown type {shortened(dtype)!r}")
    if len(shape) > MAX_DIMENSIONS or not all(type(extent) is int and 0 <= extent <= _INT64_MAX for extent in shape):
        raise _malformed(field, f"tensor {shortened(name)!r} has the impossible shape {shortened(str(shape))}")
    size = ELEMENT_BYTES[dtype] * math.prod(extent or 1 for extent in shape)
    if size > _INT64_MAX:
        raise _malformed(field, f"tensor {shortened(name)!r} has the shape {shortened(str(shape))}, which overflows")
    size = 0 if 0 in shape else size
    if begin < 0 or end - begin != size:
        raise _malformed(field, f"tensor {shortened(name)!r} needs {size} bytes, its offsets are [{begin}, {end}]")
    return Tensor(name, dtype, tuple(shape), data_begin + begin, size)


def _check_layout(tensors: list[Tensor], data_begin: int, size: int, field: str) -> None:
    if sum(len(tensor.name.encode()) + 8 + 8 * len(tensor.shape) for tensor in tensors) > MAX_SPEC_BYTES:
        raise _malformed(field, f"names and shapes of its {len(tensors)} tensors take more than {MAX_SPEC_BYTES} bytes")
    if not tensors:
        raise _malformed(field, "it holds no tensors")
    if tensors[0].begin != data_begin:
        raise _malformed(field, f"its first tensor {shortened(tensors[0].name)!r} does not begin behind the header")
    for before, tensor in pairwise(tensors):
        if tensor.begin != before.begin + before.size:
            raise _malformed(
                field, f"tensors {shortened(before.name)!r} and {shortened(tensor.name)!r} overlap or leave a gap"
            )
    end = tensors[-1].begin + tensors[-1].size
    if end > size:
        raise _malformed(field, f"it is truncated: its tensors end at byte {end}, the file at {size}", hint=_WHOLE_HINT)
    if end < size:
        raise _malformed(field, f"{size - end} bytes follow its last tensor")


def _malformed(field: str, what: str, *, hint: str = "write it with the safetensors library") -> MalformedFile:
    return MalformedFile(f"{field} is no usable safetensors file: {what}", field=f"{field}.digest", hint=hint)
