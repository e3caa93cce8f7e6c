"""`modelfoundry evaluation ...`: what was measured, in the registry."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_evaluations
from modelfoundry.cli.removing import remove_all
from modelfoundry.cli.rendering.evaluation_list import evaluation_facts, print_stored
from modelfoundry.cli.rendering.tables import print_facts
from modelfoundry.cli.session import Session

app = typer.Typer(help="Evaluations: what was measured of models, modules and compositions.")


@command(app, "list")
def list_evaluations(
    session: Session,
    filter: Annotated[str, typer.Option("--filter", help='For example: subject:"models/net" AND accuracy > 0.9.')] = "",  # noqa: A002
    order_by: Annotated[str, typer.Option("--order-by", help="For example: accuracy desc, create_time.")] = "",
) -> None:
    """List evaluations, newest first."""
    with session.client() as client:
        evaluations = list(client.evaluations.list(filter, order_by))
    session.answer(evaluations, lambda: print_stored(evaluations, session.parent))


@command(app, "show")
def show(
    session: Session,
    evaluation: Annotated[str, typer.Argument(help="An evaluation: id or name.", autocompletion=complete_evaluations)],
) -> None:
    """Show everything about an evaluation."""
    with session.client() as client:
        found = client.evaluations.get(evaluation)
    session.answer(found, lambda: print_facts(evaluation_facts(found, session.parent)))


@command(app, "rm")
def remove(
    session: Session,
    evaluations: Annotated[
        list[str], typer.Argument(help="Evaluations: ids or names.", autocompletion=complete_evaluations)
    ],
) -> None:
    """Remove evaluations, for example those that keep a model or a data set from being removed."""
    with session.client() as client:
        remove_all(session, evaluations, client.evaluations.delete)
