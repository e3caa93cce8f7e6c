"""`modelfoundry predict`: classifies images."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_subjects
from modelfoundry.cli.rendering.quantities import percent
from modelfoundry.cli.rendering.tables import Column, print_remark, print_table
from modelfoundry.cli.session import Session
from modelfoundry.cli.subjects import subject_name

if TYPE_CHECKING:
    from modelfoundry.client import Prediction


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "predict")(predict)


def predict(
    session: Session,
    *,
    images: Annotated[list[Path], typer.Argument(help="Pictures: PNG, JPEG, WebP, ...", exists=True, dir_okay=False)],
    subject: Annotated[
        str, typer.Option("--with", help="Module or model: id, models/ID, or name.", autocompletion=complete_subjects)
    ],
    top: Annotated[
        int, typer.Option("--top", help="Labels shown for an image, most probable first. 0: all.", min=0)
    ] = 5,
) -> None:
    """Classify images with a module or a model."""

    async def run() -> tuple[Prediction, ...]:
        async with session.async_client() as client:
            return await client.predict(await subject_name(client, subject), images, top_k=top)

    predictions = asyncio.run(run())
    answers = [
        {
            "image": image,
            "labels": prediction.labels,
            "subject": prediction.subject,
            "subject_digest": prediction.subject_digest,
            "notes": prediction.notes,
        }
        for image, prediction in zip(images, predictions, strict=True)
    ]
    session.answer(answers, lambda: _show(images, predictions))
    for image, prediction in zip(images, predictions, strict=True):
        for note in prediction.notes:
            print_remark(f"{image}: {note}")


def _show(images: Sequence[Path], predictions: Sequence[Prediction]) -> None:
    rows = [
        (str(image) if place == 0 else "", answer.label, percent(answer.probability))
        for image, prediction in zip(images, predictions, strict=True)
        for place, answer in enumerate(prediction.labels)
    ]
    print_table([Column("IMAGE"), Column("LABEL"), Column("PROBABILITY", "right")], rows)
