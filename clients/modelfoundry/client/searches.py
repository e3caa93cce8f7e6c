"""How a caller says which algorithm searches, and with which settings: a recipe as a value, or both by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelfoundry.errors import InvalidField
from modelfoundry.values.recipes import ALGORITHM_OF, GradSplitterRecipe, SeamRecipe
from modelfoundry.wire.decomposing import default_algorithm, finds_all_labels
from modelfoundry.wire.recipes import named_settings


def chosen_search(
    recipe: SeamRecipe | GradSplitterRecipe | None, algorithm: str, settings: Mapping[str, Any] | None, *, joint: bool
) -> tuple[str, Mapping[str, Any]]:
    """Name and settings of the algorithm that a caller chose.

    Args:
        recipe: Both as a value.
        algorithm: Name; empty: that of the recipe, else the first of the contract.
        settings: By name.
        joint: Modules of all labels are wanted; else one of a problem.

    Raises:
        InvalidField: there is no such algorithm, it gives no such modules, or a recipe is given together with settings
            or with another algorithm than its own.
    """
    if recipe is None:
        name = algorithm or default_algorithm(joint=joint)
        if finds_all_labels(name) is not joint:
            makes = "a module of one problem" if joint else "modules of all labels in one search"
            raise InvalidField(
                f"algorithm: {name} makes {makes}",
                field="algorithm",
                hint=f"call {'decompose' if joint else 'decompose_all'}, or name another algorithm",
            )
        return name, settings or {}
    if settings is not None:
        raise InvalidField(
            "recipe and settings were given together", field="settings", hint="give one of the two; both say the same"
        )
    own = ALGORITHM_OF[type(recipe)]
    if algorithm not in {"", own}:
        raise InvalidField(
            f"recipe: a {type(recipe).__name__} says nothing to {algorithm}",
            field="recipe",
            hint="give `settings` by name, or leave `algorithm` out",
        )
    return own, named_settings(recipe)
