"""What writes each format of `modelfoundry.values.exports`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from modelfoundry.core.export import (
    Export,
    Exportable,
    ExportImages,
    export_onnx,
    export_safetensors,
    export_torch,
)
from modelfoundry.values.exports import ExportFormat
from modelfoundry.values.file_forms import ExportForm

Writer = Callable[[Exportable, Path, ExportForm, ExportImages | None], Export]
"""Writes files of a form that the format has into a folder that exists, and compares what they compute with PyTorch."""


def _program(subject: Exportable, folder: Path, _form: ExportForm, _images: ExportImages | None) -> Export:
    return export_torch(subject, folder)


WRITERS: Final[Mapping[ExportFormat, Writer]] = {
    ExportFormat.SAFETENSORS: export_safetensors,
    ExportFormat.TORCH_EXPORT: _program,
    ExportFormat.ONNX: export_onnx,
}
