"""`modelfoundry import`: registers what is in a folder of the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_datasets
from modelfoundry.cli.options import LabelsOption, NameOption
from modelfoundry.cli.rendering.progress import transfer_bar
from modelfoundry.cli.rendering.quantities import byte_count
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session
from modelfoundry.values.label_lists import labels_in_all


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "import")(import_folder)


def import_folder(
    session: Session,
    *,
    folder: Annotated[
        Path, typer.Argument(help="Written by `export --format hub`, or by timm: config.json and model.safetensors.")
    ],
    name: NameOption = "",
    labels: LabelsOption = None,
    dataset: Annotated[
        str, typer.Option("--dataset", help="Data set that it was trained on.", autocompletion=complete_datasets)
    ] = "",
) -> None:
    """Register the classifier in a folder as a model, with its labels, licence and description. No pickle is read."""
    with session.client() as client, transfer_bar(f"importing {folder.name}") as show:
        model = client.hub.import_folder(
            folder, model_id=name, labels=labels_in_all(labels or []), training_dataset=dataset, on_progress=show
        )
    session.answer(
        model,
        lambda: print_line(
            f"imported {session.short(model.name)}: {model.architecture.builder}, {len(model.labels)} labels "
            f"({byte_count(model.weights.size_bytes)})"
        ),
    )
