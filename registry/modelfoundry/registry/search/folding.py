"""Texts as they are compared: without case, accents and punctuation, and their words as near as a slip of the pen."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

from rapidfuzz.distance import OSA

_KEPT: Final = {"L", "N", "S"}
_KEPT_TOO: Final = {"Mc", "Co"}
_APOSTROPHES: Final = str.maketrans("", "", "'\u2019")
_PREFIX: Final = 7
_ASCII: Final = {
    number: None if chr(number) == "'" else " "
    for number in range(128)
    if unicodedata.category(chr(number))[0] not in _KEPT
}


def fold(text: str) -> str:
    """`text` in the form in which it is compared: words of letters, digits and symbols, single blanks between them.

    Case, accents and apostrophes are left out (`Égyptian_Cat` is `egyptian cat`); all other punctuation parts words.
    """
    if text.isascii():
        return " ".join(text.lower().translate(_ASCII).split())
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_APOSTROPHES)).casefold()
    kept = (_folded(character) for character in decomposed)
    return " ".join("".join(kept).split())


def _folded(character: str) -> str:
    category = unicodedata.category(character)
    if category in {"Mn", "Me"}:
        return ""
    return character if category[0] in _KEPT or category in _KEPT_TOO else " "


def slips(word: str) -> int:
    """How many slips in a word of a query are forgiven."""
    return 0 if len(word) < 3 else 1 if len(word) < 6 else 2


def deletion_keys(word: str, depth: int | None = None) -> set[str]:
    """What is left of a word's beginning without up to `depth` of its letters (symmetric delete spelling correction).

    Two words at most `depth` slips apart share a key. Only the first 7 letters count, so that there are at most 29.

    Args:
        word: A folded word.
        depth: Letters to leave out. None: as many as any query that could mean this word may need.
    """
    if depth is None:
        depth = 0 if len(word) < 2 else 1 if len(word) < 4 else 2
    keys = {word[:_PREFIX]}
    for _ in range(depth):
        keys |= {key[:at] + key[at + 1 :] for key in keys for at in range(len(key))}
    return keys - {""}


def distance(query: Sequence[str], words: Sequence[str]) -> int | None:
    """Slips between the words of a query and the nearest words of a label; None when one has no near word.

    A slip is a letter inserted, left out or replaced, or two neighbours swapped (optimal string alignment).
    """
    total = 0
    for wanted in query:
        allowed = slips(wanted)
        nearest = min((OSA.distance(wanted, word, score_cutoff=allowed) for word in words), default=allowed + 1)
        if nearest > allowed:
            return None
        total += nearest
    return total
