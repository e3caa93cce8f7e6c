"""What can be measured and used: modules and models, by a bare id where that is clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelfoundry.errors import NotFound

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient


async def subject_name(client: AsyncClient, text: str) -> str:
    """The whole name of a module or model. A bare id means a module where there is one, else a model.

    Raises:
        NotFound: there is neither; the hint names near ones.
    """
    if "/" in text:
        return text
    try:
        return (await client.modules.get(text)).name
    except NotFound as no_module:
        try:
            return (await client.models.get(text)).name
        except NotFound as no_model:
            raise _neither(text, no_module, no_model) from None


def _neither(text: str, no_module: NotFound, no_model: NotFound) -> NotFound:
    near = [error for error in (no_module, no_model) if error.metadata.get("near")] or [no_module]
    return NotFound(
        f"there is neither a module nor a model named {text!r}",
        field="subject",
        hint="; ".join(error.hint for error in near),
        metadata=near[0].metadata,
    )
