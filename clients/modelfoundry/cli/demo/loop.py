"""The loop: push, train, decompose, evaluate, take one module home."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from modelfoundry.cli.demo.composing import compose_loop
from modelfoundry.cli.demo.report import Report, build_report
from modelfoundry.cli.demo.sample import Sample, sample_image
from modelfoundry.cli.demo.settings import CompositionSettings, DemoSettings
from modelfoundry.cli.demo.taken_home import classify
from modelfoundry.cli.following import TitledJob, follow, follow_one
from modelfoundry.cli.rendering.problem_text import problem_text
from modelfoundry.cli.rendering.quantities import percent
from modelfoundry.client import AsyncClient, ExportFormat, LabelProbability, Module, TrainedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Demonstration:
    """What came of the demo."""

    report: Report
    sample: Sample
    files: tuple[Path, ...]
    """The module that was taken home."""
    answer: tuple[LabelProbability, ...]
    """What it said about the sample, computed here from its file."""


async def run_loop(
    client: AsyncClient,
    settings: DemoSettings,
    output: Path,
    say: Callable[[str], None],
    composing: CompositionSettings | None = None,
) -> Demonstration:
    """Does everything through the services.

    Args:
        client: The services.
        settings: What to do.
        output: Folder for the image and the module.
        say: Takes a line for people at every step.
        composing: Weak models to compose afterwards, where that is wanted.

    Raises:
        ModelFoundryError: a step failed.
    """
    started = time.monotonic()
    dataset = await client.datasets.push(settings.dataset, dataset_id=settings.dataset)
    say(
        f"dataset {dataset.id}: "
        + ", ".join(f"{split.sample_count} images in {split.split}" for split in dataset.splits)
    )
    trained = await _train(client, settings)
    model = trained.model
    accuracy = percent(trained.validation_accuracy)
    say(f"model {model.id}: {settings.training.epochs} epochs, validation accuracy {accuracy}")
    modules = await _decompose(client, settings)
    say(f"{len(modules)} modules of {model.id}")
    evaluation = await client.evaluate(modules, dataset, split=settings.split, baselines=True)
    evaluations = await follow_one(f"evaluating on {settings.split}", evaluation)
    report = build_report(model, modules, evaluations, time.monotonic() - started)
    sample = await sample_image(client, dataset, settings.split, settings.shown_label, output)
    files = await client.modules.download(settings.shown, output / settings.shown, ExportFormat.ONNX)
    if composing is not None:
        composition = await compose_loop(client, composing, say)
        report = replace(report, composition=composition, seconds=round(time.monotonic() - started, 1))
    return Demonstration(report=report, sample=sample, files=files, answer=classify(files, sample.path))


async def _train(client: AsyncClient, settings: DemoSettings) -> TrainedModel:
    job = await client.train(
        settings.architecture,
        settings.dataset,
        recipe=settings.training,
        validation=settings.validation,
        seed=settings.seed,
        model_id=settings.model,
    )
    return await follow_one(f"training {settings.model}", job)


async def _decompose(client: AsyncClient, settings: DemoSettings) -> tuple[Module, ...]:
    jobs = [
        TitledJob(
            problem_text(problem),
            await client.decompose(
                settings.model,
                settings.dataset,
                problem=problem,
                validation=settings.validation,
                seed=settings.seed,
                module_id=module_id,
            ),
        )
        for module_id, problem in settings.problems.items()
    ]
    outcomes = await follow(jobs)
    for _, failure in outcomes.failures:
        raise failure
    return tuple(module for result in outcomes.results for module in result)
