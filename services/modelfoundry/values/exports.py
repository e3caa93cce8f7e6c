"""Files that run elsewhere: the formats that there are, and what an export gives."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modelfoundry.errors import InvalidField
from modelfoundry.values.file_forms import Compute, ExportForm, WeightFormat
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatFacts:
    """What is to be known of a format without writing it. Who writes it: `reuser.exporting.formats`."""

    format: ExportFormat
    suffix: str
    """Of the file with the program or weights."""
    media_type: str
    """Of the same file."""
    weights: tuple[WeightFormat, ...] = (WeightFormat.FP32,)
    """How files of the format may keep their weights."""
    compute: tuple[Compute, ...] = (Compute.FP32,)
    """What they may compute with."""
    other_words: tuple[str, ...] = ()
    """What it may be called besides: `torch` was the command line's word once."""


EXPORT_FORMATS: Final = (
    FormatFacts(
        format=ExportFormat.SAFETENSORS,
        suffix=".safetensors",
        media_type="application/vnd.safetensors",
        weights=(WeightFormat.FP32, WeightFormat.FP16),
    ),
    FormatFacts(
        format=ExportFormat.TORCH_EXPORT,
        suffix=".pt2",
        media_type="application/vnd.pytorch.export",
        other_words=("torch",),
    ),
    FormatFacts(
        format=ExportFormat.ONNX,
        suffix=".onnx",
        media_type="application/vnd.onnx",
        weights=tuple(WeightFormat),
        compute=tuple(Compute),
    ),
)
DESCRIPTION_MEDIA_TYPE: Final = "application/json"
"""Of `module.json`, which lies beside every program."""


def format_of_suffix(suffix: str) -> ExportFormat | None:
    """The format that a file says by its suffix, in any case; None: it says none."""
    return next((facts.format for facts in EXPORT_FORMATS if facts.suffix == suffix.lower()), None)


def form_of(export_format: ExportFormat, weights: WeightFormat | None, compute: Compute | None) -> ExportForm:
    """What was asked for, where it goes together.

    Args:
        export_format: The format of the files.
        weights: None: int8 where int8 is computed with, else fp32.
        compute: None: fp32.

    Raises:
        InvalidField: the format has no such files, or weights of another kind were to be computed with in int8.
    """
    facts = next(facts for facts in EXPORT_FORMATS if facts.format is export_format)
    compute = compute or Compute.FP32
    if compute not in facts.compute:
        raise _misfit(
            "compute", compute, export_format, [each.format for each in EXPORT_FORMATS if compute in each.compute]
        )
    if compute is Compute.INT8:
        if weights not in {None, WeightFormat.INT8}:
            raise InvalidField(
                f"weights: a file that computes in int8 keeps its weights in int8, not in {weights}",
                field="weights",
                hint="leave weights out, or compute in fp32",
            )
        return ExportForm(weights=WeightFormat.INT8, compute=compute)
    weights = weights or WeightFormat.FP32
    if weights not in facts.weights:
        raise _misfit(
            "weights", weights, export_format, [each.format for each in EXPORT_FORMATS if weights in each.weights]
        )
    return ExportForm(weights=weights, compute=compute)


def _misfit(field: str, asked: StrEnum, export_format: ExportFormat, fitting: list[ExportFormat]) -> InvalidField:
    return InvalidField(
        f"{field}: files of the format {export_format} have no {field} {asked}",
        field=field,
        hint=f"export as {' or '.join(fitting)}, or leave {field} out",
    )


def media_type_of(suffix: str) -> str:
    """Media type of a file of an export."""
    return next((facts.media_type for facts in EXPORT_FORMATS if facts.suffix == suffix), DESCRIPTION_MEDIA_TYPE)


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """One file of an export: its name, for example `model.onnx`, and its bytes."""

    path: str
    content: BlobRef


@dataclass(frozen=True, slots=True)
class FileLatency:
    """CPU milliseconds of one pass of a file, and of the float32 file beside it: medians, on one thread."""

    batch_size: int
    median_ms: float
    median_ms_fp32: float

    @property
    def speedup(self) -> float:
        """How many times as fast as float32."""
        return self.median_ms_fp32 / self.median_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportMeasurement:
    """A file beside the float32 network that it was made of, on the same validation images. Shares lie in [0, 1].

    `agreement` is the share that both answer alike; `calibration_samples` is the number of training images that int8
    was calibrated on; `latencies` are of ONNX files, and of the machine that wrote them.
    """

    dataset: str
    split: str
    sample_count: int
    accuracy_fp32: float
    accuracy: float
    agreement: float
    calibration_samples: int = 0
    latencies: tuple[FileLatency, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Result of an export.

    `max_difference` is the largest absolute difference between the exported program's outputs and PyTorch's on random
    images; `compact` says whether dead channels were removed; `measured` is None for files that are float32 in both,
    and where there was no data set.
    """

    subject: str
    format: ExportFormat
    files: tuple[ExportedFile, ...]
    max_difference: float
    compact: bool = False
    weights: WeightFormat = WeightFormat.FP32
    compute: Compute = Compute.FP32
    measured: ExportMeasurement | None = None
