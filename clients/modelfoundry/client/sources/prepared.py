"""Finds out what form a data set has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """Label names in order, and a safetensors file for every split."""

    labels: tuple[str, ...]
    files: Mapping[str, Path]


def prepare_dataset(
    source: str | Path, folder: Path, labels: Sequence[str], image_size: tuple[int, int] | None
) -> PreparedDataset:
    raise NotImplementedError
