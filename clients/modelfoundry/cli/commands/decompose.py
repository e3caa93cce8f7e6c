"""`modelfoundry decompose`: takes a trained model apart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfoundry.cli.algorithm_options import check_unused, with_algorithm_options
from modelfoundry.cli.command import command
from modelfoundry.cli.exit_codes import exit_code_for
from modelfoundry.cli.following import Outcomes, TitledJob, follow
from modelfoundry.cli.options import (
    CalibrationOption,
    DatasetOption,
    DetachOption,
    DeviceOption,
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
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import Device
from modelfoundry.values.label_lists import labels_in, labels_in_all

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, Module


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for."""

    model: str
    dataset: str
    algorithm: Algorithm[Any]
    label: tuple[str, ...]
    """Labels of binary problems, a module for each."""
    labels: tuple[str, ...]
    each: bool
    groups: tuple[tuple[str, ...], ...]
    common: Mapping[str, Any]
    """What every search of the command is asked alike."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "decompose")(with_algorithm_options(decompose))


def decompose(
    session: Session,
    *,
    model: ModelArgument,
    dataset: DatasetOption,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="Binary problem: this label against the rest. Repeatable: a module for each."),
    ] = None,
    labels: LabelsOption = None,
    each: Annotated[
        bool, typer.Option("--each", help="A binary module for each of --labels, or for every label of the model.")
    ] = False,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", help="All labels at once: comma-separated labels that one module recognises. Repeatable."
        ),
    ] = None,
    algorithm: Algorithm[Any],
    recipe: Annotated[
        str, typer.Option("--recipe", help="Recipe that settings not given come from. Empty: the first.")
    ] = "",
    seed: SeedOption = 0,
    device: DeviceOption = Device.AUTO,
    validation_fraction: FractionOption = 0.1,
    calibration: CalibrationOption = "",
    name: NameOption = "",
    detach: DetachOption = False,
    force: Annotated[bool, typer.Option("--force", help="Search again even when an equal module exists.")] = False,
    **settings: Any,
) -> None:
    """Search what labels need of a model, and register it as modules.

    Give --label for a binary problem, --labels for a multi-class one, or --each for many binary ones at a time. An
    algorithm that searches all labels at once makes a module of every label; --group puts several labels into one.
    """
    from modelfoundry.client import ValidationSplit

    wanted = labels_in_all(labels or [])
    if algorithm.joint:
        check_unused(algorithm, {"--label": label, "--labels": labels, "--each": each})
    else:
        check_unused(algorithm, {"--group": group})
        _check_problem(label or [], wanted, each=each, name=name)
    asked = Asked(
        model=model,
        dataset=dataset,
        algorithm=algorithm,
        label=tuple(label or ()),
        labels=wanted,
        each=each,
        groups=tuple(labels_in(one) for one in group or []),
        common={
            "algorithm": algorithm.name,
            "settings": {"recipe": recipe, **settings},
            "validation": ValidationSplit(fraction=validation_fraction),
            "calibration_split": calibration,
            "seed": seed,
            "device": device,
            "module_id": name,
            "force": force,
        },
    )
    asyncio.run(_decompose(session, asked, detach=detach))


async def _decompose(session: Session, asked: Asked, *, detach: bool) -> None:
    async with session.async_client() as client:
        jobs = await _started(client, asked)
        if detach:
            statuses = [titled.job.status for titled in jobs]
            session.answer(statuses, lambda: print_started(statuses, session.parent))
            return
        outcomes = await follow(jobs)
    modules = [module for result in outcomes.results for module in result]
    session.answer(modules, lambda: print_modules(modules, session.parent) if modules else None)
    _raise_first_failure(outcomes)


async def _started(client: AsyncClient, asked: Asked) -> list[TitledJob[tuple[Module, ...]]]:
    """Starts every search: one of all labels, one of each, or one of the problem."""
    if asked.algorithm.joint:
        job = await client.decompose_all(asked.model, asked.dataset, label_groups=asked.groups, **asked.common)
        return [TitledJob(asked.model, job)]
    if asked.each:
        labels = asked.labels or (await client.models.get(asked.model)).labels
        return [await _start(client, asked, label, {"label": label}) for label in labels]
    if asked.label:
        return [await _start(client, asked, label, {"label": label}) for label in asked.label]
    return [await _start(client, asked, labels_text(asked.labels), {"labels": asked.labels})]


async def _start(
    client: AsyncClient, asked: Asked, title: str, problem: Mapping[str, Any]
) -> TitledJob[tuple[Module, ...]]:
    return TitledJob(title, await client.decompose(asked.model, asked.dataset, **problem, **asked.common))


def _check_problem(label: Sequence[str], labels: tuple[str, ...], *, each: bool, name: str) -> None:
    hint = "pass one of: --label horse, --labels horse,cow,dog, --each"
    if label and (labels or each):
        raise InvalidField("--label goes neither with --labels nor with --each", field="--label", hint=hint)
    if not (label or labels or each):
        raise InvalidField("nothing says what the module must tell apart", field="--label", hint=hint)
    if any(one in label[:place] for place, one in enumerate(label)):
        raise InvalidField("--label: a label is given twice", field="--label", hint="name every label once")
    if name and (each or len(label) > 1):
        makes = "--each makes" if each else "several --label make"
        raise InvalidField(f"--name names one module and {makes} several", field="--name", hint="leave --name out")


def _raise_first_failure(outcomes: Outcomes[tuple[Module, ...]]) -> None:
    """Prints why jobs failed; the first failure decides the exit status."""
    if len(outcomes.failures) == 1 and not outcomes.results:
        raise outcomes.failures[0][1]
    for title, failure in outcomes.failures:
        what, *rest = failure_lines(failure)
        print_lines([f"{title}: {what}", *rest])
    for _, failure in outcomes.failures:
        raise typer.Exit(exit_code_for(failure))
