"""`modelfoundry module ...`: parts of models in the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.commands.alias import alias_commands
from modelfoundry.cli.completion import complete_modules
from modelfoundry.cli.exporting import FolderArgument, FolderFormat, FolderFormatOption, Form, export_folder
from modelfoundry.cli.measuring import measured_of
from modelfoundry.cli.options import (
    CalibrationDatasetOption,
    CascadeOption,
    CompactOption,
    ComputeOption,
    FilterOption,
    FormatOption,
    ModuleArgument,
    OrderOption,
    WeightsOption,
    YesOption,
)
from modelfoundry.cli.removing import remove_all, remove_cascading
from modelfoundry.cli.rendering.json_output import as_plain, print_json
from modelfoundry.cli.rendering.module_table import module_facts, print_modules
from modelfoundry.cli.rendering.progress import transfer_bar
from modelfoundry.cli.rendering.statement_text import statement_text
from modelfoundry.cli.rendering.tables import print_facts, print_line
from modelfoundry.cli.session import Session
from modelfoundry.values.exports import ExportFormat
from modelfoundry.values.kinds import Kind

STATEMENT_FILE: Final = "statement.dsse.json"

app = typer.Typer(help="Modules: parts of models in the registry.")
app.add_typer(alias_commands(Kind.MODULE), name="alias")


@command(app, "list")
def list_modules(session: Session, filter: FilterOption = "", order_by: OrderOption = "") -> None:  # noqa: A002
    """List modules, newest first, with what the test split says of those that were evaluated."""
    with session.client() as client:
        modules = list(client.modules.list(filter, order_by))
        measured = measured_of(client, [module.name for module in modules])
    value = [as_plain(module) | {"measured": measured.get(module.name)} for module in modules]
    session.answer(value, lambda: print_modules(modules, session.parent, measured))


@command(app, "show")
def show(session: Session, module: ModuleArgument) -> None:
    """Show everything about a module: what it tells apart, how it was made, what was measured."""
    with session.client() as client:
        found = client.modules.get(module)
        if session.as_json:
            print_json(found)
            return
        evaluations = list(client.evaluations.list(f'subject = "{found.name}"'))
        statement, limits = client.statements.get(found), client.cards.get(found).limits
    facts = module_facts(found, evaluations, session.parent, limits)
    print_facts([*facts, ("statement", statement_text(statement))])


@command(app, "download")
def download(
    session: Session,
    *,
    module: ModuleArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files; it is made.")] = Path(),
    format: FormatOption = None,  # noqa: A002
    compact: CompactOption = False,
    weights: WeightsOption = None,
    compute: ComputeOption = None,
    dataset: CalibrationDatasetOption = "",
    statement: Annotated[
        bool, typer.Option("--statement", help=f"Also save what was signed about it, as {STATEMENT_FILE}.")
    ] = False,
) -> None:
    """Take a module home: masked weights and head as safetensors, a torch.export program, or ONNX."""
    with session.client() as client, transfer_bar(f"downloading {module}") as show_bytes:
        files = client.modules.download(
            module,
            output,
            format or ExportFormat.SAFETENSORS,
            compact=compact,
            weights=weights,
            compute=compute,
            dataset=dataset or None,
            on_progress=show_bytes,
        )
        if statement:
            files = (*files, client.statements.save(module, output / STATEMENT_FILE))
    session.answer({"files": files}, lambda: print_line("\n".join(map(str, files))))


@command(app, "export")
def export(
    session: Session,
    *,
    module: ModuleArgument,
    folder: FolderArgument,
    format: FolderFormatOption = FolderFormat.HUB,  # noqa: A002
    compact: CompactOption = False,
    weights: WeightsOption = None,
    compute: ComputeOption = None,
    dataset: CalibrationDatasetOption = "",
) -> None:
    """Write a module as a folder that can be published, with an example that runs, or as files of one format.

    With --weights or --compute the files are smaller, or faster; how they answer is measured on validation data.
    """
    form = Form(compact, weights, compute, dataset)
    export_folder(session, Kind.MODULE, module, folder, format, form)


@command(app, "rm")
def remove(
    session: Session,
    modules: Annotated[list[str], typer.Argument(help="Modules: ids or names.", autocompletion=complete_modules)],
    *,
    cascade: CascadeOption = False,
    yes: YesOption = False,
) -> None:
    """Remove modules with their evaluations. One that others use is refused, unless --cascade removes them too."""
    with session.client() as client:
        if cascade:
            remove_cascading(session, client, Kind.MODULE, modules, client.modules.delete, yes=yes)
        else:
            remove_all(session, modules, client.modules.delete)
