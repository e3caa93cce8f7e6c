"""What one call or one job reads of the registry: every resource once, however many of its parts ask for it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from modelfoundry.client import AsyncClient, Client
from modelfoundry.errors import NotFound
from modelfoundry.values.compositions import Composition
from modelfoundry.values.kinds import Kind
from modelfoundry.values.resources import Dataset, Model, Module
from modelfoundry.workbench.subject_names import subject_collection

Subject = Model | Module | Composition
"""What classifies images."""
Resource = Subject | Dataset
Found = TypeVar("Found", bound=Resource)


class Known:
    """Resources as they were read, by name.

    Belongs to one call or job and goes with it: nothing that it tells is older than that.
    """

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._by_name: dict[str, Resource] = {resource.name: resource for resource in resources}

    def add(self, *resources: Resource) -> None:
        """Keeps resources that were just read, in place of what was known of them."""
        self._by_name.update({resource.name: resource for resource in resources})

    def add_as(self, name: str, resource: Resource) -> None:
        """Keeps a resource under its own name and under the one, with an `@`, that it was asked for by."""
        self._by_name[name] = self._by_name[resource.name] = resource

    def forget(self, name: str) -> None:
        """Has a resource read again when it is asked for next: after something was measured of it, say."""
        self._by_name.pop(name, None)

    def find(self, name: str, kind: type[Found]) -> Found | None:
        """A resource, where it is known."""
        found = self._by_name.get(name)
        return found if isinstance(found, kind) else None


class AsyncResources:
    """Reads resources for a call that is being answered, each once.

    All methods fail as the registry says: with `NotFound` where there is none of that name, with `InvalidField` where
    it is malformed.

    Args:
        client: Access to the registry.
        known: What was read already for the same call or job.
    """

    def __init__(self, client: AsyncClient, known: Known | None = None) -> None:
        self.client = client
        self.known = known or Known()
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def model(self, name: str) -> Model:
        """The model of a name."""
        return await self._once(name, Model, self.client.models.get)

    async def module(self, name: str) -> Module:
        """The module of a name."""
        return await self._once(name, Module, self.client.modules.get)

    async def composition(self, name: str) -> Composition:
        """The composition of a name."""
        return await self._once(name, Composition, self.client.compositions.get)

    async def dataset(self, name: str) -> Dataset:
        """The data set of a name."""
        return await self._once(name, Dataset, self.client.datasets.get)

    async def subject(self, name: str, *, field: str) -> Subject:
        """The model, module or composition of a name.

        Args:
            name: A full name.
            field: Path of the request field that has it.
        """
        match subject_collection(name, field=field):
            case Kind.MODEL:
                return await self.model(name)
            case Kind.MODULE:
                return await self.module(name)
            case _:
                return await self.composition(name)

    async def base(self, module: Module, *, field: str) -> Model:
        """The base model of a module.

        Args:
            module: The module.
            field: Path of the request field that names it.

        Raises:
            NotFound: it is gone.
        """
        try:
            return await self.model(module.base_model)
        except NotFound as error:
            raise NotFound(
                f"{field}: {module.base_model}, the base model of {module.name}, is gone",
                field=field,
                hint="a module is nothing without its base model: register the model again and decompose it",
                metadata=error.metadata,
            ) from error

    async def _once(self, name: str, kind: type[Found], read: Callable[[str], Awaitable[Found]]) -> Found:
        async with self._turns[name]:  # those who ask meanwhile wait for the same answer
            found = self.known.find(name, kind)
            if found is None:
                found = await read(name)
                self.known.add_as(name, found)
            return found


class Resources:
    """The same for a job, whose thread waits.

    Args:
        client: Access to the registry.
        known: What was read already for the same call or job.
    """

    def __init__(self, client: Client, known: Known | None = None) -> None:
        self.client = client
        self.known = known or Known()

    def model(self, name: str) -> Model:
        """The model of a name."""
        return self._once(name, Model, self.client.models.get)

    def module(self, name: str) -> Module:
        """The module of a name."""
        return self._once(name, Module, self.client.modules.get)

    def composition(self, name: str) -> Composition:
        """The composition of a name."""
        return self._once(name, Composition, self.client.compositions.get)

    def dataset(self, name: str) -> Dataset:
        """The data set of a name."""
        return self._once(name, Dataset, self.client.datasets.get)

    def subject(self, name: str, *, field: str) -> Subject:
        """The model, module or composition of a name, which a request has in a field."""
        match subject_collection(name, field=field):
            case Kind.MODEL:
                return self.model(name)
            case Kind.MODULE:
                return self.module(name)
            case _:
                return self.composition(name)

    def _once(self, name: str, kind: type[Found], read: Callable[[str], Found]) -> Found:
        found = self.known.find(name, kind)
        if found is None:
            found = read(name)
            self.known.add_as(name, found)
        return found


def digest_of(subject: Subject) -> str:
    """SHA-256 of the weights of a model or the artifact of a module, or the digest of a composition."""
    match subject:
        case Model():
            return subject.weights.digest
        case Module():
            return subject.artifact.digest
        case Composition():
            return subject.digest
