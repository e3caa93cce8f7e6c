"""What modules can be searched with, and what is asked of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from modelfoundry.values.problems import Problem


class SettingType(StrEnum):
    """What values a setting has."""

    WHOLE_NUMBER = "whole_number"
    NUMBER = "number"
    WORD = "word"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingDescription:
    """A setting of an algorithm.

    Attributes:
        name: As `decompose(settings=...)` takes it.
        help: What it is for, a sentence or two.
        type: What values it has.
        default_value: Its value in the first recipe, as people write it.
        allowed: Which values it takes, in words that follow `give`: `1 to 10,000`.
        choices: Words that it takes; none for numbers.
        minimum: Least number that it takes.
        maximum: Greatest number that it takes. None: any.
        minimum_excluded: The least number itself is not taken.
        zero_allowed: 0 is taken too, whatever the least number is.
    """

    name: str
    help: str = ""
    type: SettingType | None = None
    default_value: str = ""
    allowed: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    minimum_excluded: bool = False
    zero_allowed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSettings:
    """A recipe of any algorithm: all its settings by name, and one paragraph of what it is for."""

    name: str
    description: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlgorithmDescription:
    """What a decomposer can search modules with.

    Attributes:
        name: As `decompose(algorithm=...)` takes it.
        version: Changes when the same settings give other masks.
        title: As people write it.
        description: What it searches, a sentence.
        paper: Where it was published.
        problems: What its modules tell apart: `binary`, `multi_class`, `open_set`.
        joint: It makes modules of all labels of a model in one search (`decompose_all`), not one of a problem.
        settings: Every setting, in order.
        recipes: Every recipe; the first is the one that is meant without a name.
    """

    name: str
    version: str = ""
    title: str = ""
    description: str = ""
    paper: str = ""
    problems: tuple[str, ...] = ()
    joint: bool = False
    settings: tuple[SettingDescription, ...] = ()
    recipes: tuple[NamedSettings, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which algorithm is asked for what.

    Args:
        algorithm: Its name.
        problem: What the module must tell apart, where the algorithm makes one a search.
        label_groups: Labels that one module recognises together, where it makes modules of all labels in one search.
        settings: Settings by name, `recipe` for the recipe that the others come from.
    """

    algorithm: str
    problem: Problem | None = None
    label_groups: tuple[tuple[str, ...], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
