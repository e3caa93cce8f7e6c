"""Names as people type and read them: `resnet20` for `projects/default/models/resnet20`."""

from __future__ import annotations

from modelfoundry.names import DEFAULT_PROJECT, check_id, parse_parent


def full_parent(project: str) -> str:
    """`projects/{project}` from a project's id or name; empty means the default project.

    Raises:
        InvalidField: it is neither.
    """
    if not project:
        return DEFAULT_PROJECT
    if "/" in project:
        return f"projects/{parse_parent(project, field='--project')}"
    return f"projects/{check_id(project, field='--project')}"


def short_name(name: str, parent: str) -> str:
    """The id of a resource of `parent`; the whole name of any other."""
    return name.rpartition("/")[2] if name.startswith(f"{parent}/") else name
