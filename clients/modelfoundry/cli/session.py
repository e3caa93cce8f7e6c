"""What every command has: the project, how to answer, and the services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.json_output import print_json
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.client import AsyncClient, Client


@dataclass(frozen=True, slots=True)
class Session:
    """The options that all commands share, and what they mean for reaching services and answering."""

    parent: str
    """`projects/{project}` of short names."""
    as_json: bool
    """Answer programs: JSON on stdout and nothing else there."""

    @contextmanager
    def client(self) -> Iterator[Client]:
        """The services, found by environment, endpoints file or default ports."""
        from modelfoundry.client import Client  # here: gRPC is slow to load and `--help` does not need it

        with Client(parent=self.parent) as client:
            yield client

    @asynccontextmanager
    async def async_client(self) -> AsyncIterator[AsyncClient]:
        """The same for commands that follow several jobs at a time."""
        from modelfoundry.client import AsyncClient

        async with AsyncClient(parent=self.parent) as client:
            yield client

    def short(self, name: str) -> str:
        """A resource's name as short as it can be typed."""
        return short_name(name, self.parent)

    def answer(self, value: object, show: Callable[[], None]) -> None:
        """Prints a result: `value` as JSON for programs, else what `show` prints for people."""
        if self.as_json:
            print_json(value)
        else:
            show()
