"""Registers functions as commands that share their options, their failures and their exit codes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Concatenate, Final, ParamSpec, get_type_hints

import typer
from typer.core import TyperCommand, TyperOption

from modelfoundry.cli.exit_codes import ExitCode, exit_code_for
from modelfoundry.cli.rendering.failures import print_failure, print_slip, print_traceback
from modelfoundry.cli.resource_names import full_parent
from modelfoundry.cli.session import Session
from modelfoundry.errors import ModelFoundryError

P = ParamSpec("P")
Body = Callable[Concatenate[Session, P], None]

SHARED_PANEL: Final = "Shared options"
SHARED_OPTIONS: Final = {
    "project": Annotated[
        str,
        typer.Option(
            "--project", envvar="MODELFOUNDRY_PROJECT", help="Project of short names.", rich_help_panel=SHARED_PANEL
        ),
    ],
    "as_json": Annotated[bool, typer.Option("--json", help="Print JSON, for programs.", rich_help_panel=SHARED_PANEL)],
    "debug": Annotated[
        bool, typer.Option("--debug", help="On failure also print the traceback.", rich_help_panel=SHARED_PANEL)
    ],
}
SHARED_DEFAULTS: Final = {"project": "default", "as_json": False, "debug": False}


class StrictCommand(TyperCommand):
    """A command that refuses an option twice where one value is kept, in place of keeping the last in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Counts how often each option is given, then parses.

        Raises:
            typer.BadParameter: an option that is not repeatable is given more than once.
        """
        *_, given = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in self.get_params(ctx):
            keeps_one = isinstance(parameter, TyperOption) and not (parameter.multiple or parameter.count)
            if keeps_one and given.count(parameter) > 1:
                name = parameter.opts[0]
                raise typer.BadParameter("it is given twice, and takes one value", ctx=ctx, param_hint=name)
        return super().parse_args(ctx, args)


def command(app: typer.Typer, name: str) -> Callable[[Body[P]], Body[P]]:
    """Registers `body(session, ...)` as command `name`; the session comes from the shared options.

    The docstring of `body` is the help text.
    """

    def register(body: Body[P]) -> Body[P]:
        app.command(name, cls=StrictCommand)(_with_session(body))
        return body

    return register


@contextmanager
def failures_rendered(*, debug: bool) -> Iterator[None]:
    """Turns exceptions into lines on stderr and an exit status."""
    try:
        yield
    except (typer.Exit, typer.Abort, BrokenPipeError):
        raise
    except Exception as error:
        if debug:
            print_traceback(error)
        raise typer.Exit(_rendered(error)) from error


def _rendered(error: Exception) -> ExitCode:
    match error:
        case ModelFoundryError():
            print_failure(error)
            return exit_code_for(error)
        case OSError():
            print_failure(ModelFoundryError(str(error), hint="check the path, its rights and the free space"))
        case _:
            print_slip(error)
    return ExitCode.FAILED


def _with_session(body: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(body)
    def run(*, project: str, as_json: bool, debug: bool, **own: Any) -> None:
        with failures_rendered(debug=debug):
            body(Session(parent=full_parent(project), as_json=as_json), **own)

    hints = get_type_hints(body, include_extras=True)
    _session, *own = inspect.signature(body).parameters.values()
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=SHARED_DEFAULTS[name], annotation=option)
        for name, option in SHARED_OPTIONS.items()
    ]
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[parameter.name]) for parameter in own
    ]
    run.__signature__ = inspect.Signature([*parameters, *shared])  # type: ignore[attr-defined]  # typer reads it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*parameters, *shared]}
    return run
