"""What can be measured and used: modules, models and compositions, by a bare id where that is clear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelfoundry.errors import NotFound

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, AsyncCompositions, AsyncModels, AsyncModules

    Collection = AsyncModules | AsyncModels | AsyncCompositions


async def subject_name(client: AsyncClient, text: str) -> str:
    """The whole name of what is meant. A bare id means a module where there is one, else a model, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    return await _first(text, (client.modules, client.models, client.compositions), "module, model or composition")


async def signed_name(client: AsyncClient, text: str) -> str:
    """The whole name of what is signed. A bare id means a module where there is one, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    return await _first(text, (client.modules, client.compositions), "module or composition")


async def _first(text: str, collections: Iterable[Collection], what: str) -> str:
    if "/" in text:
        return text
    missing: list[NotFound] = []
    for collection in collections:
        try:
            return (await collection.get(text)).name
        except NotFound as error:
            missing.append(error)
    raise _none(text, missing, what)


def _none(text: str, missing: list[NotFound], what: str) -> NotFound:
    near = [error for error in missing if error.metadata.get("near")] or missing[:1]
    return NotFound(
        f"there is no {what} named {text!r}",
        field="subject",
        hint="; ".join(error.hint for error in near),
        metadata=near[0].metadata,
    )
