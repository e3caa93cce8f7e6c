"""`order_by` read against an allow-list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.registry.listing.fields import Column

MAX_LENGTH: Final = 512


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column to order by; it has no NULL."""

    column: Column
    descending: bool


def parse_order(text: str, sortable: Mapping[str, Column], default: str, last: str) -> tuple[SortKey, ...]:
    """Reads `field [asc|desc], ...`.

    Args:
        text: What the caller asked for; empty means `default`.
        sortable: Columns by the names that a caller may use.
        default: The order where the caller asked for none.
        last: Name of the unique column that decides between equals.

    Returns:
        The keys, ending with the unique one.

    Raises:
        InvalidField: a field is unknown or named twice, or a direction is not `asc` or `desc`.
    """
    if len(text) > MAX_LENGTH:
        raise InvalidField(
            f"order_by is longer than {MAX_LENGTH} characters", field="order_by", hint="name each field once"
        )
    keys: dict[str, SortKey] = {}
    for part in (text.strip() or default).split(","):
        name, descending = _direction(part, sortable)
        if name in keys:
            raise InvalidField(f"order_by names {name} twice", field="order_by", hint="name each field once")
        keys[name] = SortKey(sortable[name], descending)
    keys.setdefault(last, SortKey(sortable[last], descending=False))
    names = list(keys)
    # Behind the unique column nothing is left to decide.
    return tuple(keys[name] for name in names[: names.index(last) + 1])


def _direction(part: str, sortable: Mapping[str, Column]) -> tuple[str, bool]:
    match part.split():
        case [name] | [name, "asc"] if name in sortable:
            return name, False
        case [name, "desc"] if name in sortable:
            return name, True
        case words:
            suggestions = near(words[0], sortable) if words and words[0] not in sortable else []
            raise InvalidField(
                f"order_by: {shortened(part.strip())!r} is no field with an optional asc or desc",
                field="order_by",
                hint=f"did you mean {suggestions[0]}?" if suggestions else f"order by {', '.join(sortable)}",
            )
