"""Carries a planned composition out: score candidates, choose members, compare, register."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.client import (
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    LabelChange,
    StrategyReport,
)
from modelfoundry.core.composing import (
    STRATEGIES,
    Candidate,
    ScoreTable,
    Selection,
    log_odds,
    replace_where_nothing_suffers,
    score_candidates,
    weak_labels,
)
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import environment, select_device
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.metrics import cost
from modelfoundry.errors import InvalidField
from modelfoundry.reuser.composing.plan import CompositionPlan
from modelfoundry.reuser.composing.request import Patch
from modelfoundry.reuser.composing.rivals import measure_rivals, parameter_count
from modelfoundry.reuser.composing.validation_images import validation_images
from modelfoundry.reuser.subjects import compacted_composition, subject_of_members
from modelfoundry.values.doubts import LEAST_SAMPLES
from modelfoundry.values.kinds import Kind
from modelfoundry.values.results import Replacement
from modelfoundry.workbench.compositions import IMAGES_SETTING
from modelfoundry.workbench.jobs import Workbench, derived_request_id
from modelfoundry.workbench.networks import (
    LoadedModel,
    LoadedModule,
    load_model,
    load_module,
    load_sources,
)
from modelfoundry.workbench.subject_names import subject_collection

BATCH_SIZE = 256


@dataclass(frozen=True, slots=True)
class Composed:
    """Name of a registered composition, and what became of the labels of a patched model."""

    name: str
    replacements: tuple[Replacement, ...]


def compose(plan: CompositionPlan, operation: str, bench: Workbench) -> Composed:
    """Chooses the members of one composition and registers it.

    Args:
        plan: What to choose from.
        operation: Name of the job, for provenance and for registering at most once.
        bench: What it computes with.

    Raises:
        InvalidField: a patch of which nothing is left, because no label is weak or no replacement is an improvement.
    """
    device = select_device(plan.request.device)
    images = validation_images(plan, bench.client, bench.cache)
    if len(images) < LEAST_SAMPLES:
        bench.monitor.warn(
            f"members are chosen on {len(images)} validation samples, too few to tell good ones from bad ones; "
            f"{LEAST_SAMPLES} or more are needed: raise the validation fraction"
        )
    table = _table(plan, images, device, bench)
    choices = {name: _choose(plan, table, name) for name in STRATEGIES}
    chosen = choices[plan.request.strategy]
    _check_patched(chosen)
    bench.monitor.progress("comparing", 0, len(plan.rivals) + 1, "network", {})
    rivals = measure_rivals(plan, images, device, bench)
    members = _members(table, chosen.selection)
    sources = load_sources(bench.resources, bench.cache, (member.source for member in members))
    joined = compacted_composition(subject_of_members(sources, members))
    record = CompositionRecord(
        strategy=plan.request.strategy,
        score=plan.request.score,
        settings=_settings(plan),
        calibrated=plan.request.calibrate,
        validation=plan.request.validation,
        validation_samples=len(images),
        validation_accuracy=table.metrics(chosen.selection).accuracy,
        strategies=tuple(
            StrategyReport(
                strategy=name,
                validation_accuracy=table.metrics(choice.selection).accuracy,
                sources=tuple(each.candidate.source for each in table.members(choice.selection)),
            )
            for name, choice in choices.items()
        ),
        baselines=rivals,
        parameters=parameter_count(joined.network),
        macs=cost(joined.network, joined.input_spec).macs_dense,
        label_changes=_label_changes(table, chosen),
        operation=operation,
        environment=environment(device),
        cache_key=plan.cache_key,
    )
    bench.monitor.check_cancelled()
    composition = Composition(
        task=plan.task,
        members=members,
        input=joined.input_spec,
        datasets=tuple(dataset.name for dataset in plan.datasets),
        base_model=plan.request.task.model if isinstance(plan.request.task, Patch) else "",
        record=record,
    )
    # The id follows from the job: a job that was taken up again after this line finds what it made, and makes no other.
    for doubt in composition.doubts:
        bench.monitor.warn(doubt.text)
    created = bench.client.compositions.create(
        composition,
        composition_id=_composition_id(plan, operation),
        request_id=derived_request_id(operation, "composition"),
    )
    bench.monitor.progress("stored", len(plan.rivals) + 1, len(plan.rivals) + 1, "network", {})
    return Composed(created.name, chosen.replacements)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What one strategy came to."""

    selection: Selection
    own: Selection | None = None
    """Of a patch: the model as it is."""
    replacements: tuple[Replacement, ...] = ()


