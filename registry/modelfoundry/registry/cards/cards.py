"""Makes cards of what the catalog holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import or_, select
from sqlmodel import Session, col

from modelfoundry.api.registry.v1 import evaluation_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.registry.cards.compositions import composition_account
from modelfoundry.registry.cards.datasets import dataset_account
from modelfoundry.registry.cards.markdown import render
from modelfoundry.registry.cards.models import model_account
from modelfoundry.registry.cards.modules import module_account
from modelfoundry.registry.cards.results import newest_results, result_limits
from modelfoundry.registry.cards.sheet import Account, Measurement, Owned, Sheet
from modelfoundry.registry.database import Database
from modelfoundry.registry.records.families import resolved
from modelfoundry.registry.records.finding import find
from modelfoundry.registry.records.messages import (
    composition_to_proto,
    dataset_to_proto,
    evaluation_to_proto,
    model_to_proto,
    module_to_proto,
)
from modelfoundry.registry.records.tables import (
    CompositionRow,
    DatasetRow,
    DescribedRow,
    EvaluationRow,
    ModelRow,
    ModuleRow,
)
from modelfoundry.values.cards import Card, CardLimit, LimitKind
from modelfoundry.values.kinds import Kind

TABLES: Final[dict[str, type[DescribedRow]]] = {
    Kind.MODEL: ModelRow,
    Kind.DATASET: DatasetRow,
    Kind.MODULE: ModuleRow,
    Kind.COMPOSITION: CompositionRow,
}
LABELS_SENT: Final = 1000
MAX_EVALUATIONS: Final = 200
"""Newest first: what a card looks at."""


class Cards:
    """Makes cards. Methods block: call them from a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def card(self, name: str) -> Card:
        """The card of a resource, or of what an alias stands for, as it is now.

        Raises:
            InvalidField: the name is none of a model, data set, module or composition.
            NotFound: there is no such resource.
        """
        collection = _collection(name)
        table = TABLES[collection]
        with self._database.read_session() as session:
            name = resolved(session, name, collection, field="name")
            row = find(session, table, name, field="name")
            evaluations = [] if table is DatasetRow else _evaluations(session, name)
            account = _account(row)
        results = newest_results(evaluations)
        owned = Owned(row.display_name, row.description, row.intended_use, row.license, row.tags)
        limits = tuple(_limits(row, account, results))
        return finished(
            Sheet(name=row.name, etag=row.etag, owned=owned, account=account, results=results, limits=limits)
        )


def finished(sheet: Sheet) -> Card:
    """The card that callers get."""
    labels = tuple(sheet.account.labels)
    return Card(
        name=sheet.name,
        etag=sheet.etag,
        title=sheet.title,
        description=sheet.owned.description,
        intended_use=sheet.owned.intended_use,
        license=sheet.owned.license,
        tags=sheet.owned.tags,
        labels=labels[:LABELS_SENT],
        label_count=len(labels),
        facts=tuple(sheet.account.facts),
        results=tuple(sheet.results),
        forms=sheet.account.forms,
        limits=tuple(sheet.limits),
        markdown=render(sheet),
    )


def _collection(name: str) -> str:
    match name.split("/"):
        case ["projects", _, collection, _] if collection in TABLES:
            return collection
    raise InvalidField(
        f"name: {shortened(name)!r} is neither a model, a data set, a module nor a composition",
        field="name",
        hint="pass for example projects/{project}/models/{model}",
    )


def _account(row: DescribedRow) -> Account:
    match row:
        case ModelRow():
            return model_account(model_to_proto(row))
        case DatasetRow():
            return dataset_account(dataset_to_proto(row))
        case ModuleRow():
            return module_account(module_to_proto(row))
        case CompositionRow():
            return composition_account(composition_to_proto(row))
        case _:
            raise TypeError(f"there are no cards of a {type(row).__name__}")


def _evaluations(session: Session, name: str) -> list[evaluation_pb2.Evaluation]:
    """Newest first. What was measured of a model as the baseline of a module belongs to the module's card."""
    row = EvaluationRow
    query = (
        select(row)
        .where(or_(col(row.subject) == name, col(row.module) == name))
        .where(or_(col(row.module).is_(None), col(row.module) == name))
        .order_by(col(row.create_time).desc(), col(row.name))
        .limit(MAX_EVALUATIONS)
    )
    return [evaluation_to_proto(found) for found in session.scalars(query)]


def _limits(row: DescribedRow, account: Account, results: Sequence[Measurement]) -> Iterator[CardLimit]:
    if not isinstance(row, DatasetRow):
        yield from result_limits(row.name, results)
    yield from account.limits
    if not row.license:
        yield CardLimit(LimitKind.NO_LICENSE, "Nobody stated a licence: ask its owner before using it.")
