"""Algorithms, and what is asked of one: the oneof of DecomposeRequest, for every algorithm that the contract knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from modelfoundry.api.decomposer.v1 import algorithm_pb2
from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.errors import InvalidField
from modelfoundry.names import label_texts, near, shortened
from modelfoundry.values.algorithms import AlgorithmDescription, NamedSettings, Search, SettingDescription
from modelfoundry.wire.computing import PROBLEM, problem_to_proto
from modelfoundry.wire.pairs import Pair
from modelfoundry.wire.recipes import given_settings, recipe_to_proto

ALGORITHM = Pair(
    AlgorithmDescription,
    algorithm_pb2.AlgorithmDescription,
    Pair(SettingDescription, algorithm_pb2.SettingDescription),
    Pair(NamedSettings, algorithm_pb2.NamedSettings),
)
algorithm_to_proto = ALGORITHM.to_proto
algorithm_from_proto = ALGORITHM.from_proto

_ASKED: Final[Mapping[str, Any]] = {
    field.name: field.message_type for field in pb.DecomposeRequest.DESCRIPTOR.oneofs_by_name["algorithm"].fields
}
"""Name to the descriptor of the message that an algorithm is asked with."""
ALGORITHM_NAMES: Final = tuple(_ASKED)
"""Of the contract, in its order. The first is the one that is meant where none is named."""


def finds_all_labels(algorithm: str) -> bool:
    """Whether an algorithm finds modules of all labels in one search. Else it is asked for one problem.

    Raises:
        InvalidField: the contract does not know it.
    """
    check_algorithm(algorithm)
    return "label_groups" in _ASKED[algorithm].fields_by_name


def default_algorithm(*, joint: bool) -> str:
    """The algorithm that is meant where none is named: the first of the contract that is asked in this way."""
    return next(name for name in ALGORITHM_NAMES if finds_all_labels(name) is joint)


def recipe_class(algorithm: str) -> type[Message]:
    """Message of an algorithm's settings.

    Raises:
        InvalidField: the contract does not know the algorithm.
    """
    check_algorithm(algorithm)
    return GetMessageClass(_ASKED[algorithm].fields_by_name["recipe"].message_type)


def check_algorithm(algorithm: str, *, field: str = "algorithm") -> None:
    """Checks that the contract knows an algorithm.

    Raises:
        InvalidField: it does not; near names are the hint.
    """
    if algorithm not in _ASKED:
        similar = near(algorithm, ALGORITHM_NAMES)
        raise InvalidField(
            f"{field}: there is no algorithm {shortened(algorithm)!r}",
            field=field,
            hint=f"did you mean {similar[0]}?" if similar else f"use one of {', '.join(ALGORITHM_NAMES)}",
        )


def set_search(request: pb.DecomposeRequest, search: Search) -> None:
    """Writes what is asked into a request.

    Args:
        request: Whose algorithm is not set.
        search: A problem or label groups as the algorithm takes them; no problem is an empty one.

    Raises:
        InvalidField: the contract knows no such algorithm or setting.
    """
    kind, path = recipe_class(search.algorithm), f"{search.algorithm}.recipe"
    asked: Any = getattr(request, search.algorithm)
    asked.recipe.CopyFrom(recipe_to_proto(kind, search.settings, field=path))
    if search.problem is not None:
        asked.problem.CopyFrom(problem_to_proto(search.problem))
    if search.label_groups:
        asked.label_groups.extend(pb.LabelGroup(labels=group) for group in search.label_groups)


def search_from_proto(request: pb.DecomposeRequest) -> Search:
    """What a request asks for, and the settings that it names.

    Raises:
        InvalidField: no algorithm is set, no problem is, or a setting has a value that this version does not know.
    """
    algorithm = request.WhichOneof("algorithm")
    if algorithm is None:
        raise InvalidField(
            "algorithm: none is set",
            field=ALGORITHM_NAMES[0],
            hint=f"set {' or '.join(f'`{name}`' for name in ALGORITHM_NAMES)}",
        )
    asked: Any = getattr(request, algorithm)
    joint = finds_all_labels(algorithm)
    return Search(
        algorithm=algorithm,
        problem=None if joint else PROBLEM.from_request(asked.problem, field=f"{algorithm}.problem"),
        label_groups=tuple(label_texts(group.labels) for group in asked.label_groups) if joint else (),
        settings={"recipe": asked.recipe.recipe, **given_settings(asked.recipe, field=f"{algorithm}.recipe")},
    )
