"""Modules: the part of a model that solves one target problem."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from sqlalchemy import func
from sqlmodel import col

from modelfoundry.errors import InvalidField, TestSplitSealed
from modelfoundry.names import parse_name, parse_parent, shortened
from modelfoundry.registry.catalog.artifact_file import check_artifact
from modelfoundry.registry.catalog.drafts import FormsDraft, ModuleDraft, RecordDraft
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile, open_safetensors
from modelfoundry.registry.catalog.tensor_values import check_finite
from modelfoundry.registry.listing.fields import NumberField, TextField
from modelfoundry.registry.listing.pages import Listing, ListRequest, Page, fetch_page
from modelfoundry.registry.records.describing import (
    DescribedCollection,
    described,
    described_filters,
    described_order,
    new_etag,
)
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.finding import find
from modelfoundry.registry.records.listed_modules import WITHOUT_RECORD, ListedModule, packed_modules, packed_row
from modelfoundry.registry.records.references import check_operation, check_reference
from modelfoundry.registry.records.shelf import Edge, Parent, Shelf, Use
from modelfoundry.registry.records.tables import (
    DatasetRow,
    ModelRow,
    ModuleRow,
)
from modelfoundry.registry.records.wording import check_about, check_line
from modelfoundry.values.kinds import Kind
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem, Problem, resolve
from modelfoundry.values.resources import Relation

MAX_KEY: Final = 200

MODULES: Final = Listing(
    row=ModuleRow,
    filterable={
        **described_filters(ModuleRow),
        "base_model": TextField(col(ModuleRow.base_model)),
        "dataset": TextField(col(ModuleRow.dataset)),
        "algorithm": TextField(col(ModuleRow.algorithm)),
        "weight_retention": NumberField(col(ModuleRow.weight_retention)),
        "size_bytes": NumberField(col(ModuleRow.artifact_bytes)),
        "cache_key": TextField(col(ModuleRow.cache_key)),
    },
    sortable={
        **described_order(ModuleRow),
        "weight_retention": func.coalesce(col(ModuleRow.weight_retention), -1.0),
        "size_bytes": col(ModuleRow.artifact_bytes),
    },
    default_order="create_time desc",
)


class Modules(DescribedCollection[ModuleRow]):
    """All modules. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf, Kind.MODULE, MODULES)

    def create(self, call: CreateCall, draft: ModuleDraft) -> ModuleRow:
        """Registers a module whose artifact was uploaded.

        Raises:
            InvalidField, UnknownLabel, TestSplitSealed: a field is wrong.
            NotFound: base model or data set are not there.
            BlobMissing, MalformedFile, WeightsMismatch, NonFiniteWeights: the artifact is not there or not usable.
            AlreadyExists, RequestIdReused: see `Collection`.
        """
        name, earlier = self._begin(call)
        if earlier is not None:
            return earlier
        project = parse_parent(call.parent)
        problem = _check_draft(draft, project)
        base, dataset = self._parents(draft)
        resolve(problem, base.labels, field="module.problem")
        _check_dataset_digest(draft.record, dataset)
        artifact = open_safetensors(self._shelf.blobs, draft.artifact, field="module.artifact")
        check_artifact(artifact, base, problem)
        check_finite(self._shelf.blobs, artifact, field="module.artifact")
        row = self._new_row(name, draft, problem=problem, base=base, dataset=dataset, artifact=artifact)
        return self._add(
            call,
            row,
            parents=[
                Parent(ModelRow, base.name, "module.base_model"),
                Parent(DatasetRow, dataset.name, "module.dataset"),
            ],
            blobs=[Use(artifact.digest, "module.artifact.digest")],
            labels=problem.labels,
            edges=_edges(draft, base, dataset),
            parts=[packed_row(row)],
        )

    def listed(self, request: ListRequest) -> Page[ListedModule]:
        """Returns a page of a project's modules.

        Raises:
            InvalidField: an argument is not as the contract says.
        """
        project = parse_parent(request.parent)
        signer = self._shelf.signer
        listing = replace(MODULES, options=WITHOUT_RECORD)
        with self._shelf.database.read_session() as session:
            page = fetch_page(session, listing, col(ModuleRow.project) == project, request, signer)
            packed = packed_modules(session, [row.name for row in page.rows])
        return Page([ListedModule(row, packed[row.name]) for row in page.rows], page.tokens)

    def set_forms(self, name: str, draft: FormsDraft) -> ModuleRow:
        """Keeps what was measured of a module's forms, in place of an earlier measurement.

        Raises:
            InvalidField: a form is missing, or a figure cannot be.
            NotFound: there is no such module.
        """
        project = parse_name(name, Kind.MODULE, field="name").project
        _check_forms(draft)
        check_operation(draft.operation, project, field="forms.operation")
        with self._shelf.database.session() as session:
            row = self._locked(session, name, "", field="name")
            row.forms = dict(draft.content)
            row.etag = new_etag()
            row.update_time = max(self._shelf.now(), row.update_time)
            return row

    def delete(self, name: str, etag: str, *, cascade: bool = False) -> None:
        """Forgets a module together with its evaluations, those of its baselines included.

        Raises:
            NotFound: there is no such module.
            EtagMismatch: somebody else changed it.
            InUse: others than evaluations depend on it, or aliases stand for it, and `cascade` is not set; they are
                named.
        """
        self._delete(name, etag, cascade=cascade, carried=(Kind.EVALUATION,))

    def _new_row(
        self,
        name: str,
        draft: ModuleDraft,
        *,
        problem: Problem,
        base: ModelRow,
        dataset: DatasetRow,
        artifact: SafetensorsFile,
    ) -> ModuleRow:
        columns = described(name, base.project, draft.about, self._shelf.now())
        columns["license"] = draft.about.license or base.license
        return ModuleRow(
            **columns,
            base_model=base.name,
            base_digest=base.weights_digest,
            binary=isinstance(problem, BinaryProblem),
            open_set=isinstance(problem, OpenSetProblem),
            labels=list(problem.labels),
            artifact_digest=artifact.digest,
            artifact_bytes=artifact.size,
            dataset=dataset.name,
            algorithm=draft.record.algorithm,
            operation=draft.record.operation,
            cache_key=draft.record.cache_key,
            weight_retention=draft.weight_retention,
            record={**draft.record.content, "dataset_digest": dataset.digest},
            retention=None if draft.retention is None else dict(draft.retention),
        )

    def _parents(self, draft: ModuleDraft) -> tuple[ModelRow, DatasetRow]:
        with self._shelf.database.read_session() as session:
            base = find(session, ModelRow, draft.base_model, field="module.base_model")
            return base, find(session, DatasetRow, draft.dataset, field="module.dataset")


