"""Rules for compositions that need nothing but the request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from modelfoundry.errors import InvalidField, TestSplitSealed
from modelfoundry.names import shortened
from modelfoundry.registry.catalog.composition_sources import check_source_name
from modelfoundry.registry.catalog.drafts import CompositionDraft, CompositionRecordDraft
from modelfoundry.registry.catalog.models import check_input
from modelfoundry.registry.records.references import check_operation, check_reference
from modelfoundry.registry.records.wording import check_about, check_labels, check_line
from modelfoundry.values.compositions import CompositionMember, CompositionTask
from modelfoundry.values.kinds import Kind

MAX_KEY: Final = 200
MAX_DATASETS: Final = 100


def check_composition(draft: CompositionDraft, project: str) -> None:
    """Checks all that can be said without looking anything up.

    Raises:
        InvalidField: a field is missing, malformed or out of range, or a label is there twice.
        TestSplitSealed: something was chosen on test data.
    """
    check_about(draft.about, "composition")
    if draft.task is None:
        raise InvalidField(
            "composition.task is not set",
            field="composition.task",
            hint=f"pass {', '.join(f'TASK_{task.name}' for task in CompositionTask)}",
        )
    _check_members(draft.members, project, field="composition.members")
    check_input(draft.input, field="composition.input")
    _check_base_name(draft, project, field="composition.base_model")
    _check_dataset_names(draft, project, field="composition.datasets")
    _check_record(draft.record, project, field="composition.record")


def _check_members(members: Sequence[CompositionMember], project: str, *, field: str) -> None:
    seen: dict[str, int] = {}
    for index, member in enumerate(members):
        path = f"{field}[{index}]"
        if member.label in seen:
            raise InvalidField(
                f"{path}.label: {shortened(member.label)!r} is also the label of member {seen[member.label]}",
                field=f"{path}.label",
                hint="choose one source for every label",
            )
        seen[member.label] = index
        check_source_name(member.source, project, field=f"{path}.source")
        if not math.isfinite(member.scale) or not member.scale or not math.isfinite(member.bias):
            raise InvalidField(
                f"{path}: scale is {member.scale}, bias is {member.bias}",
                field=f"{path}.bias" if math.isfinite(member.scale) and member.scale else f"{path}.scale",
                hint="pass finite numbers and a scale that is not 0; scale 1 and bias 0 when it was not calibrated",
            )
        _check_share(member.validation_score, field=f"{path}.validation_score")
    check_labels(list(seen), field=field, spaced=True)


def _check_base_name(draft: CompositionDraft, project: str, *, field: str) -> None:
    if draft.task is CompositionTask.PATCH:
        check_reference(draft.base_model, Kind.MODEL, project, field=field)
    elif draft.base_model:
        raise InvalidField(
            f"{field} is set, the task is {draft.task.name if draft.task else 'unknown'}",
            field=field,
            hint="leave it empty, or pass TASK_PATCH",
        )


def _check_dataset_names(draft: CompositionDraft, project: str, *, field: str) -> None:
    names = draft.datasets
    if not 1 <= len(names) <= MAX_DATASETS:
        raise InvalidField(
            f"{field}: there are {len(names)}",
            field=field,
            hint=f"name 1 to {MAX_DATASETS} data sets that sources were chosen on",
        )
    for index, name in enumerate(names):
        check_reference(name, Kind.DATASET, project, field=f"{field}[{index}]")
        if name in names[:index]:
            raise InvalidField(
                f"{field}[{index}]: {name} is there twice", field=f"{field}[{index}]", hint="name every data set once"
            )
    if len(draft.record.dataset_digests) not in {0, len(names)}:
        raise InvalidField(
            f"composition.record.dataset_digests: there are {len(draft.record.dataset_digests)}"
            f" for {len(names)} data sets",
            field="composition.record.dataset_digests",
            hint="pass one for every data set, in the same order, or none",
        )


def _check_record(record: CompositionRecordDraft, project: str, *, field: str) -> None:
    if not record.strategy:
        raise InvalidField(
            f"{field}.strategy is empty", field=f"{field}.strategy", hint="pass for example per_label_best"
        )
    for part in ("strategy", "score", "cache_key"):
        check_line(getattr(record, part), MAX_KEY, field=f"{field}.{part}")
    check_operation(record.operation, project, field=f"{field}.operation")
    for path, value in record.shares.items():
        _check_share(value, field=f"{field}.{path}")
    if record.source_split == "test":
        raise TestSplitSealed(
            f"{field}.validation.source_split is test: nothing is ever chosen on test data",
            field=f"{field}.validation.source_split",
            hint="choose on a part of the training split",
        )


def _check_share(value: float, *, field: str) -> None:
    if not 0 <= value <= 1:
        raise InvalidField(f"{field} is {value}", field=field, hint="pass a share from 0 to 1")
