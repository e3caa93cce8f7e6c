"""Target problems: what a module must tell apart (SeaM, Qi et al., ICSE 2023, section 2)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modelfoundry.errors import InvalidField, UnknownLabel
from modelfoundry.names import label_text, label_texts, near, shortened

REST: Final = "rest"
"""What the output for all other labels is called, where no label of the problem is called so."""
_OTHER_WORDS: Final = ("all others", "none of these", "everything else")


def word_for_others(labels: Sequence[str]) -> str:
    """What the output for all other labels is called beside these labels: never what one of them is called."""
    words = itertools.chain((REST, *_OTHER_WORDS), (f"{REST} {number}" for number in itertools.count(2)))
    return next(word for word in words if word not in labels)


@dataclass(frozen=True, slots=True)
class BinaryProblem:
    """One label against all others."""

    label: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", label_text(self.label))

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the base model that the problem is about."""
        return (self.label,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Meaning of the module's outputs, in order: the label, then the others' (`rest`)."""
        return (self.label, word_for_others(self.labels))


@dataclass(frozen=True, slots=True)
class MultiClassProblem:
    """Which one of several labels."""

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", label_texts(self.labels))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Meaning of the module's outputs: the labels in the order given."""
        return self.labels


@dataclass(frozen=True, slots=True)
class OpenSetProblem:
    """Which one of several labels, or none of them."""

    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", label_texts(self.labels))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Meaning of the module's outputs: the labels in the order given, then the others' (`rest`)."""
        return (*self.labels, word_for_others(self.labels))


Problem = BinaryProblem | MultiClassProblem | OpenSetProblem


def problem_from(
    problem: Problem | None = None, label: str | None = None, labels: Sequence[str] | None = None
) -> Problem | None:
    """The problem that a caller gave in one of three ways, or None when in none.

    Raises:
        InvalidField: it was given in more than one way, or `labels` is one string.
    """
    if sum(given is not None for given in (problem, label, labels)) > 1:
        raise InvalidField(
            "problem, label and labels were given together", field="problem", hint="give one of the three"
        )
    if isinstance(labels, str):
        raise InvalidField(
            "labels: a single string", field="labels", hint="pass a list, or label= for a binary problem"
        )
    if label is not None:
        return BinaryProblem(label)
    if labels is not None:
        return MultiClassProblem(tuple(labels))
    return problem


def label_groups_from(groups: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Groups of labels as a caller gave them.

    Raises:
        InvalidField: one string stands where several labels were meant.
    """
    if isinstance(groups, str) or any(isinstance(group, str) for group in groups):
        raise InvalidField("label_groups: a single string", field="label_groups", hint="pass a list of lists of labels")
    return tuple(tuple(group) for group in groups)


def resolve(problem: Problem, labels: Sequence[str], *, field: str = "problem") -> tuple[int, ...]:
    """Finds the problem's labels among those of a model.

    Args:
        problem: What is to be told apart.
        labels: Labels of the model, in the order of its outputs.
        field: Path of the problem in the request, for error messages.

    Returns:
        Indices into `labels`, in the order of `problem.labels`.

    Raises:
        UnknownLabel: the model lacks one.
        InvalidField: a problem of several labels with fewer than two, the same label twice, or all labels.
    """
    match problem:
        case BinaryProblem(label):
            return (_index(label, labels, f"{field}.binary.label"),)
        case MultiClassProblem(wanted):
            return resolve_labels(wanted, labels, field=f"{field}.multi_class.labels")
        case OpenSetProblem(wanted):
            return resolve_labels(wanted, labels, field=f"{field}.open_set.labels")


def resolve_labels(wanted: Sequence[str], labels: Sequence[str], *, field: str, least: int = 2) -> tuple[int, ...]:
    """Finds some labels of a model, which may be neither too few nor all of them.

    Args:
        wanted: What is looked for.
        labels: Labels of the model, in the order of its outputs.
        field: Path of `wanted` in the request, for error messages.
        least: How many there must be.

    Returns:
        Indices into `labels`, in the order of `wanted`.

    Raises:
        UnknownLabel: the model lacks one.
        InvalidField: there are too few, the same twice, or all of them.
    """
    indices = tuple(_index(label, labels, f"{field}[{place}]") for place, label in enumerate(wanted))
    _check_several(label_texts(wanted), len(labels), field, least)
    return indices


def _check_several(wanted: Sequence[str], known: int, path: str, least: int) -> None:
    if len(wanted) < least:
        raise InvalidField(
            f"{path}: {least} labels are needed at least, got {len(wanted)}",
            field=path,
            hint="name more labels, or ask for a binary problem" if least > 1 else "name a label, or leave it out",
        )
    for place, label in enumerate(wanted):
        if label in wanted[:place]:
            raise InvalidField(
                f"{path}[{place}]: {shortened(label)!r} is there twice",
                field=f"{path}[{place}]",
                hint="name every label once",
            )
    if len(wanted) >= known:
        raise InvalidField(
            f"{path}: these are all {known} labels of the model",
            field=path,
            hint="leave at least one label out; a module is a part of its model",
        )


def _index(label: str, labels: Sequence[str], path: str) -> int:
    label, labels = label_text(label), label_texts(labels)
    if label in labels:
        return labels.index(label)
    similar = near(label, labels)
    raise UnknownLabel(
        f"{path}: the model has no label {shortened(label)!r}",
        field=path,
        hint=f"did you mean {', '.join(similar)}?" if similar else f"it has {_some(labels)}",
        metadata={"near": ", ".join(similar)},
    )


def _some(labels: Sequence[str], limit: int = 10) -> str:
    shown = ", ".join(shortened(label, 40) for label in labels[:limit])
    return shown if len(labels) <= limit else f"{shown} and {len(labels) - limit} more"
