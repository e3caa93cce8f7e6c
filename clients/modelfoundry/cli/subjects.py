"""What can be measured and used: modules, models and compositions, by a bare id where that is clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfoundry.errors import NotFound

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient


async def subject_name(client: AsyncClient, text: str) -> str:
    """The whole name of what is meant. A bare id means a module where there is one, else a model, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    if "/" in text:
        return text
    missing: list[NotFound] = []
    for collection in (client.modules, client.models, client.compositions):
        try:
            return (await collection.get(text)).name
        except NotFound as error:
            missing.append(error)
    raise _none(text, missing)


def _none(text: str, missing: list[NotFound]) -> NotFound:
    near = [error for error in missing if error.metadata.get("near")] or missing[:1]
    return NotFound(
        f"there is no module, model or composition named {text!r}",
        field="subject",
        hint="; ".join(error.hint for error in near),
        metadata=near[0].metadata,
    )
