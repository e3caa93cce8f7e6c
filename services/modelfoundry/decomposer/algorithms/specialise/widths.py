"""Widths as text, as settings, tables and records have them. Knows no torch: settings read it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_PATTERN: Final = re.compile(r"[1-9][0-9]{0,5}(-[1-9][0-9]{0,5}){0,63}")


def text_of(widths: Sequence[int]) -> str:
    """As settings and tables say them: `16-16-32`."""
    return "-".join(map(str, widths))


def is_text_of_widths(text: str) -> bool:
    """Whether `widths_of_text` can read it."""
    return _PATTERN.fullmatch(text) is not None


def widths_of_text(text: str) -> tuple[int, ...]:
    """Reads what `text_of` wrote.

    Raises:
        ValueError: it is something else.
    """
    if not is_text_of_widths(text):
        raise ValueError(f"{text[:40]!r} is no list of widths such as 16-16-32")
    return tuple(map(int, text.split("-")))
