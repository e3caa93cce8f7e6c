"""What the names of subjects say: of models, modules and compositions."""

from __future__ import annotations

from modelfoundry.errors import InvalidField
from modelfoundry.names import shortened
from modelfoundry.values.kinds import Kind


def subject_collection(name: str, *, field: str) -> str:
    """`models`, `modules` or `compositions`: what a subject's name says it is.

    Raises:
        InvalidField: it is none of these.
    """
    match name.split("/", 4):
        case ["projects", _, (Kind.MODEL | Kind.MODULE | Kind.COMPOSITION) as collection, _]:
            return collection
        case _:
            raise InvalidField(
                f"{field}: {shortened(name)!r} is neither a model, a module nor a composition",
                field=field,
                hint="pass for example projects/{project}/models/{model}, or a name in modules or compositions",
            )
