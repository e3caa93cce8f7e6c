"""`modelfoundry evaluate`: measures models and modules."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from modelfoundry.cli.arguments import split_counts, split_list
from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_datasets, complete_subjects
from modelfoundry.cli.following import follow_one
from modelfoundry.cli.options import DetachOption, DeviceOption, LabelsOption
from modelfoundry.cli.rendering.evaluation_table import print_evaluations
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.session import Session
from modelfoundry.cli.subjects import subject_name
from modelfoundry.values.computing import Device
from modelfoundry.values.file_forms import Compute
from modelfoundry.values.label_lists import labels_in_all


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "evaluate")(evaluate)


def evaluate(
    session: Session,
    *,
    subjects: Annotated[
        list[str],
        typer.Argument(help="Modules and models: ids, models/ID, or names.", autocompletion=complete_subjects),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset",
            "--data",
            help="Labelled images: a data set's id or name. A,B: of a composition of labels from both.",
            autocompletion=complete_datasets,
        ),
    ],
    split: Annotated[str, typer.Option("--split", help="Split to measure on.")] = "test",
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Also measure the base model on every module's problem, in every way.")
    ] = False,
    modularity: Annotated[
        bool,
        typer.Option("--modularity", help="Also measure modules as software modules: cohesion, coupling, reuse gain."),
    ] = False,
    label: Annotated[str, typer.Option("--label", help="For models: pose this binary problem.")] = "",
    labels: LabelsOption = None,
    latency: Annotated[str, typer.Option("--latency", help="Batch sizes to time the forward pass at: 1,16.")] = "",
    compute: Annotated[
        Compute | None,
        typer.Option("--compute", help="int8: also measure what the file answers that an export in int8 writes."),
    ] = None,
    device: DeviceOption = Device.AUTO,
    detach: DetachOption = False,
) -> None:
    """Measure models and modules on one split, and store what was found."""

    async def run() -> None:
        async with session.async_client() as client:
            job = await client.evaluate(
                [await subject_name(client, subject) for subject in subjects],
                split_list([dataset]),
                split=split,
                baselines=baselines,
                modularity=modularity,
                label=label or None,
                labels=labels_in_all(labels) if labels else None,
                latency_batch_sizes=split_counts(latency, "--latency"),
                compute=compute,
                device=device,
            )
            if detach:
                session.answer(job.status, lambda: print_started([job.status], session.parent))
                return
            evaluations = await follow_one(f"evaluating on {split}", job)
        session.answer(evaluations, lambda: print_evaluations(evaluations, session.parent))

    asyncio.run(run())
