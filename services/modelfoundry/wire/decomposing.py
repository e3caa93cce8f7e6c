"""Which algorithm is asked for what: the oneof of DecomposeRequest, for every algorithm that the contract knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from modelfoundry.api.decomposer.v1 import decomposer_service_pb2 as pb
from modelfoundry.errors import InvalidField
from modelfoundry.names import near, shortened
from modelfoundry.values.recipes import Search
from modelfoundry.wire.computing import problem_from_proto, problem_to_proto
from modelfoundry.wire.recipes import given_settings, recipe_to_proto

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

    Raises:
        InvalidField: the contract knows no such algorithm or setting, or the algorithm is not asked in that way.
    """
    joint = finds_all_labels(search.algorithm)
    asked: Any = getattr(request, search.algorithm)
    recipe = recipe_class(search.algorithm)
    asked.recipe.CopyFrom(recipe_to_proto(recipe, search.settings, field=f"{search.algorithm}.recipe"))
    if search.problem is not None:
        if joint:
            raise InvalidField(
                f"problem: {search.algorithm} makes modules of all labels, and of no problem by itself",
                field="problem",
                hint="call decompose_all, or leave the problem out",
            )
        asked.problem.CopyFrom(problem_to_proto(search.problem))
    if search.label_groups:
        if not joint:
            raise InvalidField(
                f"label_groups: {search.algorithm} makes a module of one problem",
                field="label_groups",
                hint="call decompose with a problem of these labels",
            )
        asked.label_groups.extend(pb.LabelGroup(labels=group) for group in search.label_groups)


def search_from_proto(request: pb.DecomposeRequest) -> Search:
    """What a request asks for, and the settings that it names.

    Raises:
        InvalidField: no algorithm is set, or a setting has a value that this version does not know.
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
        problem=None if joint else problem_from_proto(asked.problem),
        label_groups=tuple(tuple(group.labels) for group in asked.label_groups) if joint else (),
        settings={"recipe": asked.recipe.recipe, **given_settings(asked.recipe, field=f"{algorithm}.recipe")},
    )
