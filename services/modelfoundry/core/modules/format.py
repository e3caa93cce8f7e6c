"""The module file, versions 1 and 2: one safetensors file with packed masks and the head.

    tensor `masks`        U8 [bytes]: a zstd frame of the bits of all masks in the order of `layout`, eight a byte, the
                          first bit highest, zeros at the end
    tensor `head.weight`  F32 [outputs, labels of the base model]
    tensor `head.bias`    F32 [outputs]
    metadata              `format` = modelfoundry.module, `format_version` = 1, `base_digest`, `problem` (JSON),
                          `layout` (JSON list of [parameter name, shape] in the order of the network), `algorithm`

Version 2 is version 1 with a head of two layers or more, each the linear layer behind a ReLU of what comes before:

    tensors `head.{i}.weight`, `head.{i}.bias`    F32 [outputs, inputs] and [outputs] of the layers, i from 0

Equal artifacts have equal bytes under one version of zstd; a head of one layer is always written as version 1.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

import numpy as np
import safetensors
import torch
import zstandard

from modelfoundry.core.heads import HeadLayer, LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules.artifact import ModuleArtifact, problem_from_json, problem_to_json
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import MalformedFile
from modelfoundry.names import DIGEST, shortened

FORMAT: Final = "modelfoundry.module"
FORMAT_VERSION: Final = "1"
DEEP_HEAD_VERSION: Final = "2"
MAX_MASK_ENTRIES: Final = 2**31
"""More than any network of the builders has; bounds the memory that a hostile file can ask for."""

# Measured on masks of VGG16 (15.2 M entries, 10 % kept): 0.93 MB in 0.9 s, against 0.96 MB in 7 ms at level 1 and
# 1.03 MB at the levels between. A search takes minutes and the bytes stay.
_ZSTD_LEVEL: Final = 19
_VERSIONS: Final = (FORMAT_VERSION, DEEP_HEAD_VERSION)
_METADATA: Final = ("format", "format_version", "base_digest", "problem", "layout", "algorithm")
_HINT: Final = "the file is damaged or no module; download it again, or decompose the model again"

Layout = list[tuple[str, tuple[int, ...]]]


def write_module(path: Path, artifact: ModuleArtifact) -> None:
    """Writes a module file; equal artifacts give equal bytes."""
    compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True, write_content_size=True)
    frame = compressor.compress(artifact.masks.packed())
    write_tensors(
        path,
        {
            "masks": torch.from_numpy(np.frombuffer(frame, dtype=np.uint8).copy()),
            **_head_tensors(artifact.head),
        },
        {
            "format": FORMAT,
            "format_version": FORMAT_VERSION if len(artifact.head.layers) == 1 else DEEP_HEAD_VERSION,
            "base_digest": artifact.base_digest,
            "problem": problem_to_json(artifact.problem),
            "layout": json.dumps(artifact.masks.layout, separators=(",", ":"), ensure_ascii=False),
            "algorithm": artifact.algorithm,
        },
    )


def read_module(path: Path) -> ModuleArtifact:
    """Reads a module file and checks everything that can be checked without its base model.

    Raises:
        MalformedFile: it is no module file, of a newer version, or damaged. What is wrong stands in the message.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = _checked_metadata(file.metadata() or {})
            names = _checked_names(file.keys(), metadata["format_version"])
            tensors = {name: file.get_tensor(name).clone() for name in names}
        return ModuleArtifact(
            base_digest=metadata["base_digest"],
            problem=problem_from_json(metadata["problem"]),
            masks=_unpacked(tensors["masks"], _layout(metadata["layout"])),
            head=_head(tensors),
            algorithm=metadata["algorithm"],
        )
    except safetensors.SafetensorError as error:
        raise MalformedFile(f"no whole safetensors file: {error}", hint=_HINT) from error
    except (ValueError, RecursionError) as error:
        raise MalformedFile(f"no module file: {error}", hint=_HINT) from error


