"""What callers may write in place of a full resource name."""

from __future__ import annotations

from modelfoundry.client.resources import Dataset, Evaluation, Model, Module
from modelfoundry.names import DEFAULT_PROJECT

Named = str | Model | Dataset | Module | Evaluation


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
    """The full name of a model or module. A bare id names a module; write `models/ID` for a model."""
    if isinstance(reference, str) and reference.startswith("models/"):
        return full_name(reference, "models", parent)
    return full_name(reference, "modules", parent)


def family_member(reference: str, parent: str = DEFAULT_PROJECT) -> tuple[str, str]:
    """The full name of a family or of `family@alias`, and its collection: of modules unless it says another."""
    name = reference if reference.startswith("projects/") else ""
    if not name:
        name = f"{parent}/{reference}" if "/" in reference else full_name(reference, "modules", parent)
    return name, (name.split("/") + [""] * 3)[2]
