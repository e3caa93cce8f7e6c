"""Evaluations: what was measured of a model, module or composition, once, on one split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sqlalchemy import func
from sqlmodel import Session, col

from modelfoundry.errors import InvalidField
from modelfoundry.names import near, parse_name, parse_parent, shortened
from modelfoundry.registry.catalog.drafts import EvaluationDraft
from modelfoundry.registry.listing.fields import MomentField, NumberField, TextField
from modelfoundry.registry.listing.pages import Listing
from modelfoundry.registry.records.deletion import delete_resource
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.finding import Lock, find
from modelfoundry.registry.records.references import check_operation, check_reference
from modelfoundry.registry.records.shelf import Collection, Edge, Parent, Shelf
from modelfoundry.registry.records.tables import (
    CompositionRow,
    DatasetRow,
    EvaluationRow,
    ModelRow,
    ModuleRow,
)
from modelfoundry.values.kinds import Kind, kind_of
from modelfoundry.values.problems import resolve
from modelfoundry.values.resources import Relation

EVALUATIONS: Final = Listing(
    row=EvaluationRow,
    filterable={
        "name": TextField(col(EvaluationRow.name)),
        "subject": TextField(col(EvaluationRow.subject)),
        "module": TextField(col(EvaluationRow.module)),
        "dataset": TextField(col(EvaluationRow.dataset)),
        "dataset_digest": TextField(col(EvaluationRow.dataset_digest)),
        "split": TextField(col(EvaluationRow.split)),
        "accuracy": NumberField(col(EvaluationRow.accuracy)),
        "create_time": MomentField(col(EvaluationRow.create_time)),
    },
    sortable={
        "name": col(EvaluationRow.name),
        "create_time": col(EvaluationRow.create_time),
        "accuracy": func.coalesce(col(EvaluationRow.accuracy), -1.0),
    },
    default_order="create_time desc",
)


class Evaluations(Collection[EvaluationRow]):
    """All evaluations. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf, Kind.EVALUATION, EVALUATIONS)

    def create(self, call: CreateCall, draft: EvaluationDraft) -> EvaluationRow:
        """Stores a measurement.

        Raises:
            InvalidField, UnknownLabel: a field is wrong or does not belong to what was measured.
            NotFound: subject, module or data set are not there, or the data set has no such split.
            RequestIdReused: see `Collection`.
        """
        name, earlier = self._begin(call)
        if earlier is not None:
            return earlier
        project = parse_parent(call.parent)
        _check_draft(draft, project)
        subject, module, dataset = self._measured(draft, project)
        row = EvaluationRow(
            name=name,
            project=project,
            create_time=self._shelf.now(),
            subject=subject.name,
            subject_digest=draft.subject_digest,
            module=module.name if module else None,
            dataset=dataset.name,
            dataset_digest=dataset.digest,
            split=draft.split,
            operation=draft.operation,
            accuracy=draft.accuracy,
            content=dict(draft.content),
        )
        parents = [
            Parent(type(subject), subject.name, "evaluation.subject"),
            Parent(DatasetRow, dataset.name, "evaluation.dataset"),
            *([Parent(ModuleRow, module.name, "evaluation.module")] if module else []),
        ]
        return self._add(call, row, parents=parents, edges=_edges(draft, dataset))

    def delete(self, name: str) -> None:
        """Forgets a measurement.

        Raises:
            InvalidField: the name is malformed.
            NotFound: there is none of that name.
        """
        parse_name(name, self._name, field="name")
        with self._shelf.database.session() as session:
            row = find(session, EvaluationRow, name, field="name", lock=Lock.CHANGE)
            delete_resource(session, row, self._shelf.now(), cascade=False)

    def _measured(
        self, draft: EvaluationDraft, project: str
    ) -> tuple[ModelRow | ModuleRow | CompositionRow, ModuleRow | None, DatasetRow]:
        """Subject, the module whose problem was posed, and data set, each as the draft says."""
        with self._shelf.database.read_session() as session:
            dataset = find(session, DatasetRow, draft.dataset, field="evaluation.dataset")
            _check_dataset(draft, dataset)
            if kind_of(draft.subject) is Kind.MODULE:
                return *_measured_module(session, draft, project), dataset
            if kind_of(draft.subject) is Kind.COMPOSITION:
                composition = _measured_composition(session, draft, project)
                _check_parts(session, draft, composition)
                return composition, None, dataset
            return *_measured_model(session, draft, project), dataset


def _measured_module(session: Session, draft: EvaluationDraft, project: str) -> tuple[ModuleRow, ModuleRow]:
    check_reference(draft.subject, Kind.MODULE, project, field="evaluation.subject")
    module = find(session, ModuleRow, draft.subject, field="evaluation.subject")
    if draft.module not in {"", module.name}:
        raise InvalidField(
            f"evaluation.module is {shortened(draft.module)}, the subject is {module.name}",
            field="evaluation.module",
            hint="leave it empty: a module is measured on its own problem",
        )
    base = find(session, ModelRow, module.base_model, field="evaluation.subject")
    _check_subject(draft, module.artifact_digest, base.labels)
    return module, module


