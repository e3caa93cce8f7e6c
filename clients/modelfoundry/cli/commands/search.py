"""`modelfoundry search`: modules by what they recognise."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.rendering.search_table import print_results
from modelfoundry.cli.session import Session

FILTER_HELP = 'For example: accuracy > 0.9 AND size_bytes < 2000000 AND license = "MIT".'


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "search")(search)


def search(
    session: Session,
    query: Annotated[str, typer.Argument(help="Label text; leave it out to filter all modules.")] = "",
    filter: Annotated[str, typer.Option("--filter", help=FILTER_HELP)] = "",  # noqa: A002
    order_by: Annotated[str, typer.Option("--order-by", help="For example: size_bytes, accuracy desc.")] = "",
    limit: Annotated[int, typer.Option("--limit", help="Show at most this many.", min=1)] = 20,
) -> None:
    """Find modules by label, synonym, super-class, name or tag, the most relevant first, and say why."""
    with session.client() as client:
        results = list(islice(client.search(query, filter, order_by), limit))
    session.answer(results, lambda: print_results(results, session.parent))
