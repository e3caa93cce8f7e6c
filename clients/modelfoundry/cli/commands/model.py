"""`modelfoundry model ...`: trained classifiers in the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.arguments import builder_parameters, extents, input_spec, tag_map
from modelfoundry.cli.command import command
from modelfoundry.cli.commands.alias import alias_commands
from modelfoundry.cli.completion import complete_datasets, complete_models
from modelfoundry.cli.exporting import FolderArgument, FolderFormat, FolderFormatOption, Form, export_folder
from modelfoundry.cli.options import (
    CalibrationDatasetOption,
    CascadeOption,
    ComputeOption,
    DescriptionOption,
    DisplayNameOption,
    FilterOption,
    LabelsOption,
    LicenseOption,
    ModelArgument,
    NameOption,
    OrderOption,
    ParameterOption,
    TagOption,
    WeightsOption,
    YesOption,
)
from modelfoundry.cli.removing import remove_all, remove_cascading
from modelfoundry.cli.rendering.progress import transfer_bar
from modelfoundry.cli.rendering.quantities import byte_count, moment
from modelfoundry.cli.rendering.tables import Column, print_facts, print_line, print_table
from modelfoundry.cli.rendering.training_text import training_facts
from modelfoundry.cli.session import Session
from modelfoundry.errors import InvalidField
from modelfoundry.values.kinds import Kind
from modelfoundry.values.label_lists import labels_in_all

if TYPE_CHECKING:
    from modelfoundry.client import Client, InputSpec, Model

app = typer.Typer(help="Trained classifiers in the registry.")
app.add_typer(alias_commands(Kind.MODEL), name="alias")


@command(app, "push")
def push(
    session: Session,
    *,
    weights: Annotated[
        Path, typer.Argument(help="A .safetensors file, or a .th, .pth or .pt state dict, converted here.", exists=True)
    ],
    architecture: Annotated[
        str, typer.Option("--architecture", help="For example zoo:resnet20, torchvision:resnet18.")
    ],
    name: NameOption = "",
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            help="Data set that it was trained on; gives labels and image size where they are not given.",
            autocompletion=complete_datasets,
        ),
    ] = "",
    labels: LabelsOption = None,
    image: Annotated[str, typer.Option("--image", help="Channels, height and width of an image: 3x32x32.")] = "",
    mean: Annotated[str, typer.Option("--mean", help="Mean of every channel: 0.485,0.456,0.406.")] = "",
    std: Annotated[str, typer.Option("--std", help="Standard deviation of every channel: 0.229,0.224,0.225.")] = "",
    parameter: ParameterOption = None,
    display_name: DisplayNameOption = "",
    description: DescriptionOption = "",
    license: LicenseOption = "",  # noqa: A002 - the name of the option and of the field
    tag: TagOption = None,
) -> None:
    """Check weights against an architecture, upload and register them."""
    from modelfoundry.client import Architecture

    with session.client() as client:
        known, spec = _labels_and_input(client, dataset, labels_in_all(labels or []), image=image, mean=mean, std=std)
        with transfer_bar(f"uploading {weights.name}") as show:
            model = client.models.push(
                weights,
                architecture=Architecture(architecture, builder_parameters(parameter or [])),
                input=spec,
                labels=known,
                model_id=name,
                display_name=display_name,
                description=description,
                license=license,
                tags=tag_map(tag or []),
                training_dataset=dataset,
                on_progress=show,
            )
    session.answer(
        model, lambda: print_line(f"pushed {session.short(model.name)} ({byte_count(model.weights.size_bytes)})")
    )


@command(app, "list")
def list_models(session: Session, filter: FilterOption = "", order_by: OrderOption = "") -> None:  # noqa: A002
    """List models, newest first."""
    with session.client() as client:
        models = list(client.models.list(filter, order_by))
    columns = [
        Column("MODEL"),
        Column("ARCHITECTURE"),
        Column("LABELS", "right"),
        Column("SIZE", "right"),
        Column("CREATED"),
    ]
    rows = [
        (
            session.short(model.name),
            model.architecture.builder,
            str(len(model.labels)),
            byte_count(model.weights.size_bytes),
            moment(model.create_time),
        )
        for model in models
    ]
    session.answer(models, lambda: print_table(columns, rows, empty="no models"))


@command(app, "show")
def show(session: Session, model: ModelArgument) -> None:
    """Show everything about a model."""
    with session.client() as client:
        found = client.models.get(model)
    session.answer(found, lambda: print_facts(_facts(session, found)))


@command(app, "export")
def export(
    session: Session,
    *,
    model: ModelArgument,
    folder: FolderArgument,
    format: FolderFormatOption = FolderFormat.HUB,  # noqa: A002
    weights: WeightsOption = None,
    compute: ComputeOption = None,
    dataset: CalibrationDatasetOption = "",
) -> None:
    """Write a model as a folder that can be published, with an example that runs, or as files of one format.

    With --weights or --compute the files are smaller, or faster; how they answer is measured on validation data.
    """
    form = Form(False, weights, compute, dataset)
    export_folder(session, Kind.MODEL, model, folder, format, form)


@command(app, "rm")
def remove(
    session: Session,
    models: Annotated[list[str], typer.Argument(help="Models: ids or names.", autocompletion=complete_models)],
    *,
    cascade: CascadeOption = False,
    yes: YesOption = False,
) -> None:
    """Remove models. One that others depend on is refused, unless --cascade removes them too."""
    with session.client() as client:
        if cascade:
            remove_cascading(session, client, Kind.MODEL, models, client.models.delete, yes=yes)
        else:
            remove_all(session, models, client.models.delete)


def _labels_and_input(
    client: Client, dataset: str, labels: tuple[str, ...], *, image: str, mean: str, std: str
) -> tuple[tuple[str, ...], InputSpec]:
    """Labels and image size as given, else as the data set has them."""
    shape = extents(image, 3, "--image") if image else ()
    if dataset and not (labels and shape):
        known = client.datasets.get(dataset)
        labels = labels or known.labels
        shape = shape or (known.channels, known.height, known.width)
    for given, option in ((labels, "--labels"), (shape, "--image")):
        if not given:
            raise InvalidField(f"{option} is missing", field=option, hint=f"pass {option}, or --dataset that has it")
    return labels, input_spec(shape, mean, std)


def _facts(session: Session, model: Model) -> list[tuple[str, str]]:
    spec = model.input
    return [
        ("name", model.name),
        ("display name", model.display_name),
        ("architecture", " ".join([model.architecture.builder, *_assignments(model)])),
        ("image", f"{spec.channels}x{spec.height}x{spec.width}"),
        ("mean", ", ".join(map(str, spec.mean))),
        ("std", ", ".join(map(str, spec.std))),
        ("labels", ", ".join(model.labels)),
        ("weights", f"{byte_count(model.weights.size_bytes)}  {model.weights.digest}"),
        ("tensors", str(len(model.tensors))),
        ("trained on", session.short(model.training_dataset)),
        ("made by", session.short(model.operation)),
        (
            "imported from",
            " ".join([model.origin.resource or model.origin.format, model.origin.digest]) if model.origin else "",
        ),
        *training_facts(model),
        ("licence", model.license),
        ("tags", ", ".join(f"{key}={value}" for key, value in sorted(model.tags.items()))),
        ("created", moment(model.create_time)),
        ("description", model.description),
        ("intended use", model.intended_use),
    ]


def _assignments(model: Model) -> list[str]:
    return [f"{key}={value}" for key, value in model.architecture.parameters.items()]
