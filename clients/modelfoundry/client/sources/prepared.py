"""What every reader makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class PreparedDataset:
    """Label names in order, and a safetensors file for every split."""

    labels: tuple[str, ...]
    files: Mapping[str, Path]
