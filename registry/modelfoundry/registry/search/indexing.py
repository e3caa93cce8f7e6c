"""Keeps the search index in step with the catalog, in the transactions that change modules or measure them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session, col

from modelfoundry.registry.records.tables import EvaluationRow, LabelRow, ModelRow, ModuleRow, TagRow
from modelfoundry.registry.search.folding import deletion_keys, fold
from modelfoundry.registry.search.tables import (
    NOT_MEASURED,
    SearchEntryRow,
    SearchModuleRow,
    SearchTermRow,
    TermSource,
)
from modelfoundry.values.searching import MeasuredSummary

AT_ONCE: Final = 500
TEST_SPLIT: Final = "test"
IN_INT8: Final = "SCORING_IN_INT8"
Term = tuple[str, TermSource, str]
"""Project, source and folded text."""


def index_modules(session: Session, names: Sequence[str]) -> None:
    """Brings the index up to date with modules that are there; what the session holds must be flushed.

    Names of no module are passed over: rows of deleted modules go with them (foreign keys).
    """
    for start in range(0, len(names), AT_ONCE):
        _index(session, names[start : start + AT_ONCE])


def index_all(session: Session) -> None:
    """Indexes every module."""
    index_modules(session, session.scalars(select(col(ModuleRow.name)).order_by(col(ModuleRow.name))).all())


def _index(session: Session, names: Sequence[str]) -> None:
    facts = _facts(session, names)
    if not facts:
        return
    known = dict(
        session.execute(
            select(col(SearchModuleRow.module), col(SearchModuleRow.id)).where(col(SearchModuleRow.module).in_(facts))
        ).all()
    )
    old = [{"id": known[name], **values} for name, values in facts.items() if name in known]
    if old:
        session.execute(update(SearchModuleRow), old)
    new = [values for name, values in facts.items() if name not in known]
    if new:
        session.execute(insert(SearchModuleRow), new)
        rows = select(col(SearchModuleRow.module), col(SearchModuleRow.id)).where(
            col(SearchModuleRow.module).in_([values["module"] for values in new])
        )
        known |= dict(session.execute(rows).all())
    _place(session, facts, known, _terms(session, facts))


def _facts(session: Session, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Columns of `SearchModuleRow` by module. Columns are named one by one: migrations use this on older tables."""
    columns = {
        "module": ModuleRow.name,
        "project": ModuleRow.project,
        "display_name": ModuleRow.display_name,
        "license": ModuleRow.license,
        "base_model": ModuleRow.base_model,
        "architecture": ModelRow.builder,
        "dataset": ModuleRow.dataset,
        "algorithm": ModuleRow.algorithm,
        "size_bytes": ModuleRow.artifact_bytes,
        "weight_retention": ModuleRow.weight_retention,
        "create_time": ModuleRow.create_time,
        "update_time": ModuleRow.update_time,
    }
    query: Any = (
        select(*(col(column).label(name) for name, column in columns.items()))
        .join(ModelRow, col(ModelRow.name) == col(ModuleRow.base_model))
        .where(col(ModuleRow.name).in_(names))
    )
    measured = _measured(session, names)
    rows = session.execute(query).mappings()
    return {row["module"]: {**row, **_measured_columns(measured[row["module"]])} for row in rows}


def _measured_columns(measured: MeasuredSummary) -> dict[str, Any]:
    return {
        "accuracy": measured.accuracy,
        "f1": measured.f1,
        "measured_dataset": measured.dataset,
        "latency_ms": measured.latency_ms,
        "balanced_accuracy": measured.balanced_accuracy,
        "auc": measured.auc,
        "ranked_accuracy": NOT_MEASURED if measured.accuracy is None else measured.accuracy,
    }


