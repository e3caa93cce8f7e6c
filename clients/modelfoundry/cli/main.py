"""Joins the command groups to the `modelfoundry` command."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any, Final

import typer

from modelfoundry.cli.commands import (
    card,
    compact,
    compose,
    composition,
    dataset,
    decompose,
    demo,
    doctor,
    evaluate,
    evaluation,
    events,
    gc,
    get,
    import_folder,
    job,
    lineage,
    model,
    module,
    own_commands,
    predict,
    registry,
    search,
    train,
    up,
    verify,
    vocabulary,
    webhook,
)
from modelfoundry.cli.exit_codes import ExitCode, explanation
from modelfoundry.cli.rendering.failures import one_line, print_lines

USAGE_ERROR: Final[Any] = typer.BadParameter.__base__  # typer names this class only through its subclass

app = typer.Typer(
    name="modelfoundry",
    help="Takes trained classifiers apart into modules and makes the modules reusable.",
    epilog=f"Exit codes: {explanation()}.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"modelfoundry {version('modelfoundry')}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Takes trained classifiers apart into modules and makes the modules reusable."""
    if context.invoked_subcommand is None:
        sys.stdout.write(f"{context.get_help()}\n")
        raise typer.Exit(ExitCode.USAGE)


up.register(app)
app.add_typer(model.app, name="model")
app.add_typer(dataset.app, name="dataset")
train.register(app)
decompose.register(app)
own_commands.register(app)
get.register(app)
app.add_typer(job.app, name="job")
app.add_typer(module.app, name="module")
app.add_typer(composition.app, name="composition")
card.register(app)
import_folder.register(app)
compact.register(app)
compose.register(app)
search.register(app)
app.add_typer(vocabulary.app, name="vocabulary")
evaluate.register(app)
app.add_typer(evaluation.app, name="evaluation")
predict.register(app)
lineage.register(app)
verify.register(app)
events.register(app)
app.add_typer(webhook.app, name="webhook")
demo.register(app)
doctor.register(app)
gc.register(app)
app.add_typer(registry.app, name="registry")


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit status. Nothing is raised."""
    try:
        status = app(args=list(arguments), prog_name="modelfoundry", standalone_mode=False)
    except USAGE_ERROR as error:
        print_lines([f"error: {one_line(error.format_message())}", f"hint: {_usage_hint(error)}"])
        return ExitCode.USAGE
    except typer.Abort:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        return _silenced()
    return status if isinstance(status, int) else ExitCode.OK


def main() -> None:
    """The `modelfoundry` script."""
    sys.exit(run(sys.argv[1:]))


def _usage_hint(error: Any) -> str:
    path = error.ctx.command_path if error.ctx else "modelfoundry"
    return f"see `{path} --help`"


def _silenced() -> int:
    """Keeps the interpreter from complaining about a reader that went away, as `head` does."""
    sys.stdout = open("/dev/null", "w")  # noqa: PTH123, SIM115
    return ExitCode.FAILED
