"""What can be measured, used and described, by a bare id where that is clear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from modelfoundry.errors import NotFound

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, AsyncCompositions, AsyncDatasets, AsyncModels, AsyncModules

    Collection = AsyncModules | AsyncModels | AsyncCompositions | AsyncDatasets


async def subject_name(client: AsyncClient, text: str) -> str:
    """The whole name of what is meant. A bare id means a module where there is one, else a model, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    collections = (client.modules, client.models, client.compositions)
    return await _first_name(text, collections, "module, model or composition")


async def described_name(client: AsyncClient, text: str) -> str:
    """The same for everything that has a card: at last a bare id means a data set.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    collections = (client.modules, client.models, client.compositions, client.datasets)
    return await _first_name(text, collections, "module, model, composition or data set")


async def _first_name(text: str, collections: Iterable[Collection], kinds: str) -> str:
    if "/" in text:
        return text
    missing: list[NotFound] = []
    for collection in collections:
        try:
            return (await collection.get(text)).name
        except NotFound as error:
            missing.append(error)
    raise _none(text, kinds, missing)


def _none(text: str, kinds: str, missing: list[NotFound]) -> NotFound:
    near = [error for error in missing if error.metadata.get("near")] or missing[:1]
    return NotFound(
        f"there is no {kinds} named {text!r}",
        field="subject",
        hint="; ".join(error.hint for error in near),
        metadata=near[0].metadata,
    )
