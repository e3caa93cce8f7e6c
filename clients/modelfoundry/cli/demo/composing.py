"""The second half of the loop: three weak models, a module for every label of each, one composed model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from modelfoundry.cli.demo.settings import CompositionSettings
from modelfoundry.cli.following import TitledJob, follow, follow_one
from modelfoundry.cli.rendering.quantities import percent
from modelfoundry.client import AsyncClient, Composition, Evaluation, Scoring
from modelfoundry.errors import Internal


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One way to classify, on the sealed test split."""

    name: str
    accuracy: float
    parameters: int
    macs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionReport:
    """The composed model beside what it is made of. Accuracies are shares of the samples of the split."""

    best_source_accuracy: float
    ensemble_accuracy: float
    composed_accuracy: float
    parameters: int
    """Of the composed model as it runs; what members share is counted once."""
    macs: int
    """Multiply-accumulates of one image through the composed model."""
    compared: Sequence[Compared]
    """Every source, their ensemble, and the composed model last."""
    modules: Mapping[str, str]
    """Label to the module that was chosen for it."""
    strategies: Mapping[str, float]
    """Strategy to the validation accuracy of its choice."""
    split: str
    samples: int
    composition_name: str
    digest: str


async def compose_loop(
    client: AsyncClient, settings: CompositionSettings, say: Callable[[str], None]
) -> CompositionReport:
    """Trains the weak models, takes them apart, composes, and measures everything on the test split.

    Args:
        client: The services, with the data set in them.
        settings: What to do.
        say: Takes a line for people at every step.

    Raises:
        ModelFoundryError: a step failed.
    """
    await _train(client, settings, say)
    await _decompose(client, settings)
    say(f"{len(settings.seeds)} times a module for every label, by GradSplitter")
    job = await client.compose(
        settings.models,
        settings.dataset,
        validation=settings.validation,
        calibrate=True,
        composition_id=settings.composition,
    )
    composed = await follow_one(f"composing {settings.composition}", job)
    evaluation = await client.evaluate([composed.composition], settings.dataset, split=settings.split, baselines=True)
    evaluations = await follow_one(f"evaluating on {settings.split}", evaluation)
    return build_composition_report(composed.composition, evaluations)


def build_composition_report(composition: Composition, evaluations: Sequence[Evaluation]) -> CompositionReport:
    """Joins a composition with what was measured of it, of its sources and of their ensemble."""
    record = composition.record
    own = _one(evaluations, composition.name, Scoring.ALL_OUTPUTS)
    costs = {baseline.name: baseline for baseline in record.baselines}
    compared = [
        Compared(name=name, accuracy=_accuracy(found), parameters=costs[name].parameters, macs=costs[name].macs)
        for name, found in _others(composition, evaluations).items()
    ]
    accuracies = {each.name: each.accuracy for each in compared}
    return CompositionReport(
        best_source_accuracy=max(accuracy for name, accuracy in accuracies.items() if name != Scoring.ENSEMBLE.value),
        ensemble_accuracy=accuracies[Scoring.ENSEMBLE.value],
        composed_accuracy=_accuracy(own),
        parameters=record.parameters,
        macs=record.macs,
        compared=[
            *compared,
            Compared(name=composition.name, accuracy=_accuracy(own), parameters=record.parameters, macs=record.macs),
        ],
        modules={member.label: member.source for member in composition.members},
        strategies={report.strategy: report.validation_accuracy for report in record.strategies},
        split=own.split,
        samples=own.sample_count,
        composition_name=composition.name,
        digest=composition.digest,
    )


async def _train(client: AsyncClient, settings: CompositionSettings, say: Callable[[str], None]) -> None:
    jobs = [
        TitledJob(
            f"training {model}",
            await client.train(
                settings.architecture,
                settings.dataset,
                recipe=settings.training,
                validation=settings.validation,
                seed=seed,
                model_id=model,
            ),
        )
        for seed, model in zip(settings.seeds, settings.models, strict=True)
    ]
    outcomes = await follow(jobs)
    for _, failure in outcomes.failures:
        raise failure
    accuracies = ", ".join(f"{trained.model.id} {percent(trained.validation_accuracy)}" for trained in outcomes.results)
    say(f"weak models, each trained on an imbalanced part of the images, validation accuracy: {accuracies}")


async def _decompose(client: AsyncClient, settings: CompositionSettings) -> None:
    jobs = [
        TitledJob(
            f"splitting {model}",
            await client.decompose_all(model, settings.dataset, recipe=settings.recipe, validation=settings.validation),
        )
        for model in settings.models
    ]
    outcomes = await follow(jobs)
    for _, failure in outcomes.failures:
        raise failure


def _others(composition: Composition, evaluations: Sequence[Evaluation]) -> dict[str, Evaluation]:
    """What the composition is compared with, by the name that its record has for it."""
    found = {evaluation.subject: evaluation for evaluation in evaluations if evaluation.subject != composition.name}
    ensemble = _one(evaluations, composition.name, Scoring.ENSEMBLE)
    return {**found, Scoring.ENSEMBLE.value: ensemble}


def _one(evaluations: Sequence[Evaluation], subject: str, scoring: Scoring) -> Evaluation:
    for evaluation in evaluations:
        if (evaluation.subject, evaluation.scoring) == (subject, scoring):
            return evaluation
    raise Internal("an evaluation that was asked for is missing", hint="read the evaluator's log")


def _accuracy(evaluation: Evaluation) -> float:
    if evaluation.classification is None:
        raise Internal("an evaluation has no figures", hint="read the evaluator's log")
    return evaluation.classification.accuracy
