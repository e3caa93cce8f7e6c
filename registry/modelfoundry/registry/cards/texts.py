"""Text and tables as Markdown that shows them as they are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~&!$^=])")
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line, in a table too."""
    return _SPECIAL.sub(r"\\\1", _LINE_ENDS.sub(" ", text))


def quoted(text: str) -> str:
    """Somebody's Markdown in a block quote, which ends every construct that it leaves open. HTML is shown, not run."""
    shown = re.sub(r"<(?!https?://|mailto:)", "&lt;", text.strip())
    return "\n".join(f"> {line}".rstrip() for line in _LINE_ENDS.split(shown))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
