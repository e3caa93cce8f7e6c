"""Failures as two lines for people: what was wrong, and what to do about it."""

from __future__ import annotations

import sys
import traceback
from typing import Final

from modelfoundry.errors import ModelFoundryError

VIOLATIONS_SHOWN: Final = 20


def one_line(text: str) -> str:
    """`text` with every run of white space, line ends included, as one space."""
    return " ".join(text.split())


def failure_lines(error: ModelFoundryError) -> list[str]:
    """What is printed about an error: one line what, one line hint, then the violations."""
    lines = [f"error: {one_line(error.message)}"]
    if error.hint:
        lines.append(f"hint: {one_line(error.hint)}")
    # A service without violations of its own sends its message again as one.
    violations = [violation for violation in error.violations if violation.description != error.message]
    lines += [f"  - {one_line(v.field)}: {one_line(v.description)}" for v in violations[:VIOLATIONS_SHOWN]]
    if len(violations) > VIOLATIONS_SHOWN:
        lines.append(f"  - and {len(violations) - VIOLATIONS_SHOWN} more")
    return lines


def print_failure(error: ModelFoundryError) -> None:
    """Prints an error that was raised on purpose to stderr."""
    print_lines(failure_lines(error))


def print_slip(error: Exception) -> None:
    """Prints an exception that nobody foresaw to stderr, without its traceback."""
    print_lines(
        [
            f"error: unexpected {type(error).__name__}: {one_line(str(error))}",
            "hint: this is a mistake in modelfoundry; run the command again with --debug and report what it prints",
        ]
    )


def print_traceback(error: BaseException) -> None:
    """Prints where an exception came from to stderr."""
    traceback.print_exception(error, file=sys.stderr)


def print_lines(lines: list[str]) -> None:
    """Prints lines to stderr."""
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    sys.stderr.flush()
