"""Pages by keyset: each begins behind the last row of the one before, however many rows came or went meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final, Generic, TypeVar, overload

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.sql.base import ExecutableOption
from sqlmodel import Session, SQLModel

from modelfoundry.errors import InvalidField
from modelfoundry.registry.listing.fields import Column, FilterField
from modelfoundry.registry.listing.filters import compile_filter
from modelfoundry.registry.listing.ordering import SortKey, parse_order
from modelfoundry.registry.listing.tokens import SortValue, TokenSigner

DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 1000
Row = TypeVar("Row", bound=SQLModel)
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    """What callers may ask of the list of one collection."""

    row: type[Row]
    filterable: Mapping[str, FilterField]
    sortable: Mapping[str, Column]
    """Columns without NULL, `last` among them."""
    default_order: str
    last: str = "name"
    """Name of the unique column that decides between equals."""
    options: Sequence[ExecutableOption] = ()
    """How rows are read, for example without their large columns."""


@dataclass(frozen=True, slots=True)
class PageTokens(Sequence[str]):
    """Tokens of the rows of a page, signed when they are asked for: few are."""

    signer: TokenSigner
    values: Sequence[Sequence[SortValue]]
    """What every row is ordered by."""
    arguments: str
    _: KW_ONLY
    is_last: bool
    """Whether nothing is behind the last row."""

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...

    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        is_end = self.is_last and index in {-1, len(self) - 1}
        return "" if is_end else self.signer.write(self.values[index], self.arguments)


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One call of a List method."""

    parent: str
    page_size: int = 0
    page_token: str = ""
    filter: str = ""
    order_by: str = ""
    query: str = ""
    """What is searched for, where the list is a search: page tokens are bound to it too."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some rows, and how to get at those behind any of them."""

    rows: Sequence[Item]
    tokens: Sequence[str]
    """For every row the token of the page that begins behind it; empty where nothing is behind it."""

    @property
    def next_page_token(self) -> str:
        """Empty on the last page."""
        return self.tokens[-1] if self.tokens else ""


def fetch_page(
    session: Session, listing: Listing[Row], scope: ColumnElement[bool], request: ListRequest, signer: TokenSigner
) -> Page[Row]:
    """Reads one page of the rows inside `scope`.

    Raises:
        InvalidField: page size, token, filter or order are not as the contract says.
    """
    size = page_size(request.page_size)
    keys = parse_order(request.order_by, listing.sortable, listing.default_order, listing.last)
    order = request.order_by or listing.default_order
    arguments = "\0".join((listing.row.__name__, request.parent, request.filter, order, request.query))
    condition = compile_filter(request.filter, listing.filterable)
    query = select(listing.row, *(key.column for key in keys)).where(scope).options(*listing.options)
    if condition is not None:
        query = query.where(condition)
    if request.page_token:
        query = query.where(_behind(keys, signer.read(request.page_token, arguments)))
    query = query.order_by(*(key.column.desc() if key.descending else key.column.asc() for key in keys)).limit(size + 1)
    found = session.execute(query).all()
    page = found[:size]
    tokens = PageTokens(signer, [values for _, *values in page], arguments, is_last=len(found) <= size)
    return Page([row for row, *_ in page], tokens)


def page_size(asked: int) -> int:
    """How many rows a page may have when a caller asks for so many; 0 asks for the default.

    Raises:
        InvalidField: it is negative.
    """
    if asked < 0:
        raise InvalidField(
            f"page_size is {asked}", field="page_size", hint=f"pass 1 to {MAX_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}"
        )
    return min(asked, MAX_PAGE_SIZE) if asked else DEFAULT_PAGE_SIZE


def _behind(keys: Sequence[SortKey], values: Sequence[SortValue]) -> ColumnElement[bool]:
    """Rows behind `values` in the order of `keys`: the first key that differs decides."""
    first, start = keys[0], values[0]
    # Implied by the rest, but only this lets the database begin in the middle of an index.
    bound: Any = first.column <= start if first.descending else first.column >= start
    alternatives: list[ColumnElement[bool]] = []
    equal: list[ColumnElement[bool]] = []
    for key, value in zip(keys, values, strict=True):
        further: Any = key.column < value if key.descending else key.column > value
        alternatives.append(and_(*equal, further))
        equal.append(key.column == value)
    return and_(bound, or_(*alternatives))
