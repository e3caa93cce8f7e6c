"""Searches: pages of modules that answer a query, each with the reasons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Mapped, load_only
from sqlmodel import Session, col

from modelfoundry.api.registry.v1 import search_pb2
from modelfoundry.errors import InvalidField
from modelfoundry.names import parse_parent
from modelfoundry.registry.listing.fields import EntriesField, MembersField, MomentField, NumberField, TextField
from modelfoundry.registry.listing.filters import compile_filter
from modelfoundry.registry.listing.pages import Listing, ListRequest, Page, fetch_page, page_size
from modelfoundry.registry.listing.tokens import TokenSigner
from modelfoundry.registry.records.listed_modules import (
    WITHOUT_RECORD,
    ListedModule,
    PackedModuleRow,
    listed_module_to_proto,
)
from modelfoundry.registry.records.shelf import Shelf
from modelfoundry.registry.records.tables import LabelRow, ModuleRow, TagRow
from modelfoundry.registry.search.folding import fold
from modelfoundry.registry.search.matching import Meaning, meaning, rank
from modelfoundry.registry.search.relevance import Window, fetch_relevant, in_any, window_start
from modelfoundry.registry.search.tables import NOT_MEASURED, SearchEntryRow, SearchModuleRow
from modelfoundry.values.searching import Match, MatchKind, MeasuredSummary
from modelfoundry.wire.searching import match_to_proto, measured_summary_to_proto

MAX_QUERY: Final = 200
MAX_MATCHES: Final = 16
_NAME: Final = col(SearchModuleRow.module)
_ID: Final = col(SearchModuleRow.id)
_ACCURACY: Final = col(SearchModuleRow.ranked_accuracy)


def _not_by_index(column: Mapped[Any]) -> ColumnElement[Any]:
    """A column that a filter looks at row by row: its index would give most rows, in an order that nobody wants."""
    return func.coalesce(column, column)


SEARCH: Final = Listing(
    row=SearchModuleRow,
    filterable={
        "name": TextField(_NAME),
        "display_name": TextField(col(SearchModuleRow.display_name)),
        "license": TextField(col(SearchModuleRow.license)),
        "labels": MembersField(_NAME, col(LabelRow.resource), col(LabelRow.label)),
        "tags": EntriesField(_NAME, col(TagRow.resource), col(TagRow.key), col(TagRow.value)),
        "base_model": TextField(col(SearchModuleRow.base_model)),
        "dataset": TextField(col(SearchModuleRow.dataset)),
        "architecture": TextField(col(SearchModuleRow.architecture)),
        "algorithm": TextField(col(SearchModuleRow.algorithm)),
        "weight_retention": NumberField(col(SearchModuleRow.weight_retention)),
        "size_bytes": NumberField(_not_by_index(col(SearchModuleRow.size_bytes))),
        "accuracy": NumberField(col(SearchModuleRow.accuracy)),
        "f1": NumberField(col(SearchModuleRow.f1)),
        "balanced_accuracy": NumberField(col(SearchModuleRow.balanced_accuracy)),
        "auc": NumberField(col(SearchModuleRow.auc)),
        "latency_ms": NumberField(col(SearchModuleRow.latency_ms)),
        "create_time": MomentField(_not_by_index(col(SearchModuleRow.create_time))),
        "update_time": MomentField(col(SearchModuleRow.update_time)),
    },
    sortable={
        "accuracy": _ACCURACY,
        "f1": func.coalesce(col(SearchModuleRow.f1), NOT_MEASURED),
        "balanced_accuracy": func.coalesce(col(SearchModuleRow.balanced_accuracy), NOT_MEASURED),
        "auc": func.coalesce(col(SearchModuleRow.auc), NOT_MEASURED),
        "latency_ms": func.coalesce(col(SearchModuleRow.latency_ms), NOT_MEASURED),
        "size_bytes": col(SearchModuleRow.size_bytes),
        "weight_retention": func.coalesce(col(SearchModuleRow.weight_retention), NOT_MEASURED),
        "create_time": col(SearchModuleRow.create_time),
        "update_time": col(SearchModuleRow.update_time),
        "name": _NAME,
        "id": _ID,
    },
    default_order="accuracy desc, id desc",
    last="id",
    # The rest is read for the rows of the page alone: sorting many rows is quicker without.
    options=(load_only(SearchModuleRow.id),),  # type: ignore[arg-type]
)


_NOTHING: Final = Meaning({}, ())


class Facts(NamedTuple):
    """What the index knows of a module and results show."""

    id: int
    module: str
    architecture: str
    accuracy: float | None
    f1: float | None
    measured_dataset: str
    latency_ms: float | None
    balanced_accuracy: float | None
    auc: float | None
    packed: bytes


@dataclass(frozen=True, slots=True)
class Hit:
    """A module that was found."""

    module: ListedModule
    facts: Facts
    matches: tuple[Match, ...]
    """Strongest first; none for an empty query."""


class ModuleSearch:
    """Finds modules. Methods block: call them from a thread."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def find(self, query: str, request: ListRequest) -> Page[Hit]:
        """Returns a page of results.

        Args:
            query: Label text; empty means every module.
            request: Project, page, filter and order as for lists; no order means relevance.

        Raises:
            InvalidField: an argument is not as the contract says.
        """
        project = parse_parent(request.parent)
        if len(query) > MAX_QUERY:
            raise InvalidField(
                f"query has {len(query)} characters", field="query", hint=f"use at most {MAX_QUERY} characters"
            )
        folded = fold(query)
        request = replace(request, query=query)
        signer = self._shelf.signer
        with self._shelf.database.read_session() as session:
            # A query of nothing but punctuation means nothing; only an empty one means everything.
            asked = meaning(session, project, folded) if folded else _NOTHING if query.strip() else None
            if asked is None or request.order_by:
                scope = col(SearchModuleRow.project) == project
                if asked is not None:
                    scope = in_any(session, project, asked.tiers, walked=_is_indexed(request.order_by))
                rows = fetch_page(session, SEARCH, scope, request, signer)
                page = Page([row.id or 0 for row in rows.rows], rows.tokens)
            else:
                condition = compile_filter(request.filter, SEARCH.filterable)
                window = _window(request, signer)
                page = fetch_relevant(session, project, asked.tiers, condition, window, signer)
            return _with_reasons(session, page, asked)


