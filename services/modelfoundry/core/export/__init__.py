"""Models, modules and compositions as files that run elsewhere: safetensors, `torch.export` programs and ONNX."""

from modelfoundry.core.export.measuring import ExportImages
from modelfoundry.core.export.programs import export_onnx, export_torch, in_form, onnx_of
from modelfoundry.core.export.quantising import (
    CALIBRATION_IMAGES,
    DEFAULT_CALIBRATION_IMAGES,
    compute_in_int8,
)
from modelfoundry.core.export.sessions import onnx_program
from modelfoundry.core.export.slimming import slim_onnx
from modelfoundry.core.export.storing import store_weights
from modelfoundry.core.export.subject import (
    CompositionSubject,
    Export,
    Exportable,
    ExportedFile,
    ExportSubject,
    classifier_of,
)
from modelfoundry.core.export.tensors import export_safetensors, load_exported
from modelfoundry.core.export.timing import FileTimes, interleaved_onnx_latency
from modelfoundry.core.export.verification import max_difference
from modelfoundry.core.exported import ImageClassifier

__all__ = [
    "CALIBRATION_IMAGES",
    "DEFAULT_CALIBRATION_IMAGES",
    "CompositionSubject",
    "Export",
    "ExportImages",
    "ExportSubject",
    "Exportable",
    "ExportedFile",
    "FileTimes",
    "ImageClassifier",
    "classifier_of",
    "compute_in_int8",
    "export_onnx",
    "export_safetensors",
    "export_torch",
    "in_form",
    "interleaved_onnx_latency",
    "load_exported",
    "max_difference",
    "onnx_of",
    "onnx_program",
    "slim_onnx",
    "store_weights",
]
