"""Looks through tensors without holding one in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from modelfoundry.errors import NonFiniteWeights
from modelfoundry.names import shortened
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile, Tensor, stream
from modelfoundry.registry.records.blob_reader import BlobReader

PIECE_BYTES: Final = 1024 * 1024
NAMED: Final = 10
# NaN and infinity are the values whose exponent bits are all set; (integer type of the same size, those bits).
# F8_E4M3 has no infinity, and NaN is all ones.
_NON_FINITE: Final[Mapping[str, tuple[str, int]]] = {
    "F8_E5M2": ("u1", 0x7C),
    "F8_E4M3": ("u1", 0x7F),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F32": ("<u4", 0x7F80_0000),
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "C64": ("<u4", 0x7F80_0000),
}
_BEYOND_FLOAT32: Final = 2.0**128 - 2.0**103
"""The least value that float32 rounds to infinity."""
_VARIANCE: Final = "running_var"
"""What torch calls the variance of a normalisation: its root is taken."""
_SIGN: Final[Mapping[str, tuple[str, int]]] = {
    "F16": ("<u2", 0x8000),
    "BF16": ("<u2", 0x8000),
    "F32": ("<u4", 0x8000_0000),
    "F64": ("<u8", 0x8000_0000_0000_0000),
}
"""Integer type of the same size, and the bit that is set in negative numbers and in minus zero."""


def check_finite(blobs: BlobReader, file: SafetensorsFile, *, field: str) -> None:
    """Reads the whole file in pieces and looks for NaN, for infinity, also in float32, and for variances below 0.

    Raises:
        NonFiniteWeights: there are some; the tensors are named.
        CorruptBlob: the bytes are not what their digest says.
    """
    bad: list[str] = []
    beyond: list[str] = []
    negative: list[str] = []
    for tensor, piece in _all_pieces(blobs, file):
        if _has_non_finite(tensor, piece):
            bad.append(tensor.name)
        elif _is_beyond(tensor, piece):
            beyond.append(tensor.name)
        elif tensor.name.rpartition(".")[2] == _VARIANCE and _has_negative(tensor, piece):
            negative.append(tensor.name)
    _refuse(bad, "NaN or infinity", "train the model again, or repair these tensors", field)
    _refuse(beyond, "values beyond float32", "networks compute in float32; repair these tensors", field)
    _refuse(negative, "a variance below zero", "the file is damaged or was converted wrongly; convert it again", field)


def _refuse(bad: Sequence[str], what: str, hint: str, field: str) -> None:
    names = list(dict.fromkeys(bad))
    if not names:
        return
    listed = ", ".join(shortened(name) for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    raise NonFiniteWeights(
        f"{field}: {what} in {listed}{more}",
        field=f"{field}.digest",
        hint=hint,
        metadata={"tensors": ",".join(names[:NAMED])},
    )


def count_values(
    blobs: BlobReader, file: SafetensorsFile, tensor: Tensor, bound: int
) -> tuple[Sequence[int], int | None]:
    """Counts how often 0 to `bound` - 1 occur in an I64 tensor.

    Returns:
        The counts, and the first value outside of the range, or None.
    """
    counts: NDArray[np.int64] = np.zeros(bound, dtype=np.int64)
    for piece in _Source(stream(blobs, file.digest, tensor.begin, tensor.size)).pieces(tensor.size):
        values = np.frombuffer(piece, dtype="<i8")
        outside = values[(values < 0) | (values >= bound)]
        if outside.size:
            return counts.tolist(), int(outside[0])
        counts += np.bincount(values, minlength=bound)
    return counts.tolist(), None


def _has_non_finite(tensor: Tensor, piece: bytes) -> bool:
    if tensor.dtype not in _NON_FINITE:
        return False
    integer, mask = _NON_FINITE[tensor.dtype]
    bits: NDArray[Any] = np.frombuffer(piece, dtype=integer)
    return bool(((bits & bits.dtype.type(mask)) == mask).any())


def _is_beyond(tensor: Tensor, piece: bytes) -> bool:
    """Whether finite values become infinity in float32."""
    return tensor.dtype == "F64" and bool((np.abs(np.frombuffer(piece, dtype="<f8")) >= _BEYOND_FLOAT32).any())


def _has_negative(tensor: Tensor, piece: bytes) -> bool:
    if tensor.dtype not in _SIGN:
        return False
    integer, sign = _SIGN[tensor.dtype]
    bits: NDArray[Any] = np.frombuffer(piece, dtype=integer)
    return bool((bits > bits.dtype.type(sign)).any())


def _all_pieces(blobs: BlobReader, file: SafetensorsFile) -> Iterator[tuple[Tensor, bytes]]:
    """Every tensor's bytes in pieces, from one read of the whole file: such a read is verified by the store."""
    source = _Source(stream(blobs, file.digest, 0, 0))
    for _ in source.pieces(file.data_begin):
        pass
    for tensor in file.tensors:
        for piece in source.pieces(tensor.size):
            yield tensor, piece
    source.finish()


class _Source:
    """A stream of chunks of any size, given out in pieces of PIECE_BYTES: whole elements of every type."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def pieces(self, size: int) -> Iterator[bytes]:
        """The next `size` bytes."""
        while size > 0:
            piece = self._take(min(size, PIECE_BYTES))
            size -= len(piece)
            yield piece

    def finish(self) -> None:
        """Reads to the end: the store's verdict on the whole comes with the last chunk."""
        for _ in self._chunks:
            pass

    def _take(self, size: int) -> bytes:
        parts = [self._rest]
        have = len(self._rest)
        while have < size:
            chunk = next(self._chunks)
            parts.append(chunk)
            have += len(chunk)
        joined = b"".join(parts)
        self._rest = joined[size:]
        return joined[:size]