def _is_indexed(order_by: str) -> bool:
    """Whether an index gives the modules of a project in an order."""
    return order_by.partition(",")[0].partition(" ")[0] in {"accuracy", "create_time", "size_bytes"}


def _window(request: ListRequest, signer: TokenSigner) -> Window:
    arguments = "\0".join(("relevance", request.parent, request.query, request.filter))
    behind = window_start(signer.read(request.page_token, arguments)) if request.page_token else None
    return Window(page_size(request.page_size), behind, arguments)


def _with_reasons(session: Session, page: Page[int], asked: Meaning | None) -> Page[Hit]:
    facts = _facts(session, page.rows)
    query = select(ModuleRow).where(col(ModuleRow.name).in_([one.module for one in facts])).options(*WITHOUT_RECORD)
    modules = {row.name: row for row in session.scalars(query)}
    terms = _terms_of(session, page.rows) if asked is not None else {}
    results = [
        Hit(
            ListedModule(modules[one.module], one.packed),
            one,
            () if asked is None else _reasons(modules[one.module], terms[one.id], asked),
        )
        for one in facts
    ]
    return Page(results, page.tokens)


def _facts(session: Session, modules: Sequence[int]) -> list[Facts]:
    """What is known of modules, in the order of their ids as given."""
    columns: list[Any] = [getattr(SearchModuleRow, name) for name in Facts._fields if name != "packed"]
    query = (
        select(*columns, col(PackedModuleRow.packed))
        .join(PackedModuleRow, col(PackedModuleRow.module) == col(SearchModuleRow.module))
        .where(_ID.in_(modules))
    )
    found = {facts.id: facts for facts in map(Facts._make, session.execute(query))}
    return [found[module] for module in modules]


def _terms_of(session: Session, modules: Sequence[int]) -> Mapping[int, list[int]]:
    owner, term = col(SearchEntryRow.module_id), col(SearchEntryRow.term_id)
    found: dict[int, list[int]] = defaultdict(list)
    for module, identity in session.execute(select(owner, term).where(owner.in_(modules))):
        found[module].append(identity)
    return found


def _reasons(module: ModuleRow, terms: Sequence[int], asked: Meaning) -> tuple[Match, ...]:
    """Why a module was found, in the spelling of its labels, once for every reason."""
    labels = {fold(label): label for label in reversed(module.labels)}
    mine = set(terms)
    found = [
        replace(match, label=labels.get(match.label, match.label))
        for term in terms
        for match in asked.reasons.get(term, ())
        if match.kind is not MatchKind.TEXT or any(set(tier.also) <= mine for tier in asked.tiers if term in tier.terms)
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda match: (rank(match), match.label)))[:MAX_MATCHES]


def hit_to_proto(hit: Hit) -> search_pb2.SearchResult:
    """The message of what was found; its module by the quick way of lists."""
    facts = hit.facts
    measured = MeasuredSummary(
        accuracy=facts.accuracy,
        f1=facts.f1,
        dataset=facts.measured_dataset,
        latency_ms=facts.latency_ms,
        balanced_accuracy=facts.balanced_accuracy,
        auc=facts.auc,
    )
    return search_pb2.SearchResult(
        module=listed_module_to_proto(hit.module),
        matches=map(match_to_proto, hit.matches),
        measured=measured_summary_to_proto(measured),
        architecture=facts.architecture,
    )
