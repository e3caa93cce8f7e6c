"""Commands of algorithms that have one of their own, called like the algorithm: `modelfoundry specialise`."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

import typer

from modelfoundry.cli.algorithm_options import plain_settings, setting_options
from modelfoundry.cli.arguments import byte_size
from modelfoundry.cli.command import command
from modelfoundry.cli.following import TitledJob, follow
from modelfoundry.cli.options import (
    CalibrationOption,
    DatasetOption,
    DetachOption,
    DeviceOption,
    FractionOption,
    ModelArgument,
    NameOption,
    SeedOption,
)
from modelfoundry.cli.rendering.failures import print_lines
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.rendering.module_table import print_modules
from modelfoundry.cli.rendering.problem_text import labels_text
from modelfoundry.cli.session import Session
from modelfoundry.decomposer.algorithms import ALGORITHMS
from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.errors import InvalidField
from modelfoundry.values.computing import Device
from modelfoundry.values.label_lists import labels_in_all
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem
from modelfoundry.values.results import LogWritten

_PREVIEW = "preview"
_BYTES = "_bytes"
"""How settings end that are sizes, which people write as 64K."""


def register(app: typer.Typer) -> None:
    """Adds a command for every algorithm that has one."""
    for algorithm in ALGORITHMS:
        if algorithm.own_command:
            command(app, algorithm.name)(_command_of(algorithm))


def _command_of(algorithm: Algorithm[Any]) -> Callable[..., None]:
    """The command with an option for each of the algorithm's settings."""

    @functools.wraps(run)
    def body(*args: Any, **given: Any) -> None:
        settings = plain_settings(given, algorithm)
        for name in settings:
            if name.endswith(_BYTES):
                settings[name] = byte_size(str(settings[name]), f"--{name.replace('_', '-')}")
        rest = {name: value for name, value in given.items() if name not in {one.name for one in algorithm.settings}}
        run(*args, algorithm=algorithm, settings=settings, **rest)

    hints = get_type_hints(run, include_extras=True)
    parameters = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(run).parameters.values()
        if parameter.name not in {"algorithm", "settings"}
    ]
    parameters += setting_options(algorithm, as_text=_BYTES)
    body.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
    body.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    body.__doc__ = f"{algorithm.summary}\n\n{run.__doc__}"
    return body


def run(
    session: Session,
    *,
    algorithm: Algorithm[Any],
    model: ModelArgument,
    dataset: DatasetOption,
    labels: Annotated[
        list[str], typer.Option("--labels", "--label", help="What is told apart, comma-separated: horse,truck.")
    ],
    only: Annotated[
        bool, typer.Option("--only", help="Several labels alone: no answer `none of these`. Else there is one.")
    ] = False,
    preview: Annotated[
        bool, typer.Option("--preview", help="Show in seconds what it comes to without learning.")
    ] = False,
    settings: Mapping[str, Any],
    seed: SeedOption = 0,
    device: DeviceOption = Device.AUTO,
    validation_fraction: FractionOption = 0.1,
    calibration: CalibrationOption = "",
    name: NameOption = "",
    detach: DetachOption = False,
    force: Annotated[bool, typer.Option("--force", help="Search again even when an equal module exists.")] = False,
) -> None:
    """What comes of it is a module like any other: measure it, predict with it, export it, compose it."""
    from modelfoundry.client import ValidationSplit

    wanted = labels_in_all(labels)
    common = {
        "algorithm": algorithm.name,
        "settings": {**({"recipe": _PREVIEW} if preview else {}), **settings},
        "validation": ValidationSplit(fraction=validation_fraction),
        "calibration_split": calibration,
        "seed": seed,
        "device": device,
        "module_id": name,
        "force": force,
    }
    asyncio.run(_run(session, model, dataset, problem_of(wanted, only=only), common, detach=detach))


def problem_of(labels: tuple[str, ...], *, only: bool) -> Problem:
    """One label against the rest, or several with an answer for the rest unless they are meant alone.

    Raises:
        InvalidField: there is none, or a single one is meant alone.
    """
    if not labels or (only and len(labels) == 1):
        hint = "pass --labels horse, or --labels horse,truck"
        raise InvalidField("--only needs two labels or more" if labels else "no label", field="--labels", hint=hint)
    if len(labels) == 1:
        return BinaryProblem(labels[0])
    return MultiClassProblem(labels) if only else OpenSetProblem(labels)


async def _run(
    session: Session, model: str, dataset: str, problem: Problem, common: Mapping[str, Any], *, detach: bool
) -> None:
    async with session.async_client() as client:
        job = await client.decompose(model, dataset, problem=problem, **common)
        if detach:
            session.answer([job.status], lambda: print_started([job.status], session.parent))
            return
        outcomes = await follow([TitledJob(labels_text(problem.labels), job)])
        for _, failure in outcomes.failures:
            raise failure
        if not session.as_json:
            print_lines([event.text async for event in job.events() if isinstance(event, LogWritten)])
    modules = [module for result in outcomes.results for module in result]
    session.answer(modules, lambda: print_modules(modules, session.parent))