def _edges(draft: ModuleDraft, base: ModelRow, dataset: DatasetRow) -> list[Edge]:
    edges = [
        Edge(Relation.MODULE_OF, base.name, base.weights_digest),
        Edge(Relation.TRAINED_ON, dataset.name, dataset.digest),
    ]
    if draft.record.operation:
        edges.append(Edge(Relation.PRODUCED_BY, draft.record.operation))
    return edges


def _check_draft(draft: ModuleDraft, project: str) -> Problem:
    check_about(draft.about, "module")
    check_reference(draft.base_model, Kind.MODEL, project, field="module.base_model")
    check_reference(draft.dataset, Kind.DATASET, project, field="module.dataset")
    _check_record(draft.record, project)
    if draft.weight_retention is not None and not 0 <= draft.weight_retention <= 1:
        raise InvalidField(
            f"module.retention.weight_retention is {draft.weight_retention}",
            field="module.retention.weight_retention",
            hint="pass a share from 0 to 1",
        )
    if draft.problem is None:
        raise InvalidField(
            "module.problem is not set",
            field="module.problem",
            hint="set binary.label, multi_class.labels or open_set.labels",
        )
    return draft.problem


def _check_record(record: RecordDraft, project: str) -> None:
    if not record.algorithm:
        raise InvalidField(
            "module.record.algorithm is empty",
            field="module.record.algorithm",
            hint="pass the name of what found the masks",
        )
    check_line(record.algorithm, MAX_KEY, field="module.record.algorithm")
    check_line(record.cache_key, MAX_KEY, field="module.record.cache_key")
    check_operation(record.operation, project, field="module.record.operation")
    if record.source_split == "test":
        raise TestSplitSealed(
            "module.record.validation.source_split is test: nothing is ever chosen on test data",
            field="module.record.validation.source_split",
            hint="choose on a part of the training split",
        )
    check_line(record.calibration_split, MAX_KEY, field="module.record.calibration_split")
    if record.calibration_split.strip().casefold() == "test":
        raise TestSplitSealed(
            "module.record.calibration_split is test: nothing is ever fitted or chosen on test data",
            field="module.record.calibration_split",
            hint="fit on a split of other images that the model did not train on",
        )


def _check_forms(draft: FormsDraft) -> None:
    missing = [name for name in ("original", "masked", "compacted") if name not in draft.measured]
    if missing:
        raise InvalidField(
            f"forms.{missing[0]} is not set", field=f"forms.{missing[0]}", hint="measure all three forms in one run"
        )
    for figure, value in {**draft.figures, "max_difference": draft.max_difference}.items():
        if not 0 <= value < math.inf:
            raise InvalidField(f"forms.{figure} is {value}", field=f"forms.{figure}", hint="pass 0 or more")


def _check_dataset_digest(record: RecordDraft, dataset: DatasetRow) -> None:
    if record.dataset_digest not in {"", dataset.digest}:
        raise InvalidField(
            f"module.record.dataset_digest is {shortened(record.dataset_digest)}, {dataset.name} has {dataset.digest}",
            field="module.record.dataset_digest",
            hint="name the data set that was used",
        )
