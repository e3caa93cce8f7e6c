"""Measures the subjects of a planned evaluation and stores what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from modelfoundry.client import Composition, CostMetrics, Evaluation, Model, Module, Scoring
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.evaluation import (
    Answers,
    BaseAnswers,
    PosedSplit,
    against_base,
    base_answers,
    base_discrimination,
    discrimination,
    model_answers,
    own_answers,
    pose,
    pose_labels,
    pose_split,
    posed_figures,
    split_logits,
)
from modelfoundry.core.metrics import retention
from modelfoundry.core.modules import kept_of_base
from modelfoundry.evaluator.compositions import measure_composition
from modelfoundry.evaluator.in_int8 import Measured, measure_in_int8
from modelfoundry.evaluator.measuring import Measuring, cost_of, evaluation_of
from modelfoundry.evaluator.modularity import KernelSets, modularity
from modelfoundry.evaluator.plan import EvaluationPlan
from modelfoundry.values.problems import Problem
from modelfoundry.workbench.jobs import Workbench, derived_request_id
from modelfoundry.workbench.networks import LoadedModel, LoadedModule, load_model, load_module
from modelfoundry.workbench.resources import Subject


def evaluate(plan: EvaluationPlan, operation: str, bench: Workbench) -> list[str]:
    """Measures all subjects, each followed by its baselines where they were asked for.

    Args:
        plan: What to measure.
        operation: Name of the job, for provenance and for storing each measurement once.
        bench: What it computes with.

    Returns:
        Names of the evaluations in that order.
    """
    device = select_device(plan.request.device)
    kernels = KernelSets(plan, bench) if plan.request.modularity else None
    shared = Measuring(plan, operation, bench, device, environment(device), kernels)
    names: list[str] = []
    for place, subject in enumerate(plan.subjects):
        bench.monitor.check_cancelled()
        bench.monitor.progress("measuring", place, len(plan.subjects), "subject", {})
        for found in _measure(shared, subject):
            request_id = derived_request_id(operation, f"evaluation/{len(names)}")
            names.append(bench.client.evaluations.create(found, request_id=request_id).name)
    bench.monitor.progress("measured", len(plan.subjects), len(plan.subjects), "subject", {})
    return names


def _measure(shared: Measuring, subject: Subject) -> Iterator[Evaluation]:
    match subject:
        case Model():
            return _measure_model(shared, subject)
        case Module():
            return _measure_module(shared, subject)
        case Composition():
            return measure_composition(shared, subject)


def _measure_model(shared: Measuring, resource: Model) -> Iterator[Evaluation]:
    model = load_model(shared.bench.client, shared.bench.cache, resource)
    problem = shared.plan.request.problem
    images = shared.images(resource, resource.labels if problem is None else problem.labels)
    spent = _spent(shared, model)
    if problem is not None:
        posed = pose_split(images.labels, problem, resource.labels)
        answers = base_answers(shared.model_logits(model, images), posed)
        yield from _of_base(shared, model, _OnProblem(problem, posed, module=""), answers, spent)
        return
    posed = pose_labels(images.labels, resource.labels, range(len(resource.labels)))
    answered = model_answers(shared.model_logits(model, images), posed)
    figures = posed_figures(answered, posed)
    found = evaluation_of(
        shared, model, figures, len(images), spent=spent, discrimination=discrimination(answered, posed)
    )
    yield found
    if shared.plan.request.in_int8:
        measured = Measured(
            resource, model.network, model.input_spec, resource.labels, found, posed, lambda z: model_answers(z, posed)
        )
        yield measure_in_int8(shared, measured, images.images)


def _measure_module(shared: Measuring, resource: Module) -> Iterator[Evaluation]:
    """The module over the whole split, and its base where that is asked for, which runs once for all its modules."""
    bench = shared.bench
    base = load_model(bench.client, bench.cache, bench.resources.model(resource.base_model))
    module = load_module(bench.client, bench.cache, resource, base)
    images = shared.images(base.resource, resource.problem.labels)
    asked = _OnProblem(
        resource.problem, pose_split(images.labels, resource.problem, base.resource.labels), module=resource.name
    )
    answers = own_answers(split_logits(module.network, images.images, shared.run(base.input_spec)), asked.posed)
    own = _of_module(shared, module, asked, answers)
    yield from _with_baselines(shared, module, asked, images, answers, own)
    if shared.plan.request.in_int8:
        measured = Measured(
            resource,
            module.network,
            base.input_spec,
            module.network.outputs,
            own,
            asked.posed,
            lambda z: own_answers(z, asked.posed),
        )
        yield measure_in_int8(shared, measured, images.images)


def _with_baselines(
    shared: Measuring, module: LoadedModule, asked: _OnProblem, images: ImageSet, answers: Answers, own: Evaluation
) -> Iterator[Evaluation]:
    """What was measured of a module, and of its base where that is asked for."""
    base, resource = module.base, module.resource
    if not shared.plan.request.baselines:
        yield own
        return
    rivals = base_answers(shared.model_logits(base, images), asked.posed)
    compared = list(_of_base(shared, base, asked, rivals, _spent(shared, base)))
    own = replace(own, against_base=against_base(answers, rivals, asked.posed))
    if shared.kernels is not None:
        gain = _accuracy(own) - next(_accuracy(e) for e in compared if e.scoring is Scoring.RESTRICTED)
        posed_images = pose(images, resource.problem, base.resource.labels)
        own = replace(own, modularity=modularity(module, posed_images, gain, shared.kernels, shared.device))
    yield own
    yield from compared


@dataclass(frozen=True, slots=True)
class _OnProblem:
    """A problem posed on the split, and the module that it is of; empty for a problem of the caller's."""

    problem: Problem
    posed: PosedSplit
    module: str


