"""`modelfoundry compact`: removes a module's dead channels and measures what that gives."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from modelfoundry.cli.arguments import split_counts
from modelfoundry.cli.command import command
from modelfoundry.cli.following import follow_one
from modelfoundry.cli.options import DetachOption, ModuleArgument
from modelfoundry.cli.rendering.form_table import print_forms
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.session import Session


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "compact")(compact)


def compact(
    session: Session,
    *,
    module: ModuleArgument,
    latency: Annotated[
        str, typer.Option("--latency", help="Batch sizes to time the forward pass at: 1,16 when left out.")
    ] = "",
    detach: DetachOption = False,
) -> None:
    """Remove a module's dead channels, and compare size, work and speed of base model, masked and compacted module.

    The figures stay with the module; `module download --compact` takes the compacted form home.
    """

    async def run() -> None:
        async with session.async_client() as client:
            job = await client.compact(module, latency_batch_sizes=split_counts(latency, "--latency"))
            if detach:
                session.answer(job.status, lambda: print_started([job.status], session.parent))
                return
            compaction = await follow_one(f"compacting {module}", job)
        session.answer(compaction, lambda: print_forms(compaction.forms))

    asyncio.run(run())
