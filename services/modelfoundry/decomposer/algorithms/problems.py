"""Which modules are asked for: one for a problem, or one for every group of labels of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelfoundry.decomposer.algorithms.algorithm import Algorithm
from modelfoundry.decomposer.algorithms.settings import Settings
from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.problems import (
    BinaryProblem,
    MultiClassProblem,
    OpenSetProblem,
    Problem,
    resolve,
    resolve_labels,
)

KINDS = {BinaryProblem: "binary", MultiClassProblem: "multi_class", OpenSetProblem: "open_set"}
"""How the contract calls the kinds of problems."""


@dataclass(frozen=True, slots=True)
class LabelGroups:
    """Labels that one module each recognises; every other label of the model gets a module by itself."""

    groups: tuple[tuple[str, ...], ...]


Wanted = Problem | LabelGroups


def wanted_problems(algorithm: Algorithm[Settings], wanted: Wanted, labels: Sequence[str]) -> tuple[Problem, ...]:
    """The problem of every module, in order.

    Args:
        algorithm: That is asked.
        wanted: What it is asked for.
        labels: Of the model, in the order of its outputs.

    Raises:
        UnknownLabel: the model lacks a label.
        InvalidField: the algorithm does not take such a problem, or problem or groups are malformed.
    """
    if isinstance(wanted, LabelGroups):
        return _grouped(wanted.groups, labels, f"{algorithm.name}.label_groups")
    path = f"{algorithm.name}.problem"
    if type(wanted) not in algorithm.problems:
        kinds = ", ".join(KINDS[kind] for kind in algorithm.problems)
        raise InvalidField(
            f"{path}: {algorithm.title} takes no {KINDS[type(wanted)]} problem", field=path, hint=f"it takes {kinds}"
        )
    resolve(wanted, labels, field=path)
    return (wanted,)


def _grouped(groups: Sequence[Sequence[str]], labels: Sequence[str], field: str) -> tuple[Problem, ...]:
    """One problem a module: the groups, and every other label by itself, each where its first label stands."""
    places: dict[str, str] = {}
    problems: list[Problem] = []
    for number, group in enumerate(groups):
        path = f"{field}[{number}].labels"
        resolve_labels(group, labels, field=path, least=1)
        for position, label in enumerate(group):
            if label in places:
                raise InvalidField(
                    f"{path}[{position}]: {shortened(label)!r} is {places[label]} already",
                    field=f"{path}[{position}]",
                    hint="put every label into one group at most",
                )
            places[label] = f"{path}[{position}]"
        problems.append(BinaryProblem(group[0]) if len(group) == 1 else OpenSetProblem(tuple(group)))
    problems += [BinaryProblem(label) for label in labels if label not in places]
    return tuple(sorted(problems, key=lambda problem: min(resolve(problem, labels))))
