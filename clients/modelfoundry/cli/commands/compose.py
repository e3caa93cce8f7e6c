"""`modelfoundry compose`: one classifier of parts of several."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfoundry.cli.arguments import NewLabelText, new_label_text
from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_datasets, complete_models, complete_subjects
from modelfoundry.cli.following import follow_one
from modelfoundry.cli.options import DetachOption, DeviceOption, FractionOption, LabelsOption, NameOption
from modelfoundry.cli.rendering.composition_table import print_composed
from modelfoundry.cli.rendering.job_table import print_started
from modelfoundry.cli.session import Session
from modelfoundry.cli.subjects import subject_name
from modelfoundry.errors import InvalidField
from modelfoundry.values.composing import Score
from modelfoundry.values.computing import Device
from modelfoundry.values.label_lists import labels_in_all

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, AsyncJob, ComposedModel


class StrategyChoice(StrEnum):
    """How one member is chosen for every label."""

    PER_LABEL = "per-label"
    JOINT = "joint"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, apart from settings."""

    sources: tuple[str, ...]
    dataset: str
    patch: str
    labels: tuple[str, ...]
    new_labels: tuple[NewLabelText, ...]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "compose")(compose)


def compose(
    session: Session,
    *,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="Models and compositions of the same labels: ids or names.", autocompletion=complete_subjects
        ),
    ] = None,
    dataset: Annotated[
        str, typer.Option("--dataset", help="Labelled images to choose on.", autocompletion=complete_datasets)
    ] = "",
    patch: Annotated[
        str, typer.Option("--patch", help="Replace weak labels of this model.", autocompletion=complete_models)
    ] = "",
    labels: LabelsOption = None,
    new_label: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            help="New task: LABEL=SOURCE[,SOURCE][:ITS-LABEL][@DATASET]; an alias needs ITS-LABEL. Repeatable.",
        ),
    ] = None,
    strategy: Annotated[
        StrategyChoice, typer.Option("--strategy", help="Choose the best of every label, or what is best together.")
    ] = StrategyChoice.JOINT,
    score: Annotated[Score, typer.Option("--score", help="What ranks candidates of one label.")] = Score.F1,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Make scores comparable first (Platt scaling on validation data).")
    ] = False,
    validation_fraction: FractionOption = 0.1,
    device: DeviceOption = Device.AUTO,
    name: NameOption = "",
    detach: DetachOption = False,
    force: Annotated[
        bool, typer.Option("--force", help="Compose again even when an equal composition exists.")
    ] = False,
    allow_different_preprocessing: Annotated[
        bool,
        typer.Option(
            "--allow-different-preprocessing", help="Join models of the same labels that normalise images differently."
        ),
    ] = False,
) -> None:
    """Join the best parts of several models into one classifier, chosen on validation data.

    Models alone: of every label they share, the best of their modules. With --patch: only the labels at which that
    model is weak (or --labels) are replaced. With --label: a new task of labels from anywhere.
    """
    from modelfoundry.client import ValidationSplit

    wanted = Wanted(
        sources=tuple(sources or ()),
        dataset=dataset,
        patch=patch,
        labels=labels_in_all(labels or []),
        new_labels=tuple(new_label_text(text) for text in new_label or ()),
    )
    _check(wanted)
    settings: dict[str, Any] = {
        "validation": ValidationSplit(fraction=validation_fraction),
        "score": score.value,
        "strategy": strategy.value.replace("-", "_"),
        "calibrate": calibrate,
        "composition_id": name,
        "device": device,
        "force": force,
    }
    if allow_different_preprocessing and not wanted.new_labels:  # which a new task may have anyway
        settings["allow_different_preprocessing"] = True
    asyncio.run(_compose(session, wanted, settings, detach=detach))


async def _compose(session: Session, wanted: Wanted, settings: dict[str, Any], *, detach: bool) -> None:
    async with session.async_client() as client:
        job = await _start(client, wanted, settings)
        if detach:
            session.answer(job.status, lambda: print_started([job.status], session.parent))
            return
        composed = await follow_one("composing", job)
    session.answer(composed, lambda: print_composed(composed, session.parent))


async def _start(client: AsyncClient, wanted: Wanted, settings: dict[str, Any]) -> AsyncJob[ComposedModel]:
    from modelfoundry.client import NewLabel

    if wanted.new_labels:
        new = [
            NewLabel(
                label=each.label,
                source_label=each.source_label,
                sources=await _names(client, each.sources),
                dataset=each.dataset or None,
            )
            for each in wanted.new_labels
        ]
        return await client.compose_labels(new, wanted.dataset or None, **settings)
    if wanted.patch:
        sources = await _names(client, wanted.sources)
        return await client.patch(wanted.patch, sources, wanted.dataset, labels=wanted.labels, **settings)
    return await client.compose(list(wanted.sources), wanted.dataset, **settings)


async def _names(client: AsyncClient, sources: Sequence[str]) -> list[str]:
    return [await subject_name(client, source) for source in sources]


def _check(wanted: Wanted) -> None:
    if wanted.new_labels and (wanted.sources or wanted.patch or wanted.labels):
        raise InvalidField(
            "--label goes neither with models nor with --patch or --labels",
            field="--label",
            hint="name the sources in it: --label cat=models/a,models/b --label 7=models/svhn@svhn",
        )
    if not (wanted.new_labels or wanted.sources):
        raise InvalidField(
            "nothing says what to compose",
            field="sources",
            hint="name models, or a new task by --label LABEL=SOURCE",
        )
    if wanted.labels and not wanted.patch:
        raise InvalidField("--labels goes with --patch only", field="--labels", hint="add --patch MODEL")
    lacking = [each.label for each in wanted.new_labels if not each.dataset]
    if not wanted.dataset and (lacking or not wanted.new_labels):
        raise InvalidField("--dataset is missing", field="--dataset", hint="name a data set to choose on")
