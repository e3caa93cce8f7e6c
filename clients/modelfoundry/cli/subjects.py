"""Whole names of resources that people call by a bare id where that is clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfoundry.values.kinds import Kind

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient


async def subject_name(client: AsyncClient, text: str) -> str:
    """What can be measured and used. A bare id means a module where there is one, else a model, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    return await _name(client, text, (Kind.MODULE, Kind.MODEL, Kind.COMPOSITION))


async def signed_name(client: AsyncClient, text: str) -> str:
    """What is signed. A bare id means a module where there is one, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    return await _name(client, text, (Kind.MODULE, Kind.COMPOSITION))


async def described_name(client: AsyncClient, text: str) -> str:
    """What has a card: a subject, and at last a bare id means a data set.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    return await _name(client, text, (Kind.MODULE, Kind.MODEL, Kind.COMPOSITION, Kind.DATASET))


async def _name(client: AsyncClient, text: str, among: tuple[str, ...]) -> str:
    from modelfoundry.client.subjects import find_resource

    return text if "/" in text else (await find_resource(client, text, among)).name
