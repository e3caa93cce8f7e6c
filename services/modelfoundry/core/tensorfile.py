"""Safetensors files whose bytes depend on their content alone, so that equal content has an equal digest.

The library orders metadata by a hash that differs from process to process; here keys are sorted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch

_DTYPES: Final = {
    torch.int64: "I64",
    torch.float64: "F64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""In the order in which the library stores tensors: widest first, so that all stay aligned."""
_ORDER: Final = tuple(_DTYPES)


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors one after another; without metadata the bytes are those that the safetensors library writes.

    Args:
        path: The file; replaced as a whole when it exists.
        tensors: Tensors by name, on any device.
        metadata: Text by key.
    """
    ordered = sorted(tensors.items(), key=lambda entry: (_ORDER.index(entry[1].dtype), entry[0]))
    header: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))} if metadata else {}
    offset = 0
    for name, tensor in ordered:
        end = offset + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    encoded = json.dumps(header, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    encoded += b" " * (-len(encoded) % 8)
    # Never truncated in place: the tensors, or another process, may have the old file mapped into memory.
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        file.write(len(encoded).to_bytes(8, "little") + encoded)
        for _, tensor in ordered:
            file.write(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    part.replace(path)