def _of_module(shared: Measuring, module: LoadedModule, asked: _OnProblem, answers: Answers) -> Evaluation:
    base, resource = module.base, module.resource
    kept = kept_of_base(base.network, module.artifact)
    spent = cost_of(shared, module.network, base.input_spec, resource.artifact.size_bytes)
    found = evaluation_of(
        shared,
        base,
        posed_figures(answers, asked.posed),
        len(asked.posed.chosen),
        spent=spent,
        discrimination=discrimination(answers, asked.posed),
        module=asked.module,
        problem=asked.problem,
    )
    return replace(
        found,
        subject=resource.name,
        subject_digest=resource.artifact.digest,
        retention=retention(base.network, kept.masks, kept.rewritten),
    )


def _accuracy(evaluation: Evaluation) -> float:
    return evaluation.classification.accuracy if evaluation.classification else 0.0


def _of_base(
    shared: Measuring, base: LoadedModel, asked: _OnProblem, answers: BaseAnswers, spent: CostMetrics
) -> Iterator[Evaluation]:
    """The model on the problem, predicting over all labels and restricted to those of the problem."""
    outside = not asked.posed.rest
    told_apart = base_discrimination(answers, asked.posed)
    restricted = told_apart if asked.posed.rest else discrimination(answers.restricted, asked.posed)
    for scoring, figures, all_samples in (
        (Scoring.ALL_OUTPUTS, posed_figures(answers.all_labels, asked.posed, outside_column=outside), told_apart),
        (Scoring.RESTRICTED, posed_figures(answers.restricted, asked.posed), restricted),
    ):
        yield evaluation_of(
            shared,
            base,
            figures,
            len(asked.posed.chosen),
            spent=spent,
            discrimination=all_samples,
            module=asked.module,
            problem=asked.problem,
            scoring=scoring,
        )


def _spent(shared: Measuring, model: LoadedModel) -> CostMetrics:
    model.network.to(shared.device)
    return cost_of(shared, model.network, model.input_spec, model.resource.weights.size_bytes)
