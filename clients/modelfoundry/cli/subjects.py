"""What can be measured and used: modules, models and compositions, by a bare id where that is clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient


async def subject_name(client: AsyncClient, text: str) -> str:
    """The whole name of what is meant. A bare id means a module where there is one, else a model, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    from modelfoundry.client.subjects import find_subject

    return text if "/" in text else (await find_subject(client, text)).name


async def signed_name(client: AsyncClient, text: str) -> str:
    """The whole name of what is signed. A bare id means a module where there is one, else a composition.

    Raises:
        NotFound: there is none of them; the hint names near ones.
    """
    from modelfoundry.client.subjects import find_subject

    return text if "/" in text else (await find_subject(client, text, among=("modules", "compositions"))).name