def _measured_model(session: Session, draft: EvaluationDraft, project: str) -> tuple[ModelRow, ModuleRow | None]:
    check_reference(draft.subject, Kind.MODEL, project, field="evaluation.subject")
    model = find(session, ModelRow, draft.subject, field="evaluation.subject")
    _check_subject(draft, model.weights_digest, model.labels)
    if not draft.module:
        return model, None
    check_reference(draft.module, Kind.MODULE, project, field="evaluation.module")
    module = find(session, ModuleRow, draft.module, field="evaluation.module")
    if module.base_model != model.name:
        raise InvalidField(
            f"evaluation.module: {module.name} is a part of {module.base_model}, not of {model.name}",
            field="evaluation.module",
            hint="a baseline is measured on the base model of its module",
        )
    return model, module


def _measured_composition(session: Session, draft: EvaluationDraft, project: str) -> CompositionRow:
    check_reference(draft.subject, Kind.COMPOSITION, project, field="evaluation.subject")
    composition = find(session, CompositionRow, draft.subject, field="evaluation.subject")
    _check_subject(draft, composition.digest, composition.labels)
    if draft.module:
        raise InvalidField(
            f"evaluation.module is {shortened(draft.module)}, the subject is {composition.name}",
            field="evaluation.module",
            hint="leave it empty: a composition is a baseline for no module",
        )
    return composition


def _check_parts(session: Session, draft: EvaluationDraft, composition: CompositionRow) -> None:
    """Checks that several data sets are some of those that keep the composition, and stay as long as it does."""
    names = [part.dataset for part in draft.parts]
    for place, part in enumerate(draft.parts):
        field = f"evaluation.parts[{place}]"
        if part.dataset not in composition.datasets or part.dataset in names[:place]:
            raise InvalidField(
                f"{field}.dataset: {shortened(part.dataset)} is there twice or no data set of {composition.name}",
                field=f"{field}.dataset",
                hint=f"name each of {', '.join(composition.datasets)} once at most",
            )
        dataset = find(session, DatasetRow, part.dataset, field=f"{field}.dataset")
        _check_dataset(replace(draft, dataset_digest=part.dataset_digest), dataset, field)


def _check_draft(draft: EvaluationDraft, project: str) -> None:
    check_reference(draft.dataset, Kind.DATASET, project, field="evaluation.dataset")
    if draft.parts and (draft.parts[0].dataset != draft.dataset or kind_of(draft.subject) is not Kind.COMPOSITION):
        raise InvalidField(
            f"evaluation.parts: they are not those of a composition that was measured on {draft.dataset} first",
            field="evaluation.parts",
            hint="leave them empty, or begin with the part of evaluation.dataset",
        )
    check_operation(draft.operation, project, field="evaluation.operation")
    if not draft.scored:
        raise InvalidField(
            "evaluation.scoring is not set",
            field="evaluation.scoring",
            hint="pass ALL_OUTPUTS, RESTRICTED, ENSEMBLE or IN_INT8",
        )
    if draft.sample_count < 0:
        raise InvalidField(
            f"evaluation.sample_count is {draft.sample_count}", field="evaluation.sample_count", hint="pass 0 or more"
        )
    if draft.accuracy is not None and not 0 <= draft.accuracy <= 1:
        raise InvalidField(
            f"evaluation.classification.accuracy is {draft.accuracy}",
            field="evaluation.classification.accuracy",
            hint="pass a share from 0 to 1",
        )


def _check_subject(draft: EvaluationDraft, digest: str, labels: Sequence[str]) -> None:
    if draft.subject_digest != digest:
        raise InvalidField(
            f"evaluation.subject_digest is {shortened(draft.subject_digest)!r}, {draft.subject} has {digest}",
            field="evaluation.subject_digest",
            hint="measure the subject as it is stored",
        )
    if draft.problem is not None:
        resolve(draft.problem, labels, field="evaluation.problem")


def _check_dataset(draft: EvaluationDraft, dataset: DatasetRow, field: str = "evaluation") -> None:
    if draft.dataset_digest != dataset.digest:
        raise InvalidField(
            f"{field}.dataset_digest is {shortened(draft.dataset_digest)!r}, {dataset.name} has {dataset.digest}",
            field=f"{field}.dataset_digest",
            hint="measure on the data set as it is stored",
        )
    splits = [str(split["split"]) for split in dataset.splits]
    if draft.split not in splits:
        suggestions = near(draft.split, splits)
        raise InvalidField(
            f"evaluation.split: {dataset.name} has no split {shortened(draft.split)!r}",
            field="evaluation.split",
            hint=f"did you mean {suggestions[0]}?" if suggestions else f"it has {', '.join(splits)}",
        )


def _edges(draft: EvaluationDraft, dataset: DatasetRow) -> list[Edge]:
    edges = [
        Edge(Relation.EVALUATES, draft.subject, draft.subject_digest),
        Edge(Relation.MEASURED_ON, dataset.name, dataset.digest),
        *(Edge(Relation.MEASURED_ON, part.dataset, part.dataset_digest) for part in draft.parts[1:]),
    ]
    if draft.operation:
        edges.append(Edge(Relation.PRODUCED_BY, draft.operation))
    return edges
