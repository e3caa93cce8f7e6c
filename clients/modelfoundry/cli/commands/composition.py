"""`modelfoundry composition ...`: classifiers joined from modules and models, in the registry."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.commands.alias import alias_commands
from modelfoundry.cli.completion import complete_compositions
from modelfoundry.cli.exporting import FolderArgument, FolderFormat, FolderFormatOption, Form, export_folder
from modelfoundry.cli.options import (
    CalibrationDatasetOption,
    CompositionArgument,
    ComputeOption,
    OrderOption,
    WeightsOption,
)
from modelfoundry.cli.removing import remove_all
from modelfoundry.cli.rendering.composition_table import print_composition, print_compositions
from modelfoundry.cli.rendering.json_output import print_json
from modelfoundry.cli.rendering.statement_text import statement_text
from modelfoundry.cli.rendering.tables import print_facts
from modelfoundry.cli.session import Session
from modelfoundry.values.kinds import Kind

app = typer.Typer(help="Compositions: classifiers joined from modules and models.")
app.add_typer(alias_commands(Kind.COMPOSITION), name="alias")


@command(app, "list")
def list_compositions(
    session: Session,
    filter: Annotated[  # noqa: A002
        str, typer.Option("--filter", help='For example: labels:"horse" AND task = "PATCH".')
    ] = "",
    order_by: OrderOption = "",
) -> None:
    """List compositions, newest first."""
    with session.client() as client:
        compositions = list(client.compositions.list(filter, order_by))
    session.answer(compositions, lambda: print_compositions(compositions, session.parent))


@command(app, "show")
def show(session: Session, composition: CompositionArgument) -> None:
    """Show everything about a composition: where every label comes from, and what it is compared with."""
    with session.client() as client:
        found = client.compositions.get(composition)
        if session.as_json:
            print_json(found)
            return
        evaluations = list(client.evaluations.list(f'subject = "{found.name}"'))
        statement = client.statements.get(found)
    print_composition(found, evaluations, session.parent)
    print_facts([("statement", statement_text(statement))])


@command(app, "export")
def export(
    session: Session,
    *,
    composition: CompositionArgument,
    folder: FolderArgument,
    format: FolderFormatOption = FolderFormat.HUB,  # noqa: A002
    compact: Annotated[
        bool, typer.Option("--compact", help="Its modules without dead channels: smaller and faster, the same outputs.")
    ] = False,
    weights: WeightsOption = None,
    compute: ComputeOption = None,
    dataset: CalibrationDatasetOption = "",
) -> None:
    """Write a composition as a folder that can be published, with an example that runs, or as files of one format.

    With --weights or --compute the files are smaller, or faster; how they answer is measured on validation data.
    """
    form = Form(compact, weights, compute, dataset)
    export_folder(session, Kind.COMPOSITION, composition, folder, format, form)


@command(app, "rm")
def remove(
    session: Session,
    compositions: Annotated[
        list[str], typer.Argument(help="Compositions: ids or names.", autocompletion=complete_compositions)
    ],
) -> None:
    """Remove compositions together with their evaluations. Their modules and models stay."""
    with session.client() as client:
        remove_all(session, compositions, client.compositions.delete)