def _choose(plan: CompositionPlan, table: ScoreTable, strategy: str) -> _Choice:
    selection = STRATEGIES[strategy](table)
    if not isinstance(plan.request.task, Patch):
        return _Choice(selection)
    own = tuple(table.place(label, plan.request.task.model) for label in table.labels)
    taken, replacements = replace_where_nothing_suffers(table, own, selection)
    return _Choice(taken, own, replacements)


def _table(plan: CompositionPlan, images: ImageSet, device: torch.device, bench: Workbench) -> ScoreTable:
    scored = list(_log_odds(plan, images, device, bench))
    task = plan.request.task
    if isinstance(task, Patch):
        weak = task.labels or _weak_labels(plan, task, scored, images.labels)
        scored = [entry for entry in scored if entry[0].source == task.model or entry[0].label in weak]
    return score_candidates(
        scored, plan.labels, images.labels, score=plan.request.score, calibrate=plan.request.calibrate
    )


def _weak_labels(
    plan: CompositionPlan, task: Patch, scored: Sequence[tuple[Candidate, Tensor]], true: Tensor
) -> tuple[str, ...]:
    own = [entry for entry in scored if entry[0].source == task.model]
    table = score_candidates(own, plan.labels, true, score=plan.request.score, calibrate=False)
    weak = weak_labels(table.metrics((0,) * len(plan.labels)))
    if not weak:
        raise InvalidField(
            f"patch.labels: no label of {task.model} is weak: none has an F1 of more than one standard deviation below "
            "the mean",
            field="patch.labels",
            hint="name the labels to replace, or leave the model as it is",
        )
    return weak


def _log_odds(
    plan: CompositionPlan, images: ImageSet, device: torch.device, bench: Workbench
) -> Iterator[tuple[Candidate, Tensor]]:
    """Every candidate with what it says about the validation images; every source is run once."""
    by_source: dict[str, list[Candidate]] = {}
    for candidate in plan.candidates:
        by_source.setdefault(candidate.source, []).append(candidate)
    base: LoadedModel | None = None  # the last one alone: candidates come by model, and memory holds two networks
    for place, (name, candidates) in enumerate(by_source.items()):
        bench.monitor.check_cancelled()
        bench.monitor.progress("scoring candidates", place, len(by_source), "source", {})
        loaded: LoadedModel | LoadedModule
        if subject_collection(name, field="source") == Kind.MODEL:
            loaded = base = load_model(bench.client, bench.cache, bench.resources.model(name))
        else:
            module = bench.resources.module(name)
            if base is None or base.resource.name != module.base_model:
                base = load_model(bench.client, bench.cache, bench.resources.model(module.base_model))
            loaded = load_module(bench.client, bench.cache, module, base)
        logits = predict_logits(loaded.network, images.images, loaded.input_spec, batch_size=BATCH_SIZE, device=device)
        for candidate in candidates:
            yield candidate, log_odds(logits, loaded.readout(candidate.source_label))


def _members(table: ScoreTable, selection: Selection) -> tuple[CompositionMember, ...]:
    return tuple(
        CompositionMember(
            label=each.candidate.label,
            source=each.candidate.source,
            source_label=each.candidate.source_label,
            scale=each.calibration.scale,
            bias=each.calibration.bias,
            validation_score=each.score,
        )
        for each in table.members(selection)
    )


def _check_patched(chosen: _Choice) -> None:
    if chosen.own is None or chosen.selection != chosen.own:
        return
    told = "; ".join(f"{each.label}: {each.refusal}" for each in chosen.replacements[:5])
    raise InvalidField(
        f"patch.sources: no replacement would improve the model ({told or 'its own outputs are the best'})",
        field="patch.sources",
        hint="name other sources, calibrate, or leave the model as it is",
    )


def _settings(plan: CompositionPlan) -> dict[str, object]:
    if plan.task is not CompositionTask.NEW_TASK:
        return {}
    images = zip(plan.labels, plan.images, strict=True)
    return {IMAGES_SETTING: {label: [each.dataset, each.label] for label, each in images}}


def _label_changes(table: ScoreTable, chosen: _Choice) -> tuple[LabelChange, ...]:
    if chosen.own is None:
        return ()
    before, after = (table.metrics(each).per_label for each in (chosen.own, chosen.selection))
    return tuple(LabelChange(old.label, old.f1, new.f1) for old, new in zip(before, after, strict=True))


def _composition_id(plan: CompositionPlan, operation: str) -> str:
    """The planned id; a composition that was forced stands beside the one that was there."""
    if plan.request.force and not plan.request.composition_id:
        return f"{plan.composition_id[:56].strip('-')}-{operation.rpartition('/')[2][-6:]}"
    return plan.composition_id
