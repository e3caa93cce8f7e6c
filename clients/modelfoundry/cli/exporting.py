"""Exports as folders that can be published, the same for modules, models and compositions."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from modelfoundry.cli.rendering.progress import transfer_bar
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session


class FolderFormat(StrEnum):
    """How a folder is laid out."""

    HUB = "hub"


FolderArgument = Annotated[Path, typer.Argument(help="A folder that is not there yet, or empty.")]
FolderFormatOption = Annotated[
    FolderFormat, typer.Option("--format", help="How the folder is laid out: as the Hugging Face Hub keeps models.")
]


def export_folder(session: Session, collection: str, subject: str, folder: Path, *, compact: bool = False) -> None:
    """Writes the folder and says what is in it.

    Args:
        session: Project and services.
        collection: `modules`, `models` or `compositions`.
        subject: Id or name in it.
        folder: Not there yet, or empty.
        compact: Without dead channels.
    """
    from modelfoundry.values.references import full_name

    name = full_name(subject, collection, session.parent)
    with session.client() as client, transfer_bar(f"exporting {subject}") as show:
        written = client.hub.export(name, folder, compact=compact, on_progress=show)
    files = sorted(written.iterdir())
    session.answer({"folder": written, "files": files}, lambda: print_line("\n".join(map(str, files))))