def _measured(session: Session, names: Sequence[str]) -> Mapping[str, MeasuredSummary]:
    query = (
        select(
            col(EvaluationRow.subject),
            col(EvaluationRow.split),
            col(EvaluationRow.accuracy),
            col(EvaluationRow.dataset),
            col(EvaluationRow.content),
        )
        .where(col(EvaluationRow.subject).in_(names))
        .order_by(col(EvaluationRow.create_time).desc(), col(EvaluationRow.name))
    )
    found: dict[str, MeasuredSummary] = defaultdict(MeasuredSummary)
    for subject, split, accuracy, dataset, content in session.execute(query):
        if content.get("scoring") == IN_INT8:
            continue  # of a file that an export writes, not of the module as it is
        best = found[subject]
        latency = min((one for one in (best.latency_ms, _latency(content)) if one is not None), default=None)
        if split == TEST_SPLIT and accuracy is not None and (best.accuracy is None or accuracy > best.accuracy):
            told = content.get("discrimination", {})
            found[subject] = MeasuredSummary(
                accuracy=accuracy,
                f1=content.get("classification", {}).get("f1", 0.0),
                dataset=dataset,
                latency_ms=latency,
                balanced_accuracy=told.get("balanced_accuracy"),
                auc=told.get("auc"),
            )
        else:
            found[subject] = replace(best, latency_ms=latency)
    return found


def _latency(content: Mapping[str, Any]) -> float | None:
    """Median time of one image in milliseconds."""
    latencies = content.get("cost", {}).get("latencies", [])
    return min((one.get("median_ms", 0.0) for one in latencies if one.get("batch_size") == 1), default=None)


def _terms(session: Session, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, set[Term]]:
    """Terms by module."""
    terms: dict[str, set[Term]] = {name: set() for name in facts}
    labels = select(col(LabelRow.resource), col(LabelRow.label)).where(col(LabelRow.resource).in_(facts))
    for name, label in session.execute(labels):
        terms[name].add((facts[name]["project"], TermSource.LABEL, fold(label)))
    texts = [(name, str(values["display_name"])) for name, values in facts.items()]
    tags = select(col(TagRow.resource), col(TagRow.value)).where(col(TagRow.resource).in_(facts))
    texts += [(name, value) for name, value in session.execute(tags)]
    for name, text in texts:
        terms[name] |= {(facts[name]["project"], TermSource.TEXT, word) for word in fold(text).split()}
    return {name: {term for term in found if term[2]} for name, found in terms.items()}


def _place(
    session: Session,
    facts: Mapping[str, Mapping[str, Any]],
    ids: Mapping[str, int],
    terms: Mapping[str, set[Term]],
) -> None:
    """Writes the entries that differ from those there are."""
    term_ids = _term_ids(session, set().union(*terms.values()))
    wanted = {
        (term_ids[term], float(facts[name]["ranked_accuracy"]), ids[name])
        for name, found in terms.items()
        for term in found
    }
    entry = SearchEntryRow
    columns = (col(entry.term_id), col(entry.ranked_accuracy), col(entry.module_id))
    present = {
        (term, accuracy, module)
        for term, accuracy, module in session.execute(
            select(*columns).where(col(entry.module_id).in_([ids[name] for name in facts]))
        )
    }
    # New ones first: with its last entry a term goes too.
    if wanted - present:
        names = ("term_id", "ranked_accuracy", "module_id")
        session.execute(insert(entry), [dict(zip(names, one, strict=True)) for one in sorted(wanted - present)])
    for term, accuracy, module in present - wanted:
        session.execute(delete(entry).where(columns[0] == term, columns[1] == accuracy, columns[2] == module))


def _term_ids(session: Session, terms: Iterable[Term]) -> dict[Term, int]:
    by_group: dict[tuple[str, TermSource], list[str]] = defaultdict(list)
    for project, source, text in terms:
        by_group[project, source].append(text)
    found: dict[Term, int] = {}
    for (project, source), texts in by_group.items():
        query = select(col(SearchTermRow.term), col(SearchTermRow.id)).where(
            col(SearchTermRow.project) == project,
            col(SearchTermRow.source) == source,
            col(SearchTermRow.term).in_(texts),
        )
        known = dict(session.execute(query).all())
        new = [
            {
                "project": project,
                "source": source,
                "term": text,
                "keys": _keys(text) if source is TermSource.LABEL else "",
            }
            for text in texts
            if text not in known
        ]
        if new:
            session.execute(_insert_new(session), new)
            # Read back in place of RETURNING, which says nothing of those that another was quicker with.
            known = dict(session.execute(query).all())
        found |= {(project, source, text): identity for text, identity in known.items()}
    return found


def _insert_new(session: Session) -> Any:
    """Where several write at once, another may have been quicker with a term."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(SearchTermRow).on_conflict_do_nothing()
    return insert(SearchTermRow)


def _keys(label: str) -> str:
    keys: set[str] = set().union(*(deletion_keys(word) for word in label.split()))
    return f" {' '.join(sorted(keys))} "
