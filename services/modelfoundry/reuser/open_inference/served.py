"""What the Open Inference Protocol calls models and versions, looked up in the registry."""

from __future__ import annotations

from modelfoundry.client import AsyncClient, Module
from modelfoundry.client.subjects import find_subject
from modelfoundry.errors import NotFound
from modelfoundry.names import DIGEST, RESOURCE_ID
from modelfoundry.workbench.followed import FollowedSubjects
from modelfoundry.workbench.resources import Subject, digest_of


async def find_served(
    client: AsyncClient, name: str, version: str, *, field: str, followed: FollowedSubjects | None = None
) -> Subject:
    """The one place where a name and a version of the protocol become a resource.

    Args:
        client: Access to the registry.
        name: As `find_subject` takes it.
        version: A digest, what may follow an `@` in a name, or nothing.
        field: Path of the request field with the name.
        followed: Where it may be known already. None: the registry is asked.

    Raises:
        NotFound: nothing has that name, or it has another digest.
        InvalidField: it cannot be a name.
    """
    if version and not DIGEST.fullmatch(version):
        name, version = f"{name}@{version}", ""

    async def read() -> Subject:
        return await find_subject(client, name, field=field)

    found = await (read() if followed is None else followed.get(_parent(name, client.parent), name, read))
    if version and digest_of(found) != version:
        raise NotFound(
            f"{found.name} has no version {version}",
            field=field,
            hint=f"ask for version {digest_of(found)}, or for none, which means the same",
        )
    return found


def _parent(name: str, parent: str) -> str:
    """The project of a name; that of the client where it does not say."""
    match name.split("/", 3):
        case ["projects", project, *_] if RESOURCE_ID.fullmatch(project):
            return f"projects/{project}"
        case _:
            return parent


def outputs_of(served: Subject) -> tuple[str, ...]:
    """Meaning of the outputs, in order."""
    return served.problem.outputs if isinstance(served, Module) else served.labels
