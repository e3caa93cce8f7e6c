"""A registry database that is filled with modules by their rows, and searched through the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from registry_rooms import followed_shelf

from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.catalog.modules import Modules
from modelfoundry.registry.database import Database
from modelfoundry.registry.listing.pages import ListRequest
from modelfoundry.registry.records.drafts import CreateCall
from modelfoundry.registry.records.listed_modules import packed_row
from modelfoundry.registry.records.tables import (
    DatasetRow,
    EvaluationRow,
    LabelRow,
    ModelRow,
    ModuleRow,
    TagRow,
)
from modelfoundry.registry.search.known_labels import KnownLabels
from modelfoundry.registry.search.search import ModuleSearch
from modelfoundry.registry.search.vocabularies import Vocabularies
from modelfoundry.values.searching import Vocabulary, VocabularyTerm

PARENT = "projects/default"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def _described(name: str, **values: Any) -> dict[str, Any]:
    project = name.split("/")[1]
    return {
        "name": name,
        "project": project,
        "uid": name,
        "etag": "e",
        "create_time": EPOCH,
        "update_time": EPOCH,
        **values,
    }


def term(word: str, synonyms: tuple[str, ...] = (), broader: tuple[str, ...] = ()) -> VocabularyTerm:
    return VocabularyTerm(term=word, synonyms=synonyms, broader=broader)


class Shop:
    """Modules to be searched."""

    def __init__(self, folder: Path, url: str) -> None:
        self.database = Database(url)
        shelf = followed_shelf(self.database, Blobs(self.database, LocalBlobStore(folder / "blobs")))
        self.modules = Modules(shelf)
        self.search = ModuleSearch(shelf)
        self.vocabularies = Vocabularies(shelf)
        self.known_labels = KnownLabels(shelf)
        self._count = 0

    def close(self) -> None:
        self.database.close()

    def add(
        self,
        module: str,
        *labels: str,
        accuracy: float | None = None,
        measures: Sequence[Mapping[str, Any]] = (),
        parent: str = PARENT,
        builder: str = "zoo:simcnn",
        dataset: str = "images",
        tags: Mapping[str, str] | None = None,
        **columns: Any,
    ) -> str:
        """Puts a module there as the catalog does, with its base model, data set and evaluations."""
        self._count += 1
        name = f"{parent}/modules/{module}"
        base = f"{parent}/models/{builder.partition(':')[2]}"
        data = f"{parent}/datasets/{dataset}"
        with self.database.session() as session:
            if session.get(DatasetRow, data) is None:
                size = {"channels": 1, "height": 8, "width": 8}
                session.add(DatasetRow(**_described(data), labels=[], splits=[], **size, digest="d"))
                session.flush()
            if session.get(ModelRow, base) is None:
                size = {"channels": 1, "height": 8, "width": 8}
                weights = {"weights_digest": "w", "weights_bytes": 1, "tensors": []}
                session.add(
                    ModelRow(**_described(base), builder=builder, **size, mean=[], std=[], labels=[], **weights)
                )
                session.flush()
            defaults: dict[str, Any] = {
                "base_model": base,
                "base_digest": "b",
                "binary": len(labels) == 1,
                "artifact_digest": "a",
                "artifact_bytes": 1000,
                "algorithm": "seam",
                "record": {"algorithm": "seam", "seed": "7"},
                "create_time": EPOCH + timedelta(minutes=self._count),
            }
            row = _described(name, labels=list(labels), dataset=data, tags=dict(tags or {})) | defaults | columns
            session.add(module_row := ModuleRow(**row))
            session.add_all(LabelRow(resource=name, position=index, label=label) for index, label in enumerate(labels))
            session.add_all(TagRow(resource=name, key=key, value=value) for key, value in (tags or {}).items())
            session.flush()
            session.add(packed_row(module_row))
            self.measure(session, name, *([{"accuracy": accuracy}] if accuracy is not None else []), *measures)
        return name

    def measure(self, session: Any, name: str, *measures: Mapping[str, Any]) -> None:
        parent = name.rpartition("/modules/")[0]
        for index, measured in enumerate(measures):
            content = {
                "classification": {"accuracy": measured.get("accuracy"), "f1": measured.get("f1", 0.5)},
                "cost": {"latencies": measured.get("latencies", [])},
            }
            session.add(
                EvaluationRow(
                    name=f"{parent}/evaluations/{name.rpartition('/')[2]}-{index}",
                    project=parent.split("/")[1],
                    create_time=EPOCH + timedelta(days=index),
                    subject=name,
                    subject_digest="a",
                    module=name,
                    dataset=f"{parent}/datasets/images",
                    dataset_digest="d",
                    split=measured.get("split", "test"),
                    accuracy=measured.get("accuracy"),
                    content=content,
                )
            )

    def vocabulary(self, vocabulary_id: str, *terms: VocabularyTerm, parent: str = PARENT) -> Any:
        return self.vocabularies.create(CreateCall(parent, vocabulary_id), Vocabulary(terms=terms))

    def page(self, query: str = "", *, parent: str = PARENT, **request: Any) -> Any:
        return self.search.find(query, ListRequest(parent=parent, **request))

    def found(self, query: str = "", **request: Any) -> list[str]:
        """Ids of everything that is found, walking all pages."""
        found: list[str] = []
        while True:
            page = self.page(query, **request)
            found += [result.module.row.name.rpartition("/")[2] for result in page.rows]
            if not page.next_page_token:
                return found
            request["page_token"] = page.next_page_token

    def why(self, query: str, **request: Any) -> dict[str, list[tuple[Any, ...]]]:
        """Reasons by id: kind, label, and what the kind has besides."""
        return {
            result.module.row.name.rpartition("/")[2]: [
                tuple(
                    part
                    for part in (
                        match.kind.name,
                        match.label,
                        match.term,
                        match.vocabulary.rpartition("/")[2],
                        match.distance,
                    )
                    if part
                )
                for match in result.matches
            ]
            for result in self.page(query, **request).rows
        }


@pytest.fixture
def shop(tmp_path: Path, database_url: str) -> Iterator[Shop]:
    """An empty registry."""
    shop = Shop(tmp_path, database_url)
    yield shop
    shop.close()
