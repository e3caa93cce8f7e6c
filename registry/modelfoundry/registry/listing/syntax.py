"""The filter language: a subset of AIP-160, read into a small tree.

`OR` binds tighter than `AND`, and two restrictions side by side are joined by AND:
`a = 1 b = 2 OR c = 3` means `a = 1 AND (b = 2 OR c = 3)`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from lark import Lark, Token, Transformer, UnexpectedInput, UnexpectedToken, v_args
from lark.exceptions import VisitError

from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened

MAX_BYTES: Final = 2048
MAX_TERMS: Final = 50
MAX_DEPTH: Final = 10
FILTER_HINT: Final = 'write for example: labels:"horse" AND create_time > "2026-01-01T00:00:00Z"'

_GRAMMAR: Final = r"""
start: expression
?expression: sequence ("AND" sequence)*        -> conjunction
?sequence: factor+                             -> conjunction
?factor: term ("OR" term)*                     -> disjunction
?term: simple | ("NOT" | "-") simple           -> negation
?simple: restriction | "(" expression ")"      -> composite
restriction: PATH OPERATOR (QUOTED | PLAIN)

OPERATOR: "=" | "!=" | "<=" | "<" | ">=" | ">" | ":"
PATH: /[A-Za-z_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*/
QUOTED: /"([^"\\]|\\.)*"/s | /'([^'\\]|\\.)*'/s
PLAIN: /(?!(AND|OR|NOT)\b)[^\s()"'<>=!:][^\s()"'<>=!]*/
%ignore /\s+/
"""


@dataclass(frozen=True, slots=True)
class Restriction:
    """`path operator value`: the leaf of a filter."""

    path: str
    operator: str
    value: str
    quoted: bool
    depth: int = 0
    terms: int = 1


@dataclass(frozen=True, slots=True)
class Negation:
    """True where `operand` is not."""

    operand: Expression
    depth: int
    terms: int


@dataclass(frozen=True, slots=True)
class Junction:
    """All (`AND`) or any (`OR`) of the operands."""

    operator: str
    operands: tuple[Expression, ...]
    depth: int
    terms: int


Expression = Restriction | Negation | Junction


def parse_filter(text: str) -> Expression | None:
    """Reads a filter.

    Returns:
        The tree, or None for an empty filter.

    Raises:
        InvalidField: it is too long, too deep, has too many terms, or is not in the language.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise _invalid(f"is longer than {MAX_BYTES} bytes", hint="filter in several calls")
    if "\0" in text:
        raise _invalid("has a NUL character", hint=FILTER_HINT)
    if not text.strip():
        return None
    try:
        expression: Expression = _parser().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        raise _invalid(_what_stood_there(text, error), hint=FILTER_HINT) from None
    except VisitError as error:
        raise error.orig_exc from None
    return expression


def _what_stood_there(text: str, error: UnexpectedInput) -> str:
    position = error.pos_in_stream
    if position is None or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        return "ends too early"
    return f"cannot be read at character {position + 1}: {shortened(text[position:], 30)!r}"


def _invalid(what: str, *, hint: str) -> InvalidField:
    return InvalidField(f"filter {what}", field="filter", hint=hint)


@v_args(inline=True)
class _Builder(Transformer[Token, Expression]):
    """Builds the tree while it is parsed, bottom up: no recursion, whatever the depth of the text."""

    def start(self, expression: Expression) -> Expression:
        return expression

    def restriction(self, path: Token, operator: Token, value: Token) -> Expression:
        quoted = value.type == "QUOTED"
        text = re.sub(r"\\(.)", r"\1", value[1:-1], flags=re.DOTALL) if quoted else str(value)
        return Restriction(str(path), str(operator), text, quoted)

    def composite(self, expression: Expression) -> Expression:
        if expression.depth >= MAX_DEPTH:
            raise _too_deep()
        return replace(expression, depth=expression.depth + 1)

    def negation(self, operand: Expression) -> Expression:
        return Negation(operand, *_measured((operand,)))

    def conjunction(self, *operands: Expression) -> Expression:
        return _joined("AND", operands)

    def disjunction(self, *operands: Expression) -> Expression:
        return _joined("OR", operands)


def _joined(operator: str, operands: tuple[Expression, ...]) -> Expression:
    return Junction(operator, operands, *_measured(operands)) if len(operands) > 1 else operands[0]


def _measured(operands: tuple[Expression, ...]) -> tuple[int, int]:
    """Depth and number of terms of a new node."""
    depth = 1 + max(operand.depth for operand in operands)
    terms = sum(operand.terms for operand in operands)
    if terms > MAX_TERMS:
        raise _invalid(f"has more than {MAX_TERMS} terms", hint="filter in several calls")
    if depth > MAX_DEPTH:
        raise _too_deep()
    return depth, terms


def _too_deep() -> InvalidField:
    return _invalid(f"is nested deeper than {MAX_DEPTH} levels", hint="write it with fewer parentheses")


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Builder(), maybe_placeholders=False)
