"""Models, modules and compositions as files that run elsewhere: safetensors, `torch.export` programs and ONNX."""

from modelfoundry.core.export.programs import export_onnx, export_torch
from modelfoundry.core.export.subject import (
    CompositionSubject,
    Export,
    Exportable,
    ExportedFile,
    ExportSubject,
    classifier_of,
)
from modelfoundry.core.export.tensors import export_safetensors, load_exported
from modelfoundry.core.export.verification import max_difference
from modelfoundry.core.exported import ImageClassifier

__all__ = [
    "CompositionSubject",
    "Export",
    "ExportSubject",
    "Exportable",
    "ExportedFile",
    "ImageClassifier",
    "classifier_of",
    "export_onnx",
    "export_safetensors",
    "export_torch",
    "load_exported",
    "max_difference",
]
