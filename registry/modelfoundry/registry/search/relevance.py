"""Pages in the order of relevance: tier after tier, in each the best measured first."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Mapped, aliased
from sqlmodel import Session, col

from modelfoundry.registry.listing.pages import Page, PageTokens
from modelfoundry.registry.listing.tokens import SortValue, TokenSigner
from modelfoundry.registry.search.matching import Tier
from modelfoundry.registry.search.tables import SearchEntryRow, SearchModuleRow

MANY: Final = 4000
"""From as many modules on it is quicker to walk all modules in order and ask of each whether it belongs."""
MANY_TO_FILTER: Final = 10_000
"""The same where a filter may leave few of them."""
_ID: Final[Mapped[int]] = col(SearchModuleRow.id)  # type: ignore[arg-type] # stored rows have one
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
) -> Page[int]:
    """Ids of the modules of one page; a module is in the strongest tier that it belongs to.

    Args:
        session: The transaction.
        project: Whose modules.
        tiers: Strongest first.
        condition: A filter over `SearchModuleRow`.
        window: Which part.
        signer: Signs the page tokens.
    """
    found: list[tuple[int, float, int]] = []
    for index, tier in enumerate(tiers):
        if window.behind is not None and tier.rank < window.behind[0]:
            continue
        order = _order(session, tier, filtered=condition is not None)
        query = select(order.accuracy, order.module).where(order.inside(project))
        if condition is not None:
            query = query.where(condition)
            if order.module is _OWNER:
                query = query.join(SearchModuleRow, _OWNER == _ID)
        if window.behind is not None and tier.rank == window.behind[0]:
            query = query.where(order.behind(*window.behind[1:]))
        query = query.where(*(~belongs(stronger, order.module) for stronger in tiers[:index]))
        query = query.order_by(order.accuracy.desc(), order.module.desc()).limit(window.size + 1 - len(found))
        found += [
            (tier.rank, accuracy, module)
            for accuracy, module in session.execute(query.distinct() if len(tier.terms) > 1 else query)
        ]
        if len(found) > window.size:
            break
    page = found[: window.size]
    tokens = PageTokens(signer, page, window.arguments, is_last=len(found) <= window.size)
    return Page([module for *_, module in page], tokens)


def window_start(values: Sequence[SortValue]) -> tuple[int, float, int]:
    """Rank, accuracy and id in a page token."""
    rank, accuracy, identity = values
    return int(str(rank)), float(str(accuracy)), int(str(identity))


def in_any(session: Session, project: str, tiers: Sequence[Tier], *, walked: bool) -> ColumnElement[bool]:
    """Whether a module belongs to one of the tiers.

    Args:
        session: The transaction.
        project: Whose modules.
        tiers: Of what was found.
        walked: Whether the modules can be walked in the order that is wanted, so that few of very many are looked at.
    """
    simple = Tier(0, tuple(term for tier in tiers if not tier.also for term in tier.terms))
    asked = (simple, *(tier for tier in tiers if tier.also))
    if walked and _has(session, simple.terms, MANY):
        return and_(col(SearchModuleRow.project) == project, or_(*(belongs(tier, _ID) for tier in asked)))
    # Terms are of one project. Without naming it, the database begins with the list and not with all modules.
    return or_(*(listed(tier, _ID) for tier in asked))


def belongs(tier: Tier, module: Mapped[int]) -> ColumnElement[bool]:
    """Whether a module belongs to a tier, asked module by module."""
    # `+ 0` keeps the database from looking every term up in place of the module's few.
    other = aliased(SearchEntryRow)
    mine = col(other.module_id) == module
    return and_(*(exists().where(mine, (col(other.term_id) + 0).in_(terms)) for terms in _all_of(tier)))


def listed(tier: Tier, module: Mapped[int]) -> ColumnElement[bool]:
    """The same, asked by listing the tier's modules first."""
    return and_(*(module.in_(select(_OWNER).where(_TERM.in_(terms))) for terms in _all_of(tier)))


def _all_of(tier: Tier) -> list[tuple[int, ...]]:
    return [tier.terms, *((term,) for term in tier.also)]


@dataclass(frozen=True, slots=True)
class _Order:
    """A way to go through the modules of a tier, the best measured first."""

    tier: Tier
    accuracy: Mapped[Any]
    module: Mapped[Any]

    def inside(self, project: str) -> ColumnElement[bool]:
        """Keeps to the tier."""
        if self.module is _OWNER:
            first, *others = self.tier.terms
            mine: ColumnElement[bool] = _TERM.in_(self.tier.terms) if others else operator.eq(_TERM, first)
            return and_(mine, *(belongs(Tier(0, (term,)), _OWNER) for term in self.tier.also))
        return and_(col(SearchModuleRow.project) == project, belongs(self.tier, self.module))

    def behind(self, accuracy: float, module: int) -> ColumnElement[bool]:
        """Keeps behind a module."""
        return and_(self.accuracy <= accuracy, or_(self.accuracy < accuracy, self.module < module))


def _order(session: Session, tier: Tier, *, filtered: bool) -> _Order:
    """By the entries of the terms; where several have very many, by all modules of the project."""
    many = MANY_TO_FILTER if filtered else MANY
    if len(tier.terms) > 1 and _has(session, tier.terms, many):
        return _Order(tier, _ACCURACY, _ID)
    return _Order(tier, col(SearchEntryRow.ranked_accuracy), _OWNER)


def _has(session: Session, terms: Sequence[int], many: int) -> bool:
    """Whether terms have at least so many entries; stops counting there."""
    some = select(_OWNER).where(_TERM.in_(terms)).limit(many).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) >= many
