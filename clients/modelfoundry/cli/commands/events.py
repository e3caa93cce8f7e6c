"""`modelfoundry events`: what changes in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.arguments import split_list
from modelfoundry.cli.command import command
from modelfoundry.cli.options import CollectionOption, EventKindOption
from modelfoundry.cli.rendering.json_output import print_json_line
from modelfoundry.cli.rendering.quantities import moment
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session

if TYPE_CHECKING:
    from modelfoundry.client import RegistryEvent


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "events")(events)


def events(
    session: Session,
    *,
    after: Annotated[
        int | None, typer.Option("--after", help="Only events after this number. Else from the oldest.", min=0)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what happens, until Ctrl-C.")] = False,
    kind: EventKindOption = None,
    collection: CollectionOption = None,
) -> None:
    """Tell what changed in the registry, oldest first. With --json every event is one line of JSON."""
    with session.client() as client:
        kinds, collections = split_list(kind or []), split_list(collection or [])
        for event in client.events(after, kinds=kinds, collections=collections, follow=follow):
            if session.as_json:
                print_json_line(event)
            else:
                print_line(_line(event, session.parent))


def _line(event: RegistryEvent, parent: str) -> str:
    resource = event.resource.removeprefix(f"{parent}/")
    further = (event.evaluation.removeprefix(f"{parent}/"), event.alias)
    return "  ".join([str(event.sequence), moment(event.time), event.kind.value, resource, *filter(None, further)])
