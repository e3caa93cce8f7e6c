"""`modelfoundry demo`: the whole loop on real images."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "demo")(demo)


def demo(
    session: Session,
    *,
    output: Annotated[Path, typer.Option("--output", help="Folder for what it makes.")] = Path("build/demo"),
    compose: Annotated[
        bool, typer.Option("--compose", help="Also compose one model of the modules of three weak ones.")
    ] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the services running.")] = False,
) -> None:
    """Start the services, train a network on handwritten digits, take it apart, measure the modules, use one.

    With --compose it also trains three weak networks, takes them apart and composes one of their modules.
    Leaves report.json, an image, and a module as ONNX file in the output folder.
    """
    from modelfoundry.cli.demo.loop import Demonstration, run_loop
    from modelfoundry.cli.demo.presentation import print_composition_report, print_ending, print_report
    from modelfoundry.cli.demo.report import write_report
    from modelfoundry.cli.demo.services import LocalServices, local_services
    from modelfoundry.cli.demo.settings import COMPOSITION_SETTINGS, SERVICE_SETTINGS, SETTINGS
    from modelfoundry.client import AsyncClient

    def say(text: str) -> None:
        if not session.as_json:
            print_line(text)

    async def run(services: LocalServices) -> Demonstration:
        async with AsyncClient(services.endpoints, parent=session.parent) as client:
            return await run_loop(client, SETTINGS, output, say, COMPOSITION_SETTINGS if compose else None)

    output.mkdir(parents=True, exist_ok=True)
    say("starting registry, decomposer, evaluator and reuser")
    with local_services(output, SERVICE_SETTINGS, keep=keep) as services:
        demonstration = asyncio.run(run(services))
        report_file = write_report(demonstration.report, output)
    session.answer(demonstration.report, lambda: print_report(demonstration.report))
    if not session.as_json:
        if demonstration.report.composition is not None:
            print_composition_report(demonstration.report.composition, session.parent)
        print_ending(demonstration, report_file, SETTINGS, services, kept=keep)
