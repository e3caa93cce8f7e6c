"""What names with an `@` stand for, asked once for each request, before it is checked and queued."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from modelfoundry.errors import InvalidField, NotFound
from modelfoundry.names import parse_reference
from modelfoundry.workbench.resources import AsyncResources
from modelfoundry.workbench.subject_names import subject_collection

MOST_REFERENCES: Final = 1000


class OwnNames:
    """The own names of models, modules and compositions that one request names.

    An alias may move between the request and the work: what is queued, computed and written down carries own names. An
    alias that a request names twice stands for the same resource both times.

    Args:
        resources: Of the request: what a name stands for is not read again by those who get the own name.
    """

    def __init__(self, resources: AsyncResources) -> None:
        self._resources = resources
        self._known: dict[str, str] = {}

    async def of(self, name: str, *, field: str) -> str:
        """What `.../{family}@{alias}` or `.../{family}@{version}` stands for; other names as they are.

        Args:
            name: As it was given.
            field: Its path in the request.

        Raises:
            InvalidField: it is malformed, names neither a model, a module nor a composition, or is one of too many.
            NotFound: there is no such alias or version.
        """
        if "@" not in name:
            return name
        if name not in self._known:
            if len(self._known) == MOST_REFERENCES:
                raise InvalidField(
                    f"{field}: more than {MOST_REFERENCES} aliases and versions are named",
                    field=field,
                    hint="pass the resources' own names",
                )
            self._known[name] = await self._asked(name, field)
        return self._known[name]

    async def of_all(self, names: Iterable[str], *, field: str) -> list[str]:
        """What each of several stands for, in their order; fails as `of` does, of a field with a place in it."""
        return [await self.of(name, field=f"{field}[{place}]") for place, name in enumerate(names)]

    async def _asked(self, name: str, field: str) -> str:
        collection = subject_collection(name, field=field)
        parse_reference(name, collection, field=field)
        try:
            return (await self._resources.subject(name, field=field)).name
        except NotFound as error:
            raise NotFound(error.message, field=field, hint=error.hint, metadata=error.metadata) from error
