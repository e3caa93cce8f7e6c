"""Options that several commands have, declared once."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfoundry.cli.completion import (
    complete_compositions,
    complete_datasets,
    complete_jobs,
    complete_models,
    complete_modules,
)
from modelfoundry.values.computing import Device
from modelfoundry.values.exports import ExportFormat
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.recipes import Augmentation


def _export_format(word: str) -> ExportFormat:
    try:
        return ExportFormat(word)
    except ValueError:
        raise typer.BadParameter(f"{word!r} is not one of {', '.join(map(repr, map(str, ExportFormat)))}.") from None


ModelArgument = Annotated[
    str, typer.Argument(help="A model: id, name, FAMILY@ALIAS or FAMILY@3.", autocompletion=complete_models)
]
ModuleArgument = Annotated[
    str, typer.Argument(help="A module: id, name, FAMILY@ALIAS or FAMILY@3.", autocompletion=complete_modules)
]
CompositionArgument = Annotated[
    str, typer.Argument(help="A composition: id, name, FAMILY@ALIAS or FAMILY@3.", autocompletion=complete_compositions)
]
DatasetArgument = Annotated[str, typer.Argument(help="A data set: id or name.", autocompletion=complete_datasets)]
JobArgument = Annotated[str, typer.Argument(help="A job: id or name.", autocompletion=complete_jobs)]

DatasetOption = Annotated[
    str,
    typer.Option(
        "--dataset", "--data", help="Labelled images: a data set's id or name.", autocompletion=complete_datasets
    ),
]
FilterOption = Annotated[str, typer.Option("--filter", help='For example: labels:"horse" AND tags.team = "vision".')]
OrderOption = Annotated[str, typer.Option("--order-by", help="For example: display_name, create_time desc.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]
DeviceOption = Annotated[Device, typer.Option("--device", help="Where to compute.")]
FractionOption = Annotated[
    float, typer.Option("--validation-fraction", help="Share of the training data to choose on.", min=0.0, max=0.5)
]
CalibrationOption = Annotated[
    str,
    typer.Option(
        "--calibration",
        metavar="SPLIT",
        help="A split of images that the model did not train on, never test: thresholds are fitted, epochs chosen and "
        "validation figures measured there, not on a share of the training data.",
    ),
]
FormatOption = Annotated[
    ExportFormat | None,
    typer.Option(
        "--format",
        help="How files are written. Left out: as the file of -o is called, else safetensors.",
        parser=_export_format,
        metavar=f"[{'|'.join(ExportFormat)}]",
        autocompletion=lambda: list(ExportFormat),
    ),
]
CompactOption = Annotated[
    bool, typer.Option("--compact", help="Without dead channels: smaller and faster, with the same outputs.")
]
WeightsOption = Annotated[
    WeightFormat | None,
    typer.Option(
        "--weights", help="How files keep their weights: fp16 for safetensors and ONNX, int8 for ONNX. Left out: fp32."
    ),
]
ComputeOption = Annotated[
    Compute | None,
    typer.Option("--compute", help="What files compute with: int8 for ONNX, calibrated on training images."),
]
CalibrationDatasetOption = Annotated[
    str,
    typer.Option(
        "--dataset",
        "--data",
        help="Data set to calibrate int8 on, and to measure the file on. Left out: the one that it was made with.",
        autocompletion=complete_datasets,
    ),
]
DetachOption = Annotated[bool, typer.Option("--detach", help="Start the job, print its name, and do not wait.")]
NameOption = Annotated[str, typer.Option("--name", help="Id of what is made. Empty: one is made up.")]
DisplayNameOption = Annotated[str, typer.Option("--display-name", help="What people see.")]
DescriptionOption = Annotated[str, typer.Option("--description", help="Markdown.")]
LicenseOption = Annotated[str, typer.Option("--license", help="SPDX licence expression, for example BSD-2-Clause.")]
TagOption = Annotated[list[str] | None, typer.Option("--tag", help="KEY=VALUE for searching. Repeatable.")]
ParameterOption = Annotated[
    list[str] | None, typer.Option("--parameter", help="KEY=VALUE for the architecture's builder. Repeatable.")
]
LabelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        help="Labels in order: horse,cow. Those with commas in them in double quotes: '\"tench, Tinca tinca\",cow'. "
        "Or a list in JSON. Repeatable.",
    ),
]
EpochsOption = Annotated[int | None, typer.Option("--epochs", help="Epochs at most.")]
BatchSizeOption = Annotated[int | None, typer.Option("--batch-size", help="Samples in a batch.")]
AugmentationOption = Annotated[
    Augmentation | None, typer.Option("--augmentation", help="How training images are varied.")
]
CascadeOption = Annotated[bool, typer.Option("--cascade", help="Also remove everything that depends on it.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
EventKindOption = Annotated[
    list[str] | None,
    typer.Option("--kind", help="Only created, updated, evaluated, aliased or deleted. Comma-separated. Repeatable."),
]
CollectionOption = Annotated[
    list[str] | None,
    typer.Option("--collection", help="Only models, datasets, modules, ... Comma-separated. Repeatable."),
]
