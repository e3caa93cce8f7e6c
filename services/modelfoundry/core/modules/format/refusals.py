"""How what is no module file is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from modelfoundry.errors import MalformedFile

HINT: Final = "the file is damaged or no module; download it again, or decompose the model again"


def malformed(what: str) -> MalformedFile:
    """Why a file is refused."""
    return MalformedFile(f"no module file: {what}", hint=HINT)


def entries_of(text: str, is_entry: Callable[[Any], bool], what: str) -> list[Any]:
    """A list that stands in the metadata as JSON.

    Args:
        text: As it stands there.
        is_entry: Whether something can be an entry of it.
        what: What the list is and has, for the message.

    Raises:
        MalformedFile: it is no list of such entries.
        ValueError, RecursionError: it is no JSON.
    """
    match json.loads(text):
        case [*entries] if all(is_entry(entry) for entry in entries):
            return entries
        case _:
            raise malformed(f"its {what}")


def text_of(entries: Any) -> str:
    """JSON as the metadata has it: the same text for the same value."""
    return json.dumps(entries, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
