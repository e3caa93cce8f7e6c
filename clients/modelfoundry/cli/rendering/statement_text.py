"""Signed statements and what checking them found, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.quantities import moment
from modelfoundry.cli.rendering.tables import Column, print_line, print_table

if TYPE_CHECKING:
    from modelfoundry.client import SigningKey, Statement, Verification


def print_verification(verification: Verification) -> None:
    """Prints a line for every check: what, ok or FAILED, and why."""
    width = max(len(check.name) for check in verification.checks)
    for check in verification.checks:
        print_line(f"{check.name:<{width}}  {'ok    ' if check.ok else 'FAILED'}  {check.detail}")


def statement_text(statement: Statement) -> str:
    """Whether something is signed, when and by which key."""
    if not statement.signed:
        return "unsigned: registered before statements were made"
    return f"signed {moment(statement.sign_time)} by key {', '.join(statement.key_ids)}"


def print_keys(keys: Sequence[SigningKey]) -> None:
    """Prints public keys, oldest first, each with its PEM."""
    columns = (Column("KEY"), Column("SINCE"), Column("SIGNS NOW"))
    rows = [(key.key_id, moment(key.create_time), "yes" if key.current else "") for key in keys]
    print_table(columns, rows, empty="no keys")
    for key in keys:
        print_line(f"\n{key.public_key.strip()}")
