"""Rules for the names with which resources refer to one another."""

from __future__ import annotations

from modelfoundry.errors import InvalidField
from modelfoundry.names import ResourceName, parse_name
from modelfoundry.values.kinds import Kind


def check_reference(name: str, collection: str, project: str, *, field: str) -> ResourceName:
    """Checks that `name` names a resource of the same project.

    Raises:
        InvalidField: it is malformed or in another project.
    """
    parsed = parse_name(name, collection, field=field)
    if parsed.project != project:
        raise InvalidField(
            f"{field}: {name} is in another project", field=field, hint=f"name something in projects/{project}"
        )
    return parsed


def check_operation(name: str, project: str, *, field: str) -> None:
    """Checks the name of the operation that made a resource; it may be empty.

    Raises:
        InvalidField: it is malformed or in another project.
    """
    if name:
        check_reference(name, Kind.OPERATION, project, field=field)
