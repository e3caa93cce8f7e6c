"""What an algorithm says of itself. Nothing outside of an algorithm's room names it.

Nothing here needs torch: names, settings and recipes are read by the command line too. What computes is imported by the
functions that an algorithm hands in, when they are called.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from modelfoundry.decomposer.algorithms.settings import Recipe, S, Setting, resolve_recipe, settings_of
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

if TYPE_CHECKING:
    from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
    from modelfoundry.values.architectures import Architecture, InputSpec

ProblemKind = type[BinaryProblem] | type[MultiClassProblem] | type[OpenSetProblem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm(Generic[S]):
    """A way to take models apart."""

    name: str
    """In records, on the command line, and of the field in the contract's oneof."""
    version: str
    """Changes when the same settings give other masks, so that older modules are not taken for equal."""
    title: str
    """As people write it."""
    summary: str
    """What it searches, a sentence."""
    paper: str
    """Where it was published."""
    problems: tuple[ProblemKind, ...]
    """What its modules tell apart."""
    joint: bool
    """It finds modules of all labels of a model in one search, some of them for a group of labels. Else one module a
    search, for the problem that is asked."""
    recipes: Mapping[str, Recipe[S]]
    """By name, the one that is meant without a name first."""
    search: Callable[[SearchTask[S]], SearchResult[FoundModule]]
    own_command: bool = False
    """The command line has a command of its name for it, beside `decompose --algorithm`."""
    check_model: Callable[[Architecture, int, InputSpec], None] | None = None
    """Refuses models that it cannot take apart (`UnsupportedModel`), from architecture, number of labels and input.
    None: it takes all."""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting that any of its recipes has, each name once: as the first recipe has it that does."""
        found: dict[str, Setting] = {}
        for recipe in self.recipes.values():
            for setting in settings_of(type(recipe.settings)):
                found.setdefault(setting.name, setting)
        return tuple(found.values())

    def resolve(self, recipe: str, overrides: Mapping[str, Any]) -> S:
        """The settings of a recipe with some of them replaced.

        Args:
            recipe: Name of the recipe; empty means the first.
            overrides: Setting to value.

        Raises:
            InvalidField: there is no such recipe or setting, or a value is out of range.
        """
        return resolve_recipe(self.recipes, recipe, overrides)
