"""`modelfoundry verify`: whether a module or composition is what was signed, and what its record gives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_subjects
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.rendering.progress import JobBars
from modelfoundry.cli.rendering.statement_text import print_verification
from modelfoundry.cli.session import Session
from modelfoundry.cli.subjects import signed_name

if TYPE_CHECKING:
    from modelfoundry.client import Progress


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "verify")(verify)


def verify(
    session: Session,
    name: Annotated[
        str,
        typer.Argument(help="A module or composition: id, or as in compositions/ID.", autocompletion=complete_subjects),
    ],
    *,
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key",
            help="PEM file of a public key that you trust, in place of those that the registry publishes. Repeatable.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Check this module file, not the registry's.", exists=True, dir_okay=False),
    ] = None,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Also repeat the decomposition and compare bit by bit; of a composition, also check all sources.",
        ),
    ] = False,
) -> None:
    """Check bytes, digest, signature, materials and record of a module or composition; a line for each check.

    Ends with exit code 1 when a check failed.
    """

    async def run() -> None:
        async with session.async_client() as client:
            whole = await signed_name(client, name)
            with JobBars() as bars:
                begun: list[str] = []

                def show(progress: Progress) -> None:
                    if not begun:  # the bar is for repeating alone, which is what takes long
                        begun.append(whole)
                        bars.add(whole, f"rebuilding {session.short(whole)}")
                    bars.show(whole, progress)

                found = await client.statements.verify(
                    whole, keys=key or (), file=file, rebuild=rebuild, on_progress=show
                )
                if begun:
                    bars.finish(whole, "done", succeeded=True)
        answer = {"resource": found.resource, "ok": found.ok, "checks": found.checks}
        session.answer(answer, lambda: print_verification(found))
        if not found.ok:
            raise typer.Exit(ExitCode.FAILED)

    asyncio.run(run())
