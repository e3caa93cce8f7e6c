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
    DeviceOption,
    EpochsOption,
    FractionOption,
    NameOption,
    ParameterOption,
    SeedOption,
)
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.rendering.quantities import chosen_figure
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session
from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import Device

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, AsyncJob, TrainedModel


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "train")(train)


def train(
    session: Session,
    *,
    architecture: Annotated[
        str, typer.Argument(help="The network: zoo:digits_cnn, or simcnn for one of the zoo.")
    ] = "",
    arch: Annotated[str, typer.Option("--arch", help="The network, in place of the argument.")] = "",
    dataset: DatasetOption,
    name: NameOption = "",
    parameter: ParameterOption = None,
    recipe: Annotated[
        str,
        typer.Option("--recipe", help="Recipe that settings not given come from: default, or weak for composing."),
    ] = "default",
    epochs: EpochsOption = None,
    batch_size: BatchSizeOption = None,
    lr: Annotated[float | None, typer.Option("--lr", help="Initial learning rate.")] = None,
    momentum: Annotated[float | None, typer.Option("--momentum", help="Momentum, 0 to below 1.")] = None,
    weight_decay: Annotated[float | None, typer.Option("--weight-decay", help="Weight decay.")] = None,
    milestones: Annotated[
        str, typer.Option("--milestones", help="Epochs at which the learning rate is divided by 10: 15,22.")
    ] = "",
    augmentation: AugmentationOption = None,
    concentration: Annotated[
        float | None,
        typer.Option("--concentration", help="Train on an imbalanced part: the smaller, the less balanced."),
    ] = None,
    minimum_samples: Annotated[
        int | None, typer.Option("--minimum-samples", help="Samples that every label of the part keeps at least.")
    ] = None,
    subset_seed: Annotated[
        int | None, typer.Option("--subset-seed", help="Seed of the part, when it is not that of --seed.")
    ] = None,
    seed: SeedOption = 0,
    device: DeviceOption = Device.AUTO,
    validation_fraction: FractionOption = 0.1,
    detach: DetachOption = False,
) -> None:
    """Train a network from scratch and register it; the epoch with the best validation accuracy is kept."""
    from modelfoundry.client import Architecture, TrainingRecipe, TrainingSubset, ValidationSplit

    builder = _builder(architecture, arch)
    subset = TrainingSubset(concentration=concentration, minimum_samples=minimum_samples, seed=subset_seed)
    settings = TrainingRecipe(
        recipe=recipe,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        momentum=momentum,
        weight_decay=weight_decay,
        milestones=split_counts(milestones, "--milestones"),
        augmentation=augmentation,
        subset=None if subset == TrainingSubset() else subset,
    )

    async def start(client: AsyncClient) -> AsyncJob[TrainedModel]:
        return await client.train(
            Architecture(builder, builder_parameters(parameter or [])),
            dataset,
            recipe=settings,
            validation=ValidationSplit(fraction=validation_fraction),
            seed=seed,
            device=device,
            model_id=name,
        )

    async def run() -> None:
        async with session.async_client() as client:
            job = await start(client)
            if detach:
                session.answer(job.status, lambda: print_started([job.status], session.parent))
                return
            trained = await follow_one(f"training {builder}", job)
        samples = trained.model.training.validation_samples if trained.model.training else 0
        accuracy = chosen_figure(trained.validation_accuracy, samples, doubted=False)
        shown = f"trained {session.short(trained.model.name)}: validation accuracy {accuracy}, its best epoch's"
        session.answer(trained, lambda: print_line(shown))

    asyncio.run(run())


def _builder(argument: str, option: str) -> str:
    """The architecture however it was given; a name without a family is one of the zoo.

    Raises:
        InvalidField: it was given twice or not at all.
    """
    if bool(argument) == bool(option):
        raise InvalidField(
            "the architecture was given twice" if argument else "no architecture was given",
            field="--arch",
            hint="pass one: modelfoundry train simcnn ..., or --arch simcnn",
        )
    name = argument or option
    return name if ":" in name else f"zoo:{name}"
