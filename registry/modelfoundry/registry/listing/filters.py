"""Filters compiled to SQL over an allow-list of fields: nothing that is not in the list can be named."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ColumnElement, and_, not_, or_

from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.registry.listing.fields import FilterField
from modelfoundry.registry.listing.syntax import Expression, Junction, Negation, Restriction, parse_filter


def compile_filter(text: str, fields: Mapping[str, FilterField]) -> ColumnElement[bool] | None:
    """The SQL of a filter, or None when it is empty.

    Raises:
        InvalidField: the filter is not in the language, or a field, operator or value does not fit.
    """
    expression = parse_filter(text)
    return None if expression is None else _compiled(expression, fields)


def _compiled(expression: Expression, fields: Mapping[str, FilterField]) -> ColumnElement[bool]:
    match expression:
        case Restriction():
            return _field_condition(expression, fields)
        case Negation():
            return not_(_compiled(expression.operand, fields))
        case Junction():
            join = and_ if expression.operator == "AND" else or_
            return join(*(_compiled(operand, fields) for operand in expression.operands))


def _field_condition(restriction: Restriction, fields: Mapping[str, FilterField]) -> ColumnElement[bool]:
    name, _, key = (restriction.path, "", "") if restriction.path in fields else restriction.path.partition(".")
    field = fields.get(name)
    if field is None:
        suggestions = near(name, fields)
        raise InvalidField(
            f"filter: there is no field {shortened(restriction.path)!r}",
            field="filter",
            hint=f"did you mean {suggestions[0]}?" if suggestions else f"use {', '.join(fields)}",
        )
    return field.condition(restriction, key)