def _head_tensors(head: LinearHead) -> dict[str, torch.Tensor]:
    if len(head.layers) == 1:
        return {"head.weight": head.layers[0].weight, "head.bias": head.layers[0].bias}
    return {
        f"head.{place}.{part}": value
        for place, layer in enumerate(head.layers)
        for part, value in (("weight", layer.weight), ("bias", layer.bias))
    }


def _checked_names(found: Sequence[str], version: str) -> frozenset[str]:
    """Names of the tensors, which are those of the version."""
    if version == FORMAT_VERSION:
        expected = {"masks", "head.weight", "head.bias"}
    else:
        depth = max(2, (len(found) - 1) // 2)
        expected = {"masks"} | {f"head.{place}.{part}" for place in range(depth) for part in ("weight", "bias")}
    if set(found) != expected:
        _refuse(f"its tensors are {shortened(', '.join(sorted(found)))}, not {shortened(', '.join(sorted(expected)))}")
    return frozenset(expected)


def _head(tensors: Mapping[str, torch.Tensor]) -> LinearHead:
    if "head.weight" in tensors:
        return LinearHead.of(tensors["head.weight"], tensors["head.bias"])
    return LinearHead(
        tuple(
            HeadLayer(tensors[f"head.{place}.weight"], tensors[f"head.{place}.bias"])
            for place in range(len(tensors) // 2)
        )
    )


def _checked_metadata(metadata: Mapping[str, str]) -> Mapping[str, str]:
    missing = [key for key in _METADATA if key not in metadata]
    if missing or metadata["format"] != FORMAT:
        _refuse(f"its metadata lacks {', '.join(missing)}" if missing else f"its format is not {FORMAT}")
    if metadata["format_version"] not in _VERSIONS:
        raise MalformedFile(
            f"module file, version {shortened(metadata['format_version'], 20)}, this program reads "
            f"{' and '.join(_VERSIONS)}",
            hint="use the version of ModelFoundry that wrote it, or a newer one",
        )
    if not DIGEST.fullmatch(metadata["base_digest"]):
        _refuse(f"its base digest {shortened(metadata['base_digest'])!r} is none")
    return metadata


def _layout(text: str) -> Layout:
    entries: Any = json.loads(text)
    match entries:
        case [*_] if entries and all(_is_entry(entry) for entry in entries):
            layout = [(name, tuple(shape)) for name, shape in entries]
        case _:
            _refuse("its layout is no list of parameter names and shapes")
    if len({name for name, _ in layout}) != len(layout):
        _refuse("its layout names a parameter twice")
    if sum(math.prod(shape) for _, shape in layout) > MAX_MASK_ENTRIES:
        _refuse(f"its layout has more than {MAX_MASK_ENTRIES} mask entries")
    return layout


def _is_entry(entry: Any) -> bool:
    match entry:
        case [str(), [*shape]]:
            return len(shape) <= 8 and all(type(extent) is int and 0 < extent <= MAX_MASK_ENTRIES for extent in shape)
    return False


def _unpacked(frame: torch.Tensor, layout: Layout) -> WeightMasks:
    if frame.dtype != torch.uint8 or frame.dim() != 1:
        _refuse(f"its masks are {frame.dtype} of {frame.dim()} dimensions, not U8 of one")
    expected = (sum(math.prod(shape) for _, shape in layout) + 7) // 8
    data = frame.numpy().tobytes()
    try:
        stated = zstandard.frame_content_size(data)
        if stated != expected:  # before decompressing: the frame may state terabytes
            _refuse(f"its masks have {stated} bytes, its layout needs {expected}")
        packed = zstandard.ZstdDecompressor().decompress(data, max_output_size=expected, allow_extra_data=False)
    except zstandard.ZstdError as error:
        _refuse(f"its masks are no whole zstd frame ({error})")
    return WeightMasks.from_packed(packed, layout)


def _refuse(what: str) -> NoReturn:
    raise MalformedFile(f"no module file: {what}", hint=_HINT)
