"""`modelfoundry get`: modules for labels, made now where nobody made them before."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from modelfoundry.cli.arguments import byte_size
from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_datasets
from modelfoundry.cli.destination import Destination, destination_of, fetch_all
from modelfoundry.cli.following import follow_one
from modelfoundry.cli.options import (
    CalibrationOption,
    CompactOption,
    ComputeOption,
    DetachOption,
    DeviceOption,
    EpochsOption,
    FormatOption,
    WeightsOption,
)
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.rendering.request_table import print_answers, print_delivered, print_plan
from modelfoundry.cli.session import Session
from modelfoundry.decomposer.algorithms import ALGORITHMS, find_algorithm
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.computing import Device


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "get")(get)


def get(
    session: Session,
    *,
    labels: Annotated[list[str], typer.Argument(help="Labels in words, for example horse cow.")],
    compose: Annotated[
        bool, typer.Option("--compose", help="Join the modules to one classifier of the labels.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File (.onnx, .safetensors or .pt2), or folder for a module each."),
    ] = None,
    format: FormatOption = None,  # noqa: A002
    compact: CompactOption = False,
    weights: WeightsOption = None,
    compute: ComputeOption = None,
    min_accuracy: Annotated[
        str,
        typer.Option(
            "--min-accuracy", help="Least accuracy on validation samples, for example 0.9, or `base` for the base's."
        ),
    ] = "",
    max_bytes: Annotated[
        str, typer.Option("--max-bytes", help="Most bytes of a module's artifact, for example 500000, 64K or 1M.")
    ] = "",
    max_latency_ms: Annotated[
        float, typer.Option("--max-latency-ms", help="Most milliseconds of one image; measured where it never was.")
    ] = 0.0,
    max_macs: Annotated[
        float, typer.Option("--max-macs", help="Most multiply-accumulates, as a share of the base's, for example 0.2.")
    ] = 0.0,
    max_latency: Annotated[
        float, typer.Option("--max-latency", help="Longest time of one image, as a share of the base's.")
    ] = 0.0,
    license: Annotated[str, typer.Option("--license", help="SPDX licence expression, for example MIT.")] = "",  # noqa: A002
    dataset: Annotated[
        str,
        typer.Option(
            "--dataset", help="Data set that modules are, or were, searched on.", autocompletion=complete_datasets
        ),
    ] = "",
    architecture: Annotated[
        str, typer.Option("--architecture", "--arch", help="Of the base model, for example zoo:resnet20.")
    ] = "",
    algorithm: Annotated[str, typer.Option("--algorithm", help=f"{' or '.join(one.name for one in ALGORITHMS)}.")] = "",
    recipe: Annotated[
        str, typer.Option("--recipe", help="How missing modules are searched. Empty: by the first.")
    ] = "",
    epochs: EpochsOption = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="What a network within budgets may take to be searched.")
    ] = None,
    calibration: CalibrationOption = "",
    device: DeviceOption = Device.AUTO,
    validate_only: Annotated[
        bool, typer.Option("--validate-only", help="Say what would be taken and made, and start nothing.")
    ] = False,
    detach: DetachOption = False,
) -> None:
    """Get a module for every label: those that are registered at once, the others made now, and say why these.

    The surest registered module that satisfies the options is taken, by validation figures only. What is missing is
    decomposed from the best model that knows the label, measured and registered. With --compose, they become one
    classifier; with -o, files.

    Masks leave a network as slow as it is: where --max-macs or --max-latency ask for less, what is missing is cut out
    of the model as a network of its own, as `modelfoundry specialise` does, within all the limits given.
    """
    if (weights or compute) and output is None:
        field = "--weights" if weights else "--compute"
        raise InvalidField(f"{field} says how files are, and none are written", field=field, hint="add -o FILE")
    place = destination_of(output, format, several=len(labels) > 1 and not compose)
    if detach and place is not None:
        raise InvalidField("-o does not go with --detach", field="--output", hint="wait for the job, or leave -o out")
    wanted: dict[str, Any] = {
        "compose": compose,
        "format": place.format if place else None,
        "compact": compact,
        "weights": weights,
        "compute": compute,
        "min_accuracy": _least_accuracy(min_accuracy),
        "max_bytes": byte_size(max_bytes, "--max-bytes") if max_bytes else 0,
        "max_latency_ms": max_latency_ms,
        "max_macs": max_macs,
        "max_latency": max_latency,
        "license": license,
        "dataset": dataset or None,
        "architecture": architecture,
        "algorithm": algorithm,
        "settings": _settings(algorithm, {"recipe": recipe or None, "epochs": epochs, "seconds": seconds}),
        "device": device,
        "calibration_split": calibration,
        "validate_only": validate_only,
    }
    asyncio.run(_get(session, labels, wanted, place, detach=detach))


async def _get(
    session: Session, labels: list[str], wanted: dict[str, Any], place: Destination | None, *, detach: bool
) -> None:
    async with session.async_client() as client:
        request = await client.request(labels, **wanted)
        if wanted["validate_only"]:
            answers = request.answers
            session.answer({"answers": answers}, lambda: print_answers(answers, session.parent))
            return
        if request.job is not None:
            print_plan(request.answers, session.parent)
            if detach:
                status = request.job.status
                value = {"answers": request.answers, "job": status}
                session.answer(value, lambda: print_started([status], session.parent))
                return
            delivered = await follow_one(f"getting {', '.join(labels)}", request.job)
        else:
            delivered = await request.wait()
        files = await fetch_all(client, delivered.exports, place) if place else []
    value = {
        "answers": delivered.answers,
        "modules": delivered.modules,
        "composition": delivered.composition,
        "exports": delivered.exports,
        "files": files,
    }
    session.answer(value, lambda: print_delivered(delivered, files, session.parent))


def _least_accuracy(text: str) -> float | Literal["base"]:
    """A share, or `base`.

    Raises:
        InvalidField: it is neither.
    """
    if text == "base":
        return "base"
    try:
        return float(text or 0)
    except ValueError:
        raise InvalidField(
            f"{shortened(text)!r} is no accuracy", field="--min-accuracy", hint="give a share such as 0.9, or base"
        ) from None


def _settings(algorithm: str, said: Mapping[str, Any]) -> dict[str, Any] | None:
    """What was said about the search; None where that is nothing. Of no algorithm in particular: the service knows."""
    given = {name: value for name, value in said.items() if value is not None}
    searching = find_algorithm(algorithm)
    known = {setting.name for setting in searching.settings} if searching else given.keys()
    for name in given.keys() - {"recipe"} - known:
        raise InvalidField(f"--{name} says nothing to {algorithm}", field=f"--{name}", hint="leave it out")
    return given or None
