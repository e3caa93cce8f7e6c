"""Measures the subjects of a planned evaluation and stores what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from modelfoundry.artifacts.compositions import ENSEMBLE, label_names_in
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
from modelfoundry.artifacts.networks import LoadedComposition, LoadedModel, load_composition, load_model, load_module
from modelfoundry.artifacts.requests import derived_request_id, subject_collection
from modelfoundry.artifacts.splits import find_split, load_split
from modelfoundry.client import Composition, CostMetrics, Dataset, Environment, Evaluation, Model, Module, Scoring
from modelfoundry.core.architectures import InputSpec
from modelfoundry.core.composing import ensemble_probabilities
from modelfoundry.core.datasets import ImageSet, align_labels, read_split
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.evaluation import (
    Run,
    baselines,
    evaluate_model,
    evaluate_module,
    pose,
    unrestricted_predictions,
)
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.metrics import ClassificationMetrics, classification, cost, latency, retention
from modelfoundry.core.problems import MultiClassProblem, Problem
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
        for found in _measure(shared, subject):
            request_id = derived_request_id(operation, f"evaluation/{len(names)}")
            names.append(bench.client.evaluations.create(found, request_id=request_id).name)
    bench.monitor.progress("measured", len(plan.subjects), len(plan.subjects), "subject", {})
    return names


def _measure(shared: _Bench, subject: Model | Module | Composition) -> Iterator[Evaluation]:
    match subject:
        case Model():
            return _measure_model(shared, subject.name)
        case Module():
            return _measure_module(shared, subject.name)
        case Composition():
            return _measure_composition(shared, subject)


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


def _measure_composition(shared: _Bench, composition: Composition) -> Iterator[Evaluation]:
    posed = _composition_images(shared, composition)
    own = load_composition(shared.bench.client, shared.bench.cache, composition.name)
    found = _measure_on(shared, own, posed)
    yield found.evaluation
    if not shared.plan.request.baselines:
        return
    rivals = [
        _measure_on(shared, _load_rival(shared, baseline.name), posed)
        for baseline in composition.record.baselines
        if baseline.name != ENSEMBLE
    ]
    yield from (rival.evaluation for rival in rivals)
    if len(rivals) > 1:
        probabilities = ensemble_probabilities([rival.logits for rival in rivals])
        scores = classification(probabilities.argmax(dim=1), posed.images.labels, posed.labels)
        yield replace(
            found.evaluation,
            scoring=Scoring.ENSEMBLE,
            classification=classification_to(scores),
            cost=_sum_of_costs([rival.evaluation.cost for rival in rivals if rival.evaluation.cost is not None]),
        )


@dataclass(frozen=True, slots=True)
class _PosedLabels:
    """Images of some labels, with their places among these as label numbers."""

    images: ImageSet
    labels: tuple[str, ...]
    whole: bool
    """Whether these are all labels of the composition."""


@dataclass(frozen=True, slots=True)
class _Measured:
    evaluation: Evaluation
    logits: Tensor
    """For the labels posed, float32 [n, labels]."""


def _composition_images(shared: _Bench, composition: Composition) -> _PosedLabels:
    names = label_names_in(composition, shared.dataset)
    part = find_split(shared.dataset, shared.plan.request.split, field="split")
    images = read_split(shared.bench.cache.fetch(shared.bench.client, part.content.digest))
    posed = align_labels(images, shared.dataset.labels, tuple(names.values()))
    return _PosedLabels(posed, tuple(names), len(names) == len(composition.labels))


def _load_rival(shared: _Bench, name: str) -> LoadedModel | LoadedComposition:
    load = load_model if subject_collection(name, field="subject") == "models" else load_composition
    return load(shared.bench.client, shared.bench.cache, name)


def _measure_on(shared: _Bench, subject: LoadedModel | LoadedComposition, posed: _PosedLabels) -> _Measured:
    """A model or composition on labels that it has: what it says in favour of others is wrong."""
    subject.network.to(shared.device)
    logits = predict_logits(
        subject.network, posed.images.images, subject.input_spec, batch_size=256, device=shared.device
    )
    indices = [subject.resource.labels.index(label) for label in posed.labels]
    problem = MultiClassProblem(posed.labels)
    predicted = unrestricted_predictions(logits, problem, indices)
    found = classification(predicted, posed.images.labels, posed.labels, outside_column=not posed.whole)
    size = subject.resource.weights.size_bytes if isinstance(subject, LoadedModel) else 0
    evaluation = _evaluation(
        shared,
        subject,
        found,
        len(posed.images),
        spent=_cost(shared, subject.network, subject.input_spec, size),
        problem=None if posed.whole or len(posed.labels) < 2 else problem,
    )
    return _Measured(evaluation, logits[:, indices])


def _sum_of_costs(costs: list[CostMetrics]) -> CostMetrics:
    return CostMetrics(
        macs_dense=sum(each.macs_dense for each in costs),
        macs_sparse=sum(each.macs_sparse for each in costs),
        parameter_bytes=sum(each.parameter_bytes for each in costs),
        artifact_bytes=sum(each.artifact_bytes for each in costs),
    )


def _posed(shared: _Bench, base: LoadedModel, problem: Problem) -> ImageSet:
    return pose(shared.images(base.resource, problem.labels), problem, base.resource.labels)


def _evaluation(
    shared: _Bench,
    subject: LoadedModel | LoadedComposition,
    found: ClassificationMetrics,
    samples: int,
    *,
    spent: CostMetrics,
    module: str = "",
    problem: Problem | None = None,
    scoring: Scoring = Scoring.ALL_OUTPUTS,
) -> Evaluation:
    resource = subject.resource
    return Evaluation(
        subject=resource.name,
        subject_digest=resource.weights.digest if isinstance(resource, Model) else resource.digest,
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
