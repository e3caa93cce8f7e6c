"""Measures compositions, on one data set or on several at once, beside what they were compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from modelfoundry.client import Composition, CostMetrics, Dataset, EvaluatedPart, Evaluation, Scoring
from modelfoundry.core.composing import ensemble_probabilities
from modelfoundry.core.datasets import ImageSet, align_labels, read_split
from modelfoundry.core.evaluation import discrimination, model_answers, pose_labels, posed_figures, split_logits
from modelfoundry.core.metrics import classification
from modelfoundry.evaluator.in_int8 import Measured, measure_in_int8
from modelfoundry.evaluator.measuring import Measuring, cost_of, evaluation_of
from modelfoundry.values.kinds import Kind
from modelfoundry.values.problems import MultiClassProblem
from modelfoundry.workbench.compositions import ENSEMBLE, label_names_in
from modelfoundry.workbench.networks import LoadedComposition, LoadedModel, load_composition, load_model
from modelfoundry.workbench.splits import find_split
from modelfoundry.workbench.subject_names import subject_collection


def measure_composition(shared: Measuring, composition: Composition) -> Iterator[Evaluation]:
    """The composition, then, where baselines are asked for, what it could be replaced by."""
    posed = _posed_labels(shared, composition)
    own = load_composition(shared.bench.resources, shared.bench.cache, composition)
    found = _measure_on(shared, own, posed)
    yield found.evaluation
    if shared.plan.request.in_int8:
        yield _in_int8(shared, own, posed, found.evaluation)
    if not shared.plan.request.baselines:
        return
    if len(posed.parts) > 1:
        scores = classification(_within_parts(found.logits, posed), posed.images.labels, posed.labels)
        yield replace(found.evaluation, scoring=Scoring.RESTRICTED, classification=scores, discrimination=None)
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
            classification=scores,
            discrimination=None,
            cost=_sum_of_costs([rival.evaluation.cost for rival in rivals if rival.evaluation.cost is not None]),
        )


def _in_int8(shared: Measuring, own: LoadedComposition, posed: _PosedLabels, found: Evaluation) -> Evaluation:
    labels = own.resource.labels
    asked = pose_labels(posed.images.labels, posed.labels, [labels.index(label) for label in posed.labels])
    measured = Measured(
        own.resource,
        own.network,
        own.input_spec,
        labels,
        found,
        asked,
        lambda z: model_answers(z, asked),
        outside_column=not posed.whole,
    )
    return measure_in_int8(shared, measured, posed.images.images)


@dataclass(frozen=True, slots=True)
class _PosedLabels:
    """Images of some labels, with their places among these as label numbers."""

    images: ImageSet
    labels: tuple[str, ...]
    parts: tuple[EvaluatedPart, ...]
    """Where the images come from, in their order."""
    whole: bool
    """Whether these are all labels of the composition."""


@dataclass(frozen=True, slots=True)
class _Measured:
    evaluation: Evaluation
    logits: Tensor
    """For the labels posed, float32 [n, labels]."""


def _posed_labels(shared: Measuring, composition: Composition) -> _PosedLabels:
    datasets = (shared.dataset, *shared.plan.other_datasets)
    names = [label_names_in(composition, dataset) for dataset in datasets]
    labels = tuple(label for label in composition.labels if any(label in each for each in names))
    images: list[ImageSet] = []
    for dataset, each in zip(datasets, names, strict=True):
        numbers = torch.tensor([labels.index(label) for label in each])
        found = align_labels(_split_of(shared, dataset), dataset.labels, tuple(each.values()))
        images.append(ImageSet(found.images, numbers[found.labels]))
    parts = [
        EvaluatedPart(dataset=dataset.name, dataset_digest=dataset.digest, labels=tuple(each), sample_count=len(found))
        for dataset, each, found in zip(datasets, names, images, strict=True)
    ]
    together = images[0]
    if len(images) > 1:
        together = ImageSet(torch.cat([each.images for each in images]), torch.cat([each.labels for each in images]))
    return _PosedLabels(together, labels, tuple(parts), len(labels) == len(composition.labels))


def _split_of(shared: Measuring, dataset: Dataset) -> ImageSet:
    part = find_split(dataset, shared.plan.request.split, field="split")
    return read_split(shared.bench.cache.fetch(shared.bench.client, part.content.digest))


def _load_rival(shared: Measuring, name: str) -> LoadedModel | LoadedComposition:
    bench = shared.bench
    if subject_collection(name, field="subject") == Kind.MODEL:
        return load_model(bench.client, bench.cache, bench.resources.model(name))
    return load_composition(bench.resources, bench.cache, bench.resources.composition(name))


def _measure_on(shared: Measuring, subject: LoadedModel | LoadedComposition, posed: _PosedLabels) -> _Measured:
    """A model or composition on labels that it has: what it says in favour of others is wrong."""
    subject.network.to(shared.device)
    logits = split_logits(subject.network, posed.images.images, shared.run(subject.input_spec))
    indices = [subject.resource.labels.index(label) for label in posed.labels]
    asked = pose_labels(posed.images.labels, posed.labels, indices)
    answers = model_answers(logits, asked)
    found = posed_figures(answers, asked, outside_column=not posed.whole)
    size = subject.resource.weights.size_bytes if isinstance(subject, LoadedModel) else 0
    evaluation = evaluation_of(
        shared,
        subject,
        found,
        len(posed.images),
        spent=cost_of(shared, subject.network, subject.input_spec, size),
        discrimination=discrimination(answers, asked),
        problem=None if posed.whole or len(posed.labels) < 2 else MultiClassProblem(posed.labels),
    )
    parts = posed.parts if len(posed.parts) > 1 else ()
    return _Measured(replace(evaluation, parts=parts), logits[:, indices])


def _within_parts(logits: Tensor, posed: _PosedLabels) -> Tensor:
    """The best of the labels that come from the data set of each image, int64 [n].

    Args:
        logits: For the labels posed, [n, labels].
        posed: What was asked.
    """
    found = []
    for part, rows in zip(posed.parts, torch.split(logits, [part.sample_count for part in posed.parts]), strict=True):
        columns = torch.tensor([posed.labels.index(label) for label in part.labels])
        found.append(columns[rows[:, columns].argmax(dim=1)])
    return torch.cat(found)


def _sum_of_costs(costs: list[CostMetrics]) -> CostMetrics:
    return CostMetrics(
        macs_dense=sum(each.macs_dense for each in costs),
        macs_sparse=sum(each.macs_sparse for each in costs),
        parameter_bytes=sum(each.parameter_bytes for each in costs),
        artifact_bytes=sum(each.artifact_bytes for each in costs),
    )
