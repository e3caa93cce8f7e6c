"""Splits that are safetensors files already: they go as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from modelfoundry.client.sources.prepared import PreparedDataset
from modelfoundry.client.sources.splits import checked_labels, require
from modelfoundry.errors import MalformedFile
from modelfoundry.values.label_lists import labels_in

SUFFIX: Final = ".safetensors"


def recognises(path: Path) -> bool:
    """Whether this is such a file, or a folder with at least one."""
    return path.suffix == SUFFIX if path.is_file() else any(path.glob(f"*{SUFFIX}"))


def read(path: Path, folder: Path, labels: Sequence[str]) -> PreparedDataset:  # noqa: ARG001 - nothing is made
    """Checks the headers of `SPLIT.safetensors` and takes label names from their metadata.

    Names stand under `labels` or `classes`: a list in JSON, or separated by commas (`labels_in`).

    Raises:
        MalformedFile: a file has no `images` (U8, [n, c, h, w]) or `labels` (I64, [n]).
        InvalidField: no file has label names and none were given.
    """
    paths = [path] if path.is_file() else sorted(path.glob(f"*{SUFFIX}"))
    found: tuple[str, ...] = ()
    for file in paths:
        names = _checked(file)
        require(not (found and names) or names == found, file, "other label names than in the files before", "")
        found = found or names
    return PreparedDataset(checked_labels(labels, found), {file.stem: file for file in paths})


def _checked(path: Path) -> tuple[str, ...]:
    try:
        with safe_open(path, framework="np") as file:
            present = {
                name: (str(file.get_slice(name).get_dtype()), len(file.get_slice(name).get_shape()))
                for name in file.keys()  # noqa: SIM118 - it is no mapping
            }
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise MalformedFile(
            f"{path} is not a whole safetensors file: {error}", field="source", hint="copy the file again"
        ) from error
    for name, wanted in (("images", ("U8", 4)), ("labels", ("I64", 1))):
        require(
            present.get(name) == wanted,
            path,
            f"no tensor `{name}` of type {wanted[0]} with {wanted[1]} dimensions",
            "save uint8 `images` [n, channels, height, width] and int64 `labels` [n]",
        )
    return labels_in(metadata.get("labels") or metadata.get("classes") or "")
