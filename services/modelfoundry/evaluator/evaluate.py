"""Measures the subjects of a planned evaluation and stores what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from modelfoundry.client import Composition, CostMetrics, Evaluation, Model, Module, Scoring
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.evaluation import (
    baselines,
    evaluate_model,
    evaluate_module,
    pose,
)
from modelfoundry.core.metrics import retention
from modelfoundry.core.modules import kept_of_base
from modelfoundry.evaluator.compositions import measure_composition
from modelfoundry.evaluator.measuring import Measuring, cost_of, evaluation_of
from modelfoundry.evaluator.modularity import KernelSets, modularity
from modelfoundry.evaluator.plan import EvaluationPlan
from modelfoundry.values.problems import Problem
from modelfoundry.workbench.jobs import Workbench, derived_request_id
from modelfoundry.workbench.networks import LoadedModel, load_model, load_module
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
    model.network.to(shared.device)
    spent = cost_of(shared, model.network, model.input_spec, model.resource.weights.size_bytes)
    problem = shared.plan.request.problem
    if problem is not None:
        yield from _baselines(shared, model, problem, module="", spent=spent)
        return
    images = shared.images(model.resource, model.resource.labels)
    found = evaluate_model(model.network, images, model.resource.labels, shared.run(model.input_spec))
    yield evaluation_of(shared, model, found, len(images), spent=spent)


def _measure_module(shared: Measuring, resource: Module) -> Iterator[Evaluation]:
    bench, name = shared.bench, resource.name
    base = load_model(bench.client, bench.cache, bench.resources.model(resource.base_model))
    module = load_module(bench.client, bench.cache, resource, base)
    module.network.to(shared.device)
    problem = module.resource.problem
    posed = _posed(shared, base, problem)
    found = evaluate_module(module.network, posed, shared.run(base.input_spec))
    spent = cost_of(shared, module.network, base.input_spec, module.resource.artifact.size_bytes)
    kept = kept_of_base(base.network, module.artifact)
    own = replace(
        evaluation_of(shared, base, found, len(posed), spent=spent, module=name, problem=problem),
        subject=name,
        subject_digest=module.resource.artifact.digest,
        retention=retention(base.network, kept.masks, kept.rewritten),
    )
    compared: list[Evaluation] = []
    if shared.plan.request.baselines:
        base.network.to(shared.device)
        spent = cost_of(shared, base.network, base.input_spec, base.resource.weights.size_bytes)
        compared = list(_baselines(shared, base, problem, module=name, spent=spent))
    if shared.kernels is not None:
        gain = _accuracy(own) - next(_accuracy(e) for e in compared if e.scoring is Scoring.RESTRICTED)
        measured = modularity(module, posed, gain, shared.kernels, shared.device)
        own = replace(own, modularity=measured)
    yield own
    yield from compared


def _accuracy(evaluation: Evaluation) -> float:
    return evaluation.classification.accuracy if evaluation.classification else 0.0


def _baselines(
    shared: Measuring, base: LoadedModel, problem: Problem, *, module: str, spent: CostMetrics
) -> Iterator[Evaluation]:
    """The model on the problem, predicting over all labels and restricted to those of the problem."""
    posed = _posed(shared, base, problem)
    found = baselines(base.network, posed, problem, base.resource.labels, shared.run(base.input_spec))
    for scoring, scores in (
        (Scoring.ALL_OUTPUTS, found.all_outputs),
        (Scoring.RESTRICTED, found.restricted),
    ):
        yield evaluation_of(
            shared, base, scores, len(posed), spent=spent, module=module, problem=problem, scoring=scoring
        )


def _posed(shared: Measuring, base: LoadedModel, problem: Problem) -> ImageSet:
    return pose(shared.images(base.resource, problem.labels), problem, base.resource.labels)
