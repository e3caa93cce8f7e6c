"""`modelfoundry webhook ...`: HTTP servers that are told of changes in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.arguments import split_list
from modelfoundry.cli.command import command
from modelfoundry.cli.options import CollectionOption, EventKindOption, NameOption
from modelfoundry.cli.removing import remove_all
from modelfoundry.cli.rendering.quantities import moment
from modelfoundry.cli.rendering.tables import Column, print_facts, print_remark, print_table
from modelfoundry.cli.session import Session

if TYPE_CHECKING:
    from modelfoundry.client import Webhook

app = typer.Typer(help="Webhooks: HTTP servers that are told of changes in the registry.")

COLUMNS = (
    Column("WEBHOOK"),
    Column("URL"),
    Column("EVENTS"),
    Column("STATE"),
    Column("DELIVERED", "right"),
    Column("FAILURES", "right"),
    Column("LAST ERROR"),
    Column("CREATED"),
)


@command(app, "add")
def add(
    session: Session,
    url: Annotated[str, typer.Argument(help="Where events are sent: http or https.")],
    *,
    name: NameOption = "",
    kind: EventKindOption = None,
    collection: CollectionOption = None,
    secret: Annotated[
        str, typer.Option("--secret", envvar="MODELFOUNDRY_WEBHOOK_SECRET", help="whsec_... Empty: one is made.")
    ] = "",
    after: Annotated[
        int | None, typer.Option("--after", help="Events after this number. Else those from now on.", min=0)
    ] = None,
) -> None:
    """Have events sent to a URL, signed with a secret that is shown only now."""
    with session.client() as client:
        webhook = client.webhooks.create(
            url,
            kinds=split_list(kind or []),
            collections=split_list(collection or []),
            secret=secret,
            webhook_id=name,
            after=after,
        )
    session.answer(webhook, lambda: _print_new(session, webhook))


@command(app, "list")
def list_webhooks(session: Session) -> None:
    """List webhooks, oldest first, and how far each of them is."""
    with session.client() as client:
        webhooks = client.webhooks.list()
    rows = [_row(session, webhook) for webhook in webhooks]
    session.answer(webhooks, lambda: print_table(COLUMNS, rows, empty="no webhooks"))


@command(app, "rm")
def remove(session: Session, webhooks: Annotated[list[str], typer.Argument(help="Webhooks: ids or names.")]) -> None:
    """Remove webhooks: nothing is sent to them any more."""
    with session.client() as client:
        remove_all(session, webhooks, client.webhooks.delete)


def _print_new(session: Session, webhook: Webhook) -> None:
    print_facts([("webhook", session.short(webhook.name)), ("url", webhook.url), ("secret", webhook.secret)])
    print_remark("Keep the secret: it is not shown again, and receivers check signatures with it.")


def _row(session: Session, webhook: Webhook) -> tuple[str, ...]:
    meant = [*(kind.value for kind in webhook.kinds), *webhook.collections]
    return (
        session.short(webhook.name),
        webhook.url,
        ", ".join(meant) or "all",
        webhook.state.value,
        str(webhook.delivered_sequence),
        str(webhook.failures),
        webhook.last_error,
        moment(webhook.create_time),
    )
