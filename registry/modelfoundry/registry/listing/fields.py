"""The kinds of fields that a filter may name, each turning a restriction into an SQL expression with bound values."""

from __future__ import annotations

import math
import operator
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import Mapped

from modelfoundry.errors import InvalidField
from modelfoundry.names import label_text, shortened
from modelfoundry.registry.listing.syntax import Restriction

Column = ColumnElement[Any] | Mapped[Any]
_COMPARE: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class FilterField(Protocol):
    """A field that a filter may name."""

    def condition(self, restriction: Restriction, key: str) -> ColumnElement[bool]:
        """The SQL of `path.key operator value`; `key` is empty where the path has none.

        Raises:
            InvalidField: the operator or value does not fit the field.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextField:
    """A string. `:` looks for a part of it, in any case; `:*` for any value that is not empty."""

    column: Column

    def condition(self, restriction: Restriction, key: str) -> ColumnElement[bool]:
        """Compares text."""
        _refuse_key(restriction, key)
        if restriction.operator != ":":
            return _compared(self.column, restriction, restriction.value)
        if _is_any(restriction):
            return self.column != ""
        return self.column.icontains(restriction.value, autoescape=True)


@dataclass(frozen=True, slots=True)
class NumberField:
    """A number."""

    column: Column

    def condition(self, restriction: Restriction, key: str) -> ColumnElement[bool]:
        """Compares numbers."""
        _refuse_key(restriction, key)
        try:
            value = float(restriction.value)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise _misfit(restriction, "is no number", f"write for example: {restriction.path} < 0.2")
        return _compared(self.column, restriction, value)


@dataclass(frozen=True, slots=True)
class MomentField:
    """A point in time, written as in RFC 3339."""

    column: Column

    def condition(self, restriction: Restriction, key: str) -> ColumnElement[bool]:
        """Compares moments."""
        _refuse_key(restriction, key)
        try:
            value = datetime.fromisoformat(restriction.value)
            if value.tzinfo is None:
                raise ValueError("no time zone")  # noqa: TRY301 - the same remedy as for any other misfit
            value = value.astimezone(UTC)
        except (ValueError, OverflowError):
            raise _misfit(
                restriction, "is no time", f'write for example: {restriction.path} > "2026-01-01T00:00:00Z"'
            ) from None
        return _compared(self.column, restriction, value)


@dataclass(frozen=True, slots=True)
class ChoiceField:
    """One of a few words, stored as any value."""

    column: Column
    choices: Mapping[str, Any]

    def condition(self, restriction: Restriction, key: str) -> ColumnElement[bool]:
        """Compares with one of the words."""
        _refuse_key(restriction, key)
        if restriction.value not in self.choices:
            raise _misfit(restriction, "is none of its values", f"use one of {', '.join(self.choices)}")
        if restriction.operator not in {"=", "!="}:
            raise _misfit(restriction, "cannot be compared so", "use = or !=")
        return _compared(self.column, restriction, self.choices[restriction.value])


@dataclass(frozen=True, slots=True)
class MembersField:
    """Several strings, in rows of a table of their own: `:` asks whether one of them is there."""

    resource: Column
    """Name of the listed resource."""
    owner: Column
    """The same name in the rows of the members."""
    member: Column

    def condition(self, restriction: Restriction, key: str) -> ColumnElement[bool]:
        """Asks for a member."""
        _refuse_key(restriction, key)
        if restriction.operator != ":":
            raise _misfit(restriction, "cannot be compared so", f'write: {restriction.path}:"horse"')
        mine = self.owner == self.resource
        return (
            exists().where(mine)
            if _is_any(restriction)
            else exists().where(mine, self.member.in_(_spellings(restriction.value)))
        )


def _spellings(text: str) -> list[str]:
    """A text as it was typed, as labels are kept, and as older rows may have them from macOS."""
    return [text, label_text(text), unicodedata.normalize("NFD", text)]


@dataclass(frozen=True, slots=True)
class EntriesField:
    """Keys with strings, in rows of a table of their own: `tags.team = "vision"`, `tags:team`."""

    resource: Column
    """Name of the listed resource."""
    owner: Column
    """The same name in the rows of the entries."""
    key: Column
    value: Column

    def condition(self, restriction: Restriction, key: str) -> ColumnElement[bool]:
        """Compares the value of a key, or asks for a key."""
        mine = self.owner == self.resource
        if key:
            return exists().where(mine, self.key == key, TextField(self.value).condition(restriction, ""))
        if restriction.operator != ":":
            raise _misfit(restriction, "has keys", f'write for example: {restriction.path}.team = "vision"')
        return exists().where(mine) if _is_any(restriction) else exists().where(mine, self.key == restriction.value)


def _compared(column: Column, restriction: Restriction, value: object) -> ColumnElement[bool]:
    compare = _COMPARE.get(restriction.operator)
    if compare is None:
        raise _misfit(restriction, "has no parts", f"use one of {' '.join(_COMPARE)}")
    condition: ColumnElement[bool] = compare(column, value)
    return condition


def _is_any(restriction: Restriction) -> bool:
    return restriction.value == "*" and not restriction.quoted


def _refuse_key(restriction: Restriction, key: str) -> None:
    if key:
        raise InvalidField(
            f"filter: {shortened(restriction.path)} has no field {shortened(key)!r}",
            field="filter",
            hint=f"write {restriction.path.removesuffix('.' + key)} without it",
        )


def _misfit(restriction: Restriction, what: str, hint: str) -> InvalidField:
    text = f"{restriction.path} {restriction.operator} {restriction.value!r}"
    return InvalidField(f"filter: {shortened(text)} {what}", field="filter", hint=hint)
