"""What a module must tell apart (SeaM, Qi et al., ICSE 2023, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelfoundry.errors import InvalidField

REST = "rest"


@dataclass(frozen=True, slots=True)
class BinaryProblem:
    """One label against all others. Outputs: the label and `rest`."""

    label: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the base model that the problem names."""
        return (self.label,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Meaning of every output of a module for this problem."""
        return (self.label, REST)


@dataclass(frozen=True, slots=True)
class MultiClassProblem:
    """Which one of several labels. Outputs: the labels in this order."""

    labels: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Meaning of every output of a module for this problem."""
        return self.labels


@dataclass(frozen=True, slots=True)
class OpenSetProblem:
    """Which one of several labels, or none of them. Outputs: the labels in this order and `rest`."""

    labels: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Meaning of every output of a module for this problem."""
        return (*self.labels, REST)


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
