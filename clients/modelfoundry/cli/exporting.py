"""Exports as folders, the same for modules, models and compositions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.rendering.export_text import export_lines
from modelfoundry.cli.rendering.progress import transfer_bar
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session
from modelfoundry.values.exports import ExportFormat
from modelfoundry.values.file_forms import Compute, WeightFormat

if TYPE_CHECKING:
    from modelfoundry.client import Export


class FolderFormat(StrEnum):
    """How a folder is laid out: as the Hub keeps models, or the files of one format."""

    HUB = "hub"
    SAFETENSORS = "safetensors"
    TORCH_EXPORT = "torch_export"
    ONNX = "onnx"


FolderArgument = Annotated[Path, typer.Argument(help="A folder that is not there yet, or empty.")]
FolderFormatOption = Annotated[
    FolderFormat,
    typer.Option(
        "--format", help="What is in the folder: all that the Hugging Face Hub keeps, or files of one format."
    ),
]


@dataclass(frozen=True, slots=True)
class Form:
    """What was said of the files besides their format."""

    compact: bool = False
    weights: WeightFormat | None = None
    compute: Compute | None = None
    dataset: str = ""


def export_folder(
    session: Session,
    collection: str,
    subject: str,
    folder: Path,
    format: FolderFormat,  # noqa: A002
    form: Form,
) -> None:
    """Writes the folder and says what is in it.

    Args:
        session: Project and services.
        collection: `modules`, `models` or `compositions`.
        subject: Id or name in it.
        folder: Not there yet, or empty.
        format: What goes into it.
        form: Of the files.
    """
    from modelfoundry.values.references import full_name

    name = full_name(subject, collection, session.parent)
    export: Export | None = None
    said = {"weights": form.weights, "compute": form.compute, "dataset": form.dataset or None}
    with session.client() as client, transfer_bar(f"exporting {subject}") as show:
        if format is FolderFormat.HUB:
            client.hub.export(name, folder, compact=form.compact, on_progress=show, **said)
        else:
            export = client.hub.export_files(
                name, folder, ExportFormat(format), compact=form.compact, on_progress=show, **said
            )
    files = sorted(folder.iterdir())
    lines = [*map(str, files), *([] if export is None else export_lines(export))]
    session.answer({"folder": folder, "files": files, "export": export}, lambda: print_line("\n".join(lines)))
