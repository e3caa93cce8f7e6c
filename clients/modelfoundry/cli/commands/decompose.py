"""`modelfoundry decompose`: takes a trained model apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.arguments import split_list
from modelfoundry.cli.command import command
from modelfoundry.cli.commands.decompose_jointly import JointSearch, decompose_jointly
from modelfoundry.cli.exit_codes import exit_code_for
from modelfoundry.cli.following import Outcomes, TitledJob, follow
from modelfoundry.cli.options import (
    AugmentationOption,
    BatchSizeOption,
    DatasetOption,
    DetachOption,
    DeviceOption,
    EpochsOption,
    FractionOption,
    LabelsOption,
    ModelArgument,
    NameOption,
    SeedOption,
)
from modelfoundry.cli.rendering.failures import failure_lines, print_lines
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.rendering.module_table import print_modules
from modelfoundry.cli.rendering.problem_text import labels_text
from modelfoundry.cli.session import Session
from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import Device

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, Module, SeamRecipe, ValidationSplit


class InitialMasksChoice(StrEnum):
    """How real-valued masks begin."""

    ONES = "ones"


class AlgorithmChoice(StrEnum):
    """What is searched, and how."""

    SEAM = "seam"
    GRADSPLITTER = "gradsplitter"


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for, apart from the label."""

    model: str
    dataset: str
    recipe: SeamRecipe
    validation: ValidationSplit
    seed: int
    device: str
    name: str
    force: bool


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "decompose")(decompose)


def decompose(
    session: Session,
    *,
    model: ModelArgument,
    dataset: DatasetOption,
    label: Annotated[str, typer.Option("--label", help="Binary problem: this label against the rest.")] = "",
    labels: LabelsOption = None,
    each: Annotated[
        bool, typer.Option("--each", help="A binary module for each of --labels, or for every label of the model.")
    ] = False,
    recipe: Annotated[str, typer.Option("--recipe", help="Recipe that settings not given come from.")] = "paper",
    initial_masks: Annotated[
        InitialMasksChoice | None, typer.Option("--initial-masks", help="How real-valued masks begin.")
    ] = None,
    epochs: EpochsOption = None,
    alpha: Annotated[float | None, typer.Option("--alpha", help="Weight of the retention term in the loss.")] = None,
    lr_mask: Annotated[float | None, typer.Option("--lr-mask", help="Learning rate of the masks.")] = None,
    lr_head: Annotated[float | None, typer.Option("--lr-head", help="Learning rate of the head.")] = None,
    head_epoch_every: Annotated[
        int | None, typer.Option("--head-epoch-every", help="Every so many epochs train the head alone. 0: never.")
    ] = None,
    batch_size: BatchSizeOption = None,
    patience: Annotated[
        int | None, typer.Option("--patience", help="Epochs below the base's accuracy until it stops. 0: never.")
    ] = None,
    augmentation: AugmentationOption = None,
    algorithm: Annotated[
        AlgorithmChoice,
        typer.Option("--algorithm", help="seam: weights for one problem. gradsplitter: kernels, all labels at once."),
    ] = AlgorithmChoice.SEAM,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", help="gradsplitter: comma-separated labels that one module recognises. Repeatable."),
    ] = None,
    warmup_epochs: Annotated[
        int | None, typer.Option("--warmup-epochs", help="gradsplitter: epochs of the heads alone at first.")
    ] = None,
    cycles: Annotated[
        int | None, typer.Option("--cycles", help="gradsplitter: how often masks and heads take turns.")
    ] = None,
    mask_epochs: Annotated[
        int | None, typer.Option("--mask-epochs", help="gradsplitter: epochs of masks and heads in a cycle.")
    ] = None,
    head_epochs: Annotated[
        int | None, typer.Option("--head-epochs", help="gradsplitter: epochs of the heads alone in a cycle.")
    ] = None,
    lr_warmup: Annotated[
        float | None, typer.Option("--lr-warmup", help="gradsplitter: learning rate of the heads at first.")
    ] = None,
    head_width: Annotated[
        int | None, typer.Option("--head-width", help="gradsplitter: outputs of a head's first layer.")
    ] = None,
    accuracy_loss: Annotated[
        float | None, typer.Option("--accuracy-loss", help="gradsplitter: accuracy to lose for fewer kernels, a share.")
    ] = None,
    seed: SeedOption = 0,
    device: DeviceOption = Device.AUTO,
    validation_fraction: FractionOption = 0.1,
    name: NameOption = "",
    detach: DetachOption = False,
    force: Annotated[bool, typer.Option("--force", help="Search again even when an equal module exists.")] = False,
) -> None:
    """Search the weights (SeaM) or kernels (GradSplitter) that labels need, and register them as modules.

    SeaM: give --label for a binary problem, --labels for a multi-class one, or --each for many binary ones at a time.
    GradSplitter makes a module of every label of the model in one search; --group puts several labels into one.
    """
    from modelfoundry.client import GradSplitterRecipe, InitialMasks, SeamRecipe, ValidationSplit

    of_seam = {
        "--label": label,
        "--labels": labels,
        "--each": each,
        "--epochs": epochs,
        "--initial-masks": initial_masks,
        "--head-epoch-every": head_epoch_every,
        "--patience": patience,
        "--augmentation": augmentation,
    }
    of_gradsplitter = {
        "--group": group,
        "--warmup-epochs": warmup_epochs,
        "--cycles": cycles,
        "--mask-epochs": mask_epochs,
        "--head-epochs": head_epochs,
        "--lr-warmup": lr_warmup,
        "--head-width": head_width,
        "--accuracy-loss": accuracy_loss,
    }
    _check_algorithm(algorithm, of_seam if algorithm is AlgorithmChoice.GRADSPLITTER else of_gradsplitter)
    validation = ValidationSplit(fraction=validation_fraction)
    if algorithm is AlgorithmChoice.GRADSPLITTER:
        joint = JointSearch(
            model=model,
            dataset=dataset,
            label_groups=tuple(split_list([one]) for one in group or []),
            recipe=GradSplitterRecipe(
                recipe=recipe,
                warmup_epochs=warmup_epochs,
                cycles=cycles,
                mask_epochs=mask_epochs,
                head_epochs=head_epochs,
                batch_size=batch_size,
                lr_warmup=lr_warmup,
                lr_head=lr_head,
                lr_mask=lr_mask,
                alpha=alpha,
                head_width=head_width,
                accuracy_loss=accuracy_loss,
            ),
            validation=validation,
            seed=seed,
            device=device.value,
            name=name,
            force=force,
        )
        asyncio.run(decompose_jointly(session, joint, detach=detach))
        return
    wanted = split_list(labels or [])
    _check_problem(label, wanted, each=each, name=name)
    search = Search(
        model=model,
        dataset=dataset,
        recipe=SeamRecipe(
            recipe=recipe,
            initial_masks=InitialMasks(initial_masks.value) if initial_masks else None,
            epochs=epochs,
            head_epoch_every=head_epoch_every,
            batch_size=batch_size,
            lr_head=lr_head,
            lr_mask=lr_mask,
            alpha=alpha,
            patience=patience,
            augmentation=augmentation,
        ),
        validation=validation,
        seed=seed,
        device=device.value,
        name=name,
        force=force,
    )
    asyncio.run(_decompose(session, search, label, wanted, each=each, detach=detach))


