"""What models call the labels of a request: looked up in words, near ones named where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelfoundry.client import AsyncClient, FoundLabels, Match, MatchKind
from modelfoundry.errors import FieldViolation, InvalidField, UnknownLabel
from modelfoundry.names import label_text, near, shortened

NEAREST_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class KnownLabel:
    """A label as it was asked for, and what models call it."""

    asked: str
    matches: tuple[Match, ...]
    """Why: all of one meaning, which differ in case, accents and punctuation."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """What models call it."""
        return tuple(dict.fromkeys(label_text(match.label) for match in self.matches))

    def match(self, spelling: str) -> Match:
        """Why it is called so."""
        return next(match for match in self.matches if label_text(match.label) == spelling)


async def known_labels(asked: Sequence[str], client: AsyncClient) -> tuple[KnownLabel, ...]:
    """Finds what models call the labels of a request.

    Raises:
        UnknownLabel: models do not know some; each is a violation that names the nearest known labels.
        InvalidField: two of them mean the same.
    """
    found = await asyncio.gather(*(_found(label, f"labels[{place}]", client) for place, label in enumerate(asked)))
    unknown: list[tuple[str, str, list[str]]] = []
    known: list[KnownLabel] = []
    for place, (label, labels) in enumerate(zip(asked, found, strict=True)):
        meant = _meant(label, labels.matches)
        if meant:
            known.append(KnownLabel(label, tuple(meant)))
        else:
            unknown.append((f"labels[{place}]", *_told(label, labels)))
    if unknown:
        raise _unknown(unknown)
    _check_different(known, asked)
    return tuple(known)


async def _found(label: str, field: str, client: AsyncClient) -> FoundLabels:
    try:
        return await client.find_labels(label)
    except InvalidField as error:
        raise InvalidField(f"{field}: {shortened(label)!r} has no words", field=field, hint=error.hint) from error


def _meant(asked: str, matches: Sequence[Match]) -> list[Match]:
    """The labels that a word stands for.

    The word just as it is spelled, where models know it so: `Cardigan` is a dog and `cardigan` is not. Else the word in
    other cases, accents and punctuation, else those of the one meaning that it is a synonym of.
    """
    named = [match for match in matches if match.kind is MatchKind.LABEL]
    if named:
        return [match for match in named if label_text(match.label) == label_text(asked)] or named
    synonyms = [match for match in matches if match.kind is MatchKind.SYNONYM]
    meanings = {"".join(filter(str.isalnum, match.label.casefold())) for match in synonyms}
    return synonyms if len(meanings) == 1 else []


def _told(label: str, found: FoundLabels) -> tuple[str, list[str]]:
    """Why a label is not known, and what could be asked for instead."""
    by_kind = {
        kind: [match.label for match in found.matches if match.kind is kind]
        for kind in (
            *(MatchKind.SYNONYM, MatchKind.MEMBER),
            *(MatchKind.PREFIX, MatchKind.SPELLING, MatchKind.SUPER_CLASS),
        )
    }
    name = shortened(label)
    if by_kind[MatchKind.SYNONYM]:
        return f"{name!r} has several meanings that models know", by_kind[MatchKind.SYNONYM]
    if by_kind[MatchKind.MEMBER]:
        return f"{name!r} is a super-class; models know its members", by_kind[MatchKind.MEMBER]
    similar = [*by_kind[MatchKind.PREFIX], *by_kind[MatchKind.SPELLING], *by_kind[MatchKind.SUPER_CLASS]]
    similar = similar or near(label, found.known_labels)
    return f"no registered model knows {name!r}", similar or list(found.known_labels)


def _unknown(unknown: Sequence[tuple[str, str, list[str]]]) -> UnknownLabel:
    field, what, nearest = unknown[0]
    shown = ", ".join(shortened(label, 40) for label in nearest[:NEAREST_SHOWN])
    return UnknownLabel(
        f"{field}: {what}",
        field=field,
        hint=f"known are {shown}" if shown else "no model is registered: push or train one first",
        violations=tuple(
            FieldViolation(path, f"{told}: known are {', '.join(labels[:NEAREST_SHOWN]) or 'none'}")
            for path, told, labels in unknown
        ),
        metadata={"near": ", ".join(nearest[:NEAREST_SHOWN])},
    )


def _check_different(known: Sequence[KnownLabel], asked: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for label in known:
        for spelling in label.spellings:
            other = seen.setdefault(spelling, label.asked)
            if other != label.asked or asked.count(label.asked) > 1:
                place = len(asked) - 1 - list(reversed(asked)).index(label.asked)
                path = f"labels[{place}]"
                raise InvalidField(
                    f"{path}: {shortened(label.asked)!r} is there twice"
                    if other == label.asked
                    else f"{path}: {shortened(label.asked)!r} means the same as {shortened(other)!r}",
                    field=path,
                    hint="name every label once",
                )
