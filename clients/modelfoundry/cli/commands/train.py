"""`modelfoundry train`: makes a model for those who have none yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.arguments import builder_parameters, split_counts
from modelfoundry.cli.command import command
from modelfoundry.cli.following import follow_one
from modelfoundry.cli.options import (
    AugmentationOption,
    BatchSizeOption,
    DatasetOption,
    DetachOption,
    DeviceChoice,
    DeviceOption,
    EpochsOption,
    FractionOption,
    NameOption,
    ParameterOption,
    SeedOption,
)
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.rendering.quantities import percent
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, AsyncJob, TrainedModel


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "train")(train)


def train(
    session: Session,
    *,
    architecture: Annotated[str, typer.Argument(help="The network, for example zoo:digits_cnn.")],
    dataset: DatasetOption,
    name: NameOption = "",
    parameter: ParameterOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchSizeOption = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Initial learning rate.")] = None,
    momentum: Annotated[float | None, typer.Option("--momentum", help="Momentum, 0 to below 1.")] = None,
    weight_decay: Annotated[float | None, typer.Option("--weight-decay", help="Weight decay.")] = None,
    milestones: Annotated[
        str, typer.Option("--milestones", help="Epochs at which the learning rate is divided by 10: 15,22.")
    ] = "",
    augmentation: AugmentationOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = DeviceChoice.AUTO,
    validation_fraction: FractionOption = 0.1,
    detach: DetachOption = False,
) -> None:
    """Train a network from scratch and register it; the epoch with the best validation accuracy is kept."""
    from modelfoundry.client import Architecture, Augmentation, TrainingRecipe, ValidationSplit

    recipe = TrainingRecipe(
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        momentum=momentum,
        weight_decay=weight_decay,
        milestones=split_counts(milestones, "--milestones"),
        augmentation=Augmentation(augmentation.value) if augmentation else None,
    )

    async def start(client: AsyncClient) -> AsyncJob[TrainedModel]:
        return await client.train(
            Architecture(architecture, builder_parameters(parameter or [])),
            dataset,
            recipe=recipe,
            validation=ValidationSplit(fraction=validation_fraction),
            seed=seed,
            device=device.value,
            model_id=name,
        )

    async def run() -> None:
        async with session.async_client() as client:
            job = await start(client)
            if detach:
                session.answer(job.status, lambda: print_started([job.status], session.parent))
                return
            trained = await follow_one(f"training {architecture}", job)
        accuracy = percent(trained.validation_accuracy)
        session.answer(
            trained, lambda: print_line(f"trained {session.short(trained.model.name)}: validation accuracy {accuracy}")
        )

    asyncio.run(run())