async def _decompose(
    session: Session, search: Search, label: str, labels: tuple[str, ...], *, each: bool, detach: bool
) -> None:
    async with session.async_client() as client:
        if each:
            labels = labels or (await client.models.get(search.model)).labels
            jobs = [await _start(client, search, label=one) for one in labels]
        elif label:
            jobs = [await _start(client, search, label=label)]
        else:
            jobs = [await _start(client, search, labels=labels)]
        if detach:
            statuses = [titled.job.status for titled in jobs]
            session.answer(statuses, lambda: print_started(statuses, session.parent))
            return
        outcomes = await follow(jobs)
    modules = [module for result in outcomes.results for module in result]
    session.answer(modules, lambda: print_modules(modules, session.parent) if modules else None)
    _raise_first_failure(outcomes)


async def _start(
    client: AsyncClient, search: Search, *, label: str | None = None, labels: tuple[str, ...] | None = None
) -> TitledJob[tuple[Module, ...]]:
    job = await client.decompose(
        search.model,
        search.dataset,
        label=label,
        labels=labels,
        recipe=search.recipe,
        validation=search.validation,
        seed=search.seed,
        device=search.device,
        module_id=search.name,
        force=search.force,
    )
    return TitledJob(label or labels_text(labels or ()), job)


def _check_algorithm(algorithm: AlgorithmChoice, of_the_other: Mapping[str, object]) -> None:
    for option, value in of_the_other.items():
        if not (value is None or value is False or value == ""):
            raise InvalidField(
                f"{option} says nothing to --algorithm {algorithm}",
                field=option,
                hint="leave it out; `modelfoundry decompose --help` says which options belong to which algorithm",
            )


def _check_problem(label: str, labels: tuple[str, ...], *, each: bool, name: str) -> None:
    hint = "pass one of: --label horse, --labels horse,cow,dog, --each"
    if label and (labels or each):
        raise InvalidField("--label goes neither with --labels nor with --each", field="--label", hint=hint)
    if not (label or labels or each):
        raise InvalidField("nothing says what the module must tell apart", field="--label", hint=hint)
    if each and name:
        raise InvalidField("--name names one module and --each makes several", field="--name", hint="leave --name out")


def _raise_first_failure(outcomes: Outcomes[tuple[Module, ...]]) -> None:
    """Prints why jobs failed; the first failure decides the exit status."""
    if len(outcomes.failures) == 1 and not outcomes.results:
        raise outcomes.failures[0][1]
    for title, failure in outcomes.failures:
        what, *rest = failure_lines(failure)
        print_lines([f"{title}: {what}", *rest])
    for _, failure in outcomes.failures:
        raise typer.Exit(exit_code_for(failure))
