"""A catalog on a real database, filled with rows that refer to one another but to no files."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from registry_rooms import followed_shelf
from sqlmodel import Session

from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.database import Database
from modelfoundry.registry.jobs.tables import OperationRow
from modelfoundry.registry.records.listed_modules import packed_row
from modelfoundry.registry.records.tables import (
    CompositionDatasetRow,
    CompositionRow,
    CompositionSourceRow,
    DatasetRow,
    EvaluationRow,
    LabelRow,
    ModelRow,
    ModuleRow,
    ProvenanceRow,
    ResourceRow,
)
from modelfoundry.registry.registry_service import RegistryServicer
from modelfoundry.values.resources import Relation

Step = tuple[Relation, str]


def named(collection: str, last: str, project: str = "default") -> str:
    return f"projects/{project}/{collection}/{last}"


class CatalogRows:
    """Drives a servicer, and puts resources into its database whose files need not exist."""

    def __init__(self, folder: Path, url: str) -> None:
        self.url = url
        self.database = Database(url)
        self.shelf = followed_shelf(self.database, Blobs(self.database, LocalBlobStore(folder / "blobs")))
        self.servicer = RegistryServicer(self.shelf)

    def close(self) -> None:
        self.servicer.close()
        self.database.close()

    def call(self, method: str, request: Any) -> Any:
        return asyncio.run(getattr(self.servicer, method)(request, None))

    def operation(self, last: str, kind: str = "decompose") -> str:
        now = datetime.now(UTC)
        row = OperationRow(
            project="default",
            id=last,
            kind=kind,
            state="succeeded",
            request=b"",
            max_attempts=1,
            create_time=now,
            update_time=now,
        )
        with self.database.session() as session:
            session.add(row)
        return named("operations", last)

    def dataset(self, last: str) -> str:
        row = DatasetRow(
            **_described("datasets", last), splits=[], channels=1, height=8, width=8, digest=f"sha256:{last}"
        )
        return self._put(row, [])

    def model(self, last: str, dataset: str = "", *further: Step) -> str:
        row = ModelRow(
            **_described("models", last),
            builder="zoo:simcnn",
            channels=1,
            height=8,
            width=8,
            mean=[],
            std=[],
            weights_digest=f"sha256:{last}",
            weights_bytes=1,
            tensors=[],
            training_dataset=dataset or None,
        )
        return self._put(row, [(Relation.TRAINED_ON, dataset)] if dataset else [], *further)

    def module(self, last: str, model: str, dataset: str, *further: Step) -> str:
        row = ModuleRow(
            **_described("modules", last),
            base_model=model,
            base_digest="sha256:base",
            binary=True,
            artifact_digest=f"sha256:{last}",
            artifact_bytes=1,
            dataset=dataset,
            algorithm="seam",
            record={},
        )
        with self.database.session() as session:
            name = _add(session, row, [(Relation.MODULE_OF, model), (Relation.TRAINED_ON, dataset), *further])
            session.add(packed_row(row))
        return name

    def composition(self, last: str, module: str, model: str, dataset: str) -> str:
        """One label from a module and one from a model, chosen on a data set."""
        row = CompositionRow(
            **_described("compositions", last),
            task="NEW_TASK",
            members=[],
            channels=1,
            height=8,
            width=8,
            mean=[],
            std=[],
            datasets=[dataset],
            digest=f"sha256:{last}",
            strategy="per_label_best",
            record={},
        )
        steps = [(Relation.COMPOSED_OF, module), (Relation.COMPOSED_OF, model), (Relation.SELECTED_ON, dataset)]
        with self.database.session() as session:
            _add(session, row, steps)
            session.add(CompositionSourceRow(composition=row.name, position=0, module=module))
            session.add(CompositionSourceRow(composition=row.name, position=1, model=model))
            session.add(CompositionDatasetRow(composition=row.name, dataset=dataset))
        return row.name

    def evaluation(self, last: str, subject: str, dataset: str, module: str | None = None) -> str:
        with self.database.session() as session:
            return self.add_evaluation(session, last, subject, dataset, module)

    def add_evaluation(self, session: Session, last: str, subject: str, dataset: str, module: str | None = None) -> str:
        row = EvaluationRow(
            name=named("evaluations", last),
            project="default",
            create_time=datetime.now(UTC),
            subject=subject,
            subject_digest="sha256:subject",
            module=module,
            dataset=dataset,
            dataset_digest="sha256:data",
            split="test",
            content={},
        )
        return _add(session, row, [(Relation.EVALUATES, subject), (Relation.MEASURED_ON, dataset)])

    def _put(self, row: ResourceRow, steps: Sequence[Step], *further: Step) -> str:
        with self.database.session() as session:
            return _add(session, row, [*steps, *further])


def _add(session: Session, row: ResourceRow, steps: Sequence[Step]) -> str:
    session.add(row)
    session.flush()
    labels = getattr(row, "labels", [])
    session.add_all(LabelRow(resource=row.name, position=place, label=one) for place, one in enumerate(labels))
    session.add_all(
        ProvenanceRow(
            project=row.project, subject=row.name, relation=relation.name, object=used, create_time=row.create_time
        )
        for relation, used in steps
    )
    return row.name


def _described(collection: str, last: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "name": named(collection, last),
        "project": "default",
        "uid": str(uuid.uuid4()),
        "etag": f'"{last}"',
        "create_time": now,
        "update_time": now,
        "display_name": last.upper(),
        "labels": ["cat", "dog"],
    }
