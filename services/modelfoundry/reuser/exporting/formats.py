"""What writes each format of `modelfoundry.values.exports`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from modelfoundry.core.export import Export, Exportable, export_onnx, export_safetensors, export_torch
from modelfoundry.values.exports import ExportFormat

Writer = Callable[[Exportable, Path], Export]
"""Writes files into a folder that exists, and compares what they compute with PyTorch."""

WRITERS: Final[Mapping[ExportFormat, Writer]] = {
    ExportFormat.SAFETENSORS: export_safetensors,
    ExportFormat.TORCH_EXPORT: export_torch,
    ExportFormat.ONNX: export_onnx,
}
