"""What callers may write in place of a full resource name."""

from __future__ import annotations

from modelfoundry.names import DEFAULT_PROJECT
from modelfoundry.values.compositions import Composition
from modelfoundry.values.kinds import Kind
from modelfoundry.values.resources import Dataset, Evaluation, Model, Module

Named = str | Model | Dataset | Module | Composition | Evaluation


def full_name(reference: Named, collection: str, parent: str = DEFAULT_PROJECT) -> str:
    """The full name of a resource: `horse`, `modules/horse`, a full name, or the resource itself.

    Whether it is well formed is for the service to say: it names the field and near names.
    """
    if not isinstance(reference, str):
        return reference.name
    if not reference or reference.startswith("projects/"):
        return reference
    if reference.startswith(f"{collection}/"):
        return f"{parent}/{reference}"
    return f"{parent}/{collection}/{reference}"


def subject_name(reference: Named, parent: str = DEFAULT_PROJECT) -> str:
    """The full name of a model, module or composition.

    A bare id names a module; write `models/ID` for a model and `compositions/ID` for a composition.
    """
    if isinstance(reference, str):
        for collection in (Kind.MODEL, Kind.COMPOSITION):
            if reference.startswith(f"{collection}/"):
                return full_name(reference, collection, parent)
    return full_name(reference, Kind.MODULE, parent)


def any_name(reference: Named, parent: str = DEFAULT_PROJECT) -> str:
    """The full name of any resource or job. A bare id names a module; write `models/ID` for a model, and so on."""
    if isinstance(reference, str) and "/" in reference and not reference.startswith("projects/"):
        return f"{parent}/{reference}"
    return full_name(reference, Kind.MODULE, parent)


def family_member(reference: str, parent: str = DEFAULT_PROJECT) -> tuple[str, str]:
    """The full name of a family or of `family@alias`, and its collection: of modules unless it says another."""
    name = reference if reference.startswith("projects/") else ""
    if not name:
        name = f"{parent}/{reference}" if "/" in reference else full_name(reference, Kind.MODULE, parent)
    return name, (name.split("/") + [""] * 3)[2]
