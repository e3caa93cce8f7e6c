"""Vocabularies as values: terms with synonyms and super-classes, checked, and walked up and down."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.registry.records.wording import MAX_LABEL, check_line
from modelfoundry.registry.search.folding import fold
from modelfoundry.values.searching import VocabularyTerm

MAX_TERMS: Final = 20_000
MAX_BYTES: Final = 1024 * 1024
MAX_WORDS: Final = 64
BUILT_IN: Final = ("cifar-100", "imagenet")


@dataclass(frozen=True)
class Thesaurus:
    """A vocabulary to look words up in: super-classes are terms too and go in no circle (`checked_vocabulary`)."""

    terms: tuple[VocabularyTerm, ...]
    display_name: str = ""
    description: str = ""

    def named(self, word: str) -> Sequence[VocabularyTerm]:
        """Terms that a folded word names."""
        return self._by_word.get(word, ())

    def folded(self, term: VocabularyTerm) -> tuple[str, ...]:
        """All words for a term, folded."""
        return self._folded[term.term]

    def kinds_of(self, term: VocabularyTerm) -> Iterator[VocabularyTerm]:
        """All terms below a term."""
        return self._walk(term, lambda name: self._below.get(name, ()))

    def super_classes_of(self, term: VocabularyTerm) -> Iterator[VocabularyTerm]:
        """All terms above a term."""
        return self._walk(term, lambda name: self._above[name])

    def _walk(self, term: VocabularyTerm, step: Any) -> Iterator[VocabularyTerm]:
        seen = {fold(term.term)}
        waiting = [*step(fold(term.term))]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                yield self._by_name[name]
                waiting += step(name)

    @cached_property
    def _by_name(self) -> Mapping[str, VocabularyTerm]:
        return {fold(term.term): term for term in self.terms}

    @cached_property
    def _folded(self) -> Mapping[str, tuple[str, ...]]:
        return {term.term: tuple(dict.fromkeys(map(fold, term.words))) for term in self.terms}

    @cached_property
    def _by_word(self) -> Mapping[str, list[VocabularyTerm]]:
        found: dict[str, list[VocabularyTerm]] = defaultdict(list)
        for term in self.terms:
            for word in self._folded[term.term]:
                found[word].append(term)
        return dict(found)

    @cached_property
    def _above(self) -> Mapping[str, tuple[str, ...]]:
        return {name: tuple(map(fold, term.broader)) for name, term in self._by_name.items()}

    @cached_property
    def _below(self) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for term in self.terms:
            for name in term.broader:
                found[fold(name)].append(fold(term.term))
        return dict(found)


def checked_vocabulary(vocabulary: Thesaurus, *, prefix: str = "vocabulary") -> Thesaurus:
    """Returns `vocabulary` when it keeps the rules of the contract.

    Args:
        vocabulary: What somebody wrote.
        prefix: Path of the vocabulary in the request.

    Raises:
        InvalidField: a limit is passed, a term is there twice, a super-class is no term, or some go in a circle.
    """
    path = f"{prefix}.terms"
    if not 1 <= len(vocabulary.terms) <= MAX_TERMS:
        raise InvalidField(
            f"{path}: there are {len(vocabulary.terms)} terms", field=path, hint=f"give 1 to {MAX_TERMS} terms"
        )
    size = sum(len(word.encode(errors="replace")) for term in vocabulary.terms for word in (*term.words, *term.broader))
    if size > MAX_BYTES:
        raise InvalidField(
            f"{path}: all words together have {size} bytes", field=path, hint=f"use at most {MAX_BYTES} bytes"
        )
    for index, term in enumerate(vocabulary.terms):
        _check_words(term, f"{path}[{index}]")
    _check_names(vocabulary.terms, path)
    _check_circles(vocabulary.terms, path)
    return vocabulary


def _check_words(term: VocabularyTerm, path: str) -> None:
    for name, words in (("synonyms", term.synonyms), ("broader", term.broader)):
        if len(words) > MAX_WORDS:
            raise InvalidField(
                f"{path}.{name}: there are {len(words)}", field=f"{path}.{name}", hint=f"use at most {MAX_WORDS}"
            )
    for name, words in (("term", (term.term,)), ("synonyms", term.synonyms)):
        for word in words:
            check_line(word, MAX_LABEL, field=f"{path}.{name}")
            if not fold(word):
                raise InvalidField(
                    f"{path}.{name}: {shortened(word)!r} has no letter, digit or symbol",
                    field=f"{path}.{name}",
                    hint="write a word",
                )


def _check_names(terms: Sequence[VocabularyTerm], path: str) -> None:
    names: dict[str, int] = {}
    for index, term in enumerate(terms):
        first = names.setdefault(fold(term.term), index)
        if first != index:
            raise InvalidField(
                f"{path}[{index}].term: {shortened(term.term)!r} is also term {first}",
                field=f"{path}[{index}].term",
                hint="join the two: case, accents and punctuation do not count",
            )
    for index, term in enumerate(terms):
        for name in term.broader:
            if fold(name) not in names:
                suggestions = near(name, (other.term for other in terms[:1000]))
                raise InvalidField(
                    f"{path}[{index}].broader: {shortened(name)!r} is no term of the vocabulary",
                    field=f"{path}[{index}].broader",
                    hint=f"did you mean {suggestions[0]}?" if suggestions else "add it as a term",
                )


def _check_circles(terms: Sequence[VocabularyTerm], path: str) -> None:
    """Takes away terms whose super-classes are all gone, again and again: what stays goes in circles."""
    above = {fold(term.term): set(map(fold, term.broader)) for term in terms}
    below: dict[str, list[str]] = defaultdict(list)
    for name, names in above.items():
        for other in names:
            below[other].append(name)
    free = [name for name, names in above.items() if not names]
    while free:
        name = free.pop()
        del above[name]
        for other in below[name]:
            above[other].discard(name)
            if not above[other]:
                free.append(other)
    if above:
        circle = " > ".join(_circle(above))
        raise InvalidField(
            f"{path}: super-classes go in a circle: {shortened(circle, 200)}",
            field=path,
            hint="take one `broader` out of the circle",
        )


def _circle(above: Mapping[str, set[str]]) -> list[str]:
    """A circle, in a graph in which every term has a super-class."""
    way = [min(above)]
    while (following := min(above[way[-1]])) not in way:
        way.append(following)
    return [*way[way.index(following) :], following]


def vocabulary_from_json(content: Mapping[str, Any]) -> Thesaurus:
    """A vocabulary from its stored form."""
    return Thesaurus(
        terms_from_json(content["terms"]), str(content.get("display_name", "")), str(content.get("description", ""))
    )


def terms_from_json(terms: Iterable[Mapping[str, Any]]) -> tuple[VocabularyTerm, ...]:
    """Terms from their stored form."""
    return tuple(
        VocabularyTerm(
            term=str(one["term"]), synonyms=tuple(one.get("synonyms", ())), broader=tuple(one.get("broader", ()))
        )
        for one in terms
    )


@cache
def built_in(name: str) -> Thesaurus:
    """A vocabulary that comes with the registry, one of `BUILT_IN`."""
    file = resources.files(__package__) / "builtin" / f"{name}.json"
    return vocabulary_from_json(json.loads(file.read_text(encoding="utf-8")))
