"""Files that run elsewhere: the formats that there are, and what an export gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modelfoundry.values.resources import BlobRef


class ExportFormat(StrEnum):
    """How an export is written. The docstring of `export` says which files each gives."""

    SAFETENSORS = "safetensors"
    TORCH_EXPORT = "torch_export"
    ONNX = "onnx"

    @classmethod
    def _missing_(cls, value: object) -> ExportFormat | None:
        """The format that has another word too."""
        return next((facts.format for facts in EXPORT_FORMATS if value in facts.other_words), None)


class WeightFormat(StrEnum):
    """How an export keeps its weights. Whatever it keeps them as, it computes as `Compute` says."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


class Compute(StrEnum):
    """What an export computes with. int8: weights and activations, calibrated on training images."""

    FP32 = "fp32"
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatFacts:
    """What is to be known of a format without writing it. Who writes it: `reuser.exporting.formats`."""

    format: ExportFormat
    suffix: str
    """Of the file with the program or weights."""
    media_type: str
    """Of the same file."""
    other_words: tuple[str, ...] = ()
    """What it may be called besides: `torch` was the command line's word once."""


EXPORT_FORMATS: Final = (
    FormatFacts(format=ExportFormat.SAFETENSORS, suffix=".safetensors", media_type="application/vnd.safetensors"),
    FormatFacts(
        format=ExportFormat.TORCH_EXPORT,
        suffix=".pt2",
        media_type="application/vnd.pytorch.export",
        other_words=("torch",),
    ),
    FormatFacts(format=ExportFormat.ONNX, suffix=".onnx", media_type="application/vnd.onnx"),
)
DESCRIPTION_MEDIA_TYPE: Final = "application/json"
"""Of `module.json`, which lies beside every program."""


def format_of_suffix(suffix: str) -> ExportFormat | None:
    """The format that a file says by its suffix, in any case; None: it says none."""
    return next((facts.format for facts in EXPORT_FORMATS if facts.suffix == suffix.lower()), None)


def media_type_of(suffix: str) -> str:
    """Media type of a file of an export."""
    return next((facts.media_type for facts in EXPORT_FORMATS if facts.suffix == suffix), DESCRIPTION_MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export: its name, for example `model.onnx`, and its bytes."""

    path: str
    content: BlobRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Result of an export.

    `max_difference` is the largest absolute difference between the exported program's outputs and PyTorch's; `compact`
    says whether dead channels were removed.
    """

    subject: str
    format: ExportFormat
    files: tuple[ExportedFile, ...]
    max_difference: float
    compact: bool = False
