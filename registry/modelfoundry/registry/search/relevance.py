"""Pages in the order of relevance: tier after tier, in each the best measured first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from modelfoundry.registry.listing.pages import Page
from modelfoundry.registry.listing.tokens import SortValue, TokenSigner
from modelfoundry.registry.search.matching import Tier
from modelfoundry.registry.search.tables import SearchEntryRow, SearchModuleRow

MANY: Final = 4000
"""From as many modules on it is quicker to walk all modules in order and ask of each whether it belongs."""
MANY_TO_FILTER: Final = 20_000
"""The same where a filter may leave few of them."""
_ID: Final = col(SearchModuleRow.id)
_ACCURACY: Final = col(SearchModuleRow.ranked_accuracy)
_TERM: Final = col(SearchEntryRow.term_id)
_OWNER: Final = col(SearchEntryRow.module_id)


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of the results is wanted."""

    size: int
    behind: tuple[int, float, int] | None
    """Rank, accuracy and id of the result before."""
    arguments: str
    """What page tokens are bound to."""


def fetch_relevant(
    session: Session,
    project: str,
    tiers: Sequence[Tier],
    condition: ColumnElement[bool] | None,
    window: Window,
    signer: TokenSigner,
) -> Page[SearchModuleRow]:
    """Reads one page; a module is in the strongest tier that it belongs to.

    Args:
        session: The transaction.
        project: Whose modules.
        tiers: Strongest first.
        condition: A filter over `SearchModuleRow`.
        window: Which part.
        signer: Signs the page tokens.
    """
    found: list[tuple[int, SearchModuleRow]] = []
    for index, tier in enumerate(tiers):
        if window.behind is not None and tier.rank < window.behind[0]:
            continue
        query = _tier_query(session, project, tier, filtered=condition is not None)
        if window.behind is not None and tier.rank == window.behind[0]:
            query = query.where(_behind(tier, *window.behind[1:]))
        if condition is not None:
            query = query.where(condition)
        for stronger in tiers[:index]:
            query = query.where(~belongs(stronger))
        rows = session.scalars(query.limit(window.size + 1 - len(found)))
        found += [(tier.rank, row) for row in rows]
        if len(found) > window.size:
            break
    page = found[: window.size]
    tokens = [signer.write((rank, row.ranked_accuracy, row.id or 0), window.arguments) for rank, row in page]
    if len(found) <= window.size and tokens:
        tokens[-1] = ""
    return Page([row for _, row in page], tokens)


def window_start(values: Sequence[SortValue]) -> tuple[int, float, int]:
    """Rank, accuracy and id in a page token."""
    rank, accuracy, identity = values
    return int(str(rank)), float(str(accuracy)), int(str(identity))


def in_any(session: Session, tiers: Sequence[Tier]) -> ColumnElement[bool]:
    """Whether a module belongs to one of the tiers."""
    terms = [term for tier in tiers for term in tier.terms]
    ask = belongs if _has(session, terms, MANY) else listed
    return or_(False, *(ask(tier) for tier in tiers))


def belongs(tier: Tier) -> ColumnElement[bool]:
    """Whether a module belongs to a tier, asked module by module."""
    # `+ 0` keeps the database from looking every term up in place of the module's few.
    other = aliased(SearchEntryRow)
    mine = col(other.module_id) == _ID
    return and_(*(exists().where(mine, (col(other.term_id) + 0).in_(terms)) for terms in (tier.terms, *_each(tier))))


def listed(tier: Tier) -> ColumnElement[bool]:
    """The same, asked by listing the tier's modules first."""
    return and_(*(_ID.in_(select(_OWNER).where(_TERM.in_(terms))) for terms in (tier.terms, *_each(tier))))


def _each(tier: Tier) -> list[tuple[int]]:
    return [(term,) for term in tier.also]


def _tier_query(session: Session, project: str, tier: Tier, *, filtered: bool) -> Select[SearchModuleRow]:
    if _is_walked(tier):
        query = select(SearchModuleRow).join(SearchEntryRow, _OWNER == _ID).where(_TERM == tier.terms[0])  # noqa: SIM300 - SQL
        return query.order_by(col(SearchEntryRow.ranked_accuracy).desc(), _OWNER.desc())
    query = select(SearchModuleRow).where(col(SearchModuleRow.project) == project)
    if _has(session, tier.terms, MANY_TO_FILTER if filtered else MANY):
        return query.where(belongs(tier)).order_by(_ACCURACY.desc(), _ID.desc())
    # `+ 0` keeps the database from walking all modules in order.
    return query.where(listed(tier)).order_by((_ACCURACY + 0).desc(), _ID.desc())


def _is_walked(tier: Tier) -> bool:
    """Whether a tier's modules lie in order in the index."""
    return len(tier.terms) == 1 and not tier.also


def _behind(tier: Tier, accuracy: float, identity: int) -> ColumnElement[bool]:
    ranked, owner = (col(SearchEntryRow.ranked_accuracy), _OWNER) if _is_walked(tier) else (_ACCURACY, _ID)
    return and_(ranked <= accuracy, or_(ranked < accuracy, owner < identity))


def _has(session: Session, terms: Sequence[int], many: int) -> bool:
    """Whether terms have at least so many entries; stops counting there."""
    some = select(_OWNER).where(_TERM.in_(terms)).limit(many).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) >= many
