"""Measures the subjects of a planned evaluation and stores what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from modelfoundry.artifacts.convert import (
    classification_to,
    cost_to,
    environment_to,
    modularity_to,
    problem_from,
    problem_to,
    retention_to,
)
from modelfoundry.artifacts.jobs import Workbench
from modelfoundry.artifacts.networks import LoadedModel, load_model, load_module
from modelfoundry.artifacts.requests import derived_request_id
from modelfoundry.artifacts.splits import load_split
from modelfoundry.client import CostMetrics, Dataset, Environment, Evaluation, Model, Scoring
from modelfoundry.core.architectures import InputSpec
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.evaluation import Run, baselines, evaluate_model, evaluate_module, pose
from modelfoundry.core.metrics import ClassificationMetrics, cost, latency, retention
from modelfoundry.core.problems import Problem
from modelfoundry.evaluator.modularity import KernelSets, modularity
from modelfoundry.evaluator.plan import EvaluationPlan


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all measurements of one job have in common."""

    plan: EvaluationPlan
    operation: str
    bench: Workbench
    device: torch.device
    environment: Environment
    kernels: KernelSets | None
    """For measuring modules as software modules, where that was asked for."""

    @property
    def dataset(self) -> Dataset:
        return self.plan.dataset

    def run(self, input_spec: InputSpec) -> Run:
        return Run(input_spec, self.device)

    def images(self, model: Model, needed: tuple[str, ...]) -> ImageSet:
        """The split, with label numbers of the model."""
        return load_split(
            self.bench.client, self.bench.cache, self.dataset, self.plan.request.split, model.labels, needed
        )


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
    kernels = KernelSets(plan, bench.client, bench.cache) if plan.request.modularity else None
    shared = _Bench(plan, operation, bench, device, environment_to(environment(device)), kernels)
    names: list[str] = []
    for place, subject in enumerate(plan.subjects):
        bench.monitor.check_cancelled()
        bench.monitor.progress("measuring", place, len(plan.subjects), "subject", {})
        measure = _measure_model if isinstance(subject, Model) else _measure_module
        for found in measure(shared, subject.name):
            request_id = derived_request_id(operation, f"evaluation/{len(names)}")
            names.append(bench.client.evaluations.create(found, request_id=request_id).name)
    bench.monitor.progress("measured", len(plan.subjects), len(plan.subjects), "subject", {})
    return names


def _measure_model(shared: _Bench, name: str) -> Iterator[Evaluation]:
    model = load_model(shared.bench.client, shared.bench.cache, name)
    model.network.to(shared.device)
    spent = _cost(shared, model.network, model.input_spec, model.resource.weights.size_bytes)
    problem = shared.plan.request.problem
    if problem is not None:
        yield from _baselines(shared, model, problem, module="", spent=spent)
        return
    images = shared.images(model.resource, model.resource.labels)
    found = evaluate_model(model.network, images, model.resource.labels, shared.run(model.input_spec))
    yield _evaluation(shared, model, found, len(images), spent=spent)


def _measure_module(shared: _Bench, name: str) -> Iterator[Evaluation]:
    module = load_module(shared.bench.client, shared.bench.cache, name)
    base = module.base
    module.network.to(shared.device)
    problem = problem_from(module.resource.problem)
    posed = _posed(shared, base, problem)
    found = evaluate_module(module.network, posed, shared.run(base.input_spec))
    spent = _cost(shared, module.network, base.input_spec, module.resource.artifact.size_bytes)
    own = replace(
        _evaluation(shared, base, found, len(posed), spent=spent, module=name, problem=problem),
        subject=name,
        subject_digest=module.resource.artifact.digest,
        retention=retention_to(retention(base.network, module.artifact.masks)),
    )
    compared: list[Evaluation] = []
    if shared.plan.request.baselines:
        base.network.to(shared.device)
        spent = _cost(shared, base.network, base.input_spec, base.resource.weights.size_bytes)
        compared = list(_baselines(shared, base, problem, module=name, spent=spent))
    if shared.kernels is not None:
        gain = _accuracy(own) - next(_accuracy(e) for e in compared if e.scoring is Scoring.RESTRICTED)
        measured = modularity(module, posed, gain, shared.kernels, shared.device)
        own = replace(own, modularity=modularity_to(measured))
    yield own
    yield from compared


def _accuracy(evaluation: Evaluation) -> float:
    return evaluation.classification.accuracy if evaluation.classification else 0.0


def _baselines(
    shared: _Bench, base: LoadedModel, problem: Problem, *, module: str, spent: CostMetrics
) -> Iterator[Evaluation]:
    """The model on the problem, predicting over all labels and restricted to those of the problem."""
    posed = _posed(shared, base, problem)
    found = baselines(base.network, posed, problem, base.resource.labels, shared.run(base.input_spec))
    for scoring, scores in (
        (Scoring.ALL_OUTPUTS, found.all_outputs),
        (Scoring.RESTRICTED, found.restricted),
    ):
        yield _evaluation(
            shared, base, scores, len(posed), spent=spent, module=module, problem=problem, scoring=scoring
        )


def _posed(shared: _Bench, base: LoadedModel, problem: Problem) -> ImageSet:
    return pose(shared.images(base.resource, problem.labels), problem, base.resource.labels)


def _evaluation(
    shared: _Bench,
    model: LoadedModel,
    found: ClassificationMetrics,
    samples: int,
    *,
    spent: CostMetrics,
    module: str = "",
    problem: Problem | None = None,
    scoring: Scoring = Scoring.ALL_OUTPUTS,
) -> Evaluation:
    return Evaluation(
        subject=model.resource.name,
        subject_digest=model.resource.weights.digest,
        dataset=shared.dataset.name,
        dataset_digest=shared.dataset.digest,
        split=shared.plan.request.split,
        operation=shared.operation,
        environment=shared.environment,
        module=module,
        problem=None if problem is None else problem_to(problem),
        scoring=scoring,
        sample_count=samples,
        classification=classification_to(found),
        cost=spent,
    )


def _cost(shared: _Bench, network: nn.Module, input_spec: InputSpec, artifact_bytes: int) -> CostMetrics:
    sizes = shared.plan.request.latency_batch_sizes
    times = latency(network, input_spec, sizes, device=shared.device, monitor=shared.bench.monitor) if sizes else ()
    return cost_to(cost(network, input_spec), artifact_bytes, tuple(times))
