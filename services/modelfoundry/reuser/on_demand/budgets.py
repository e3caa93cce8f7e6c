"""Budgets that no mask can meet: which algorithm takes them, and how they are said to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from modelfoundry.errors import InvalidField
from modelfoundry.reuser.on_demand.offers import Constraints
from modelfoundry.values.file_forms import ExportForm
from modelfoundry.wire.decomposing import ALGORITHM_NAMES, recipe_class

SMALLER: Final = ("max_macs", "max_latency")
"""Constraints that ask for a smaller network, and settings of the algorithms that make one."""
_BASE: Final = "base"


def within_budgets(algorithm: str) -> bool:
    """Whether an algorithm makes networks of their own within budgets; one that the contract lacks does not."""
    return algorithm in ALGORITHM_NAMES and set(SMALLER) <= _settings(algorithm)


def budget_algorithm(constraints: Constraints) -> str | None:
    """The algorithm for what masks cannot give; None where nothing of the kind is asked for, or none does it."""
    if not any(getattr(constraints, name) for name in SMALLER):
        return None
    return next(filter(within_budgets, ALGORITHM_NAMES), None)


def budget_settings(
    algorithm: str, constraints: Constraints, form: ExportForm | None, said: Mapping[str, Any]
) -> dict[str, Any]:
    """The budgets of constraints as settings of an algorithm; none for one that has no such settings.

    Args:
        algorithm: Its name.
        constraints: Of the request.
        form: Of the files that are asked for, which the budgets are judged by; None: none are.
        said: Settings of the request.

    Raises:
        InvalidField: the settings of the request say one of them too.
    """
    if not within_budgets(algorithm):
        return {}
    wanted = {name: getattr(constraints, name) for name in (*SMALLER, "max_bytes") if getattr(constraints, name)}
    if constraints.min_accuracy_of_base or constraints.min_accuracy:
        wanted["min_accuracy"] = _BASE if constraints.min_accuracy_of_base else _share(constraints.min_accuracy)
    if form is not None:
        wanted |= {"weights": form.weights.value, "compute": form.compute.value}
    wanted = {name: value for name, value in wanted.items() if name in _settings(algorithm)}
    for name in wanted:
        if name in said:
            raise InvalidField(
                f"settings.{name}: the constraints or the form of the files say it already",
                field=f"settings.{name}",
                hint=f"leave `{name}` out of the settings",
            )
    return wanted


def budget_field(setting: str, constraints: Constraints) -> str | None:
    """Field of the request that a budget comes from, by the setting that it became; None: from none."""
    name = "min_accuracy_of_base" if setting == "min_accuracy" and constraints.min_accuracy_of_base else setting
    return f"constraints.{name}" if name in constraints.given else None


def budgets_text(settings: Mapping[str, Any]) -> str:
    """The budgets among settings, in words."""
    words = {
        "max_macs": lambda value: f"{value:.1%} of the model's multiply-accumulates",
        "max_latency": lambda value: f"{value:.1%} of its time",
        "max_bytes": lambda value: f"{value:,} bytes",
        "min_accuracy": lambda value: f"validation accuracy {'of the model' if value == _BASE else f'{value} or more'}",
    }
    return ", ".join(words[name](settings[name]) for name in words if settings.get(name))


def _settings(algorithm: str) -> set[str]:
    return set(recipe_class(algorithm).DESCRIPTOR.fields_by_name)


def _share(value: float) -> str:
    """As settings have it: digits, no exponent."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
