"""Webhooks: who receives events."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlmodel import Session, col

from modelfoundry.errors import AlreadyExists, InvalidField, NotFound, StorageFull
from modelfoundry.names import check_id, near, parse_name, parse_parent
from modelfoundry.registry.database import Database
from modelfoundry.registry.events.history import EventQuery, checked_cursor, newest_sequence
from modelfoundry.registry.webhooks.destination import Destination, Unreachable, find_address
from modelfoundry.registry.webhooks.signing import check_secret, new_secret
from modelfoundry.registry.webhooks.tables import WebhookRow
from modelfoundry.values.kinds import Kind

MAX_WEBHOOKS: Final = 100


@dataclass(frozen=True, slots=True)
class WebhookDraft:
    """A webhook to be registered."""

    url: str
    query: EventQuery
    id: str = ""
    """Last segment of the name; empty: one is made."""
    secret: str = ""
    """Empty: one is made."""
    after: int | None = None
    """Events after this one are sent. None: those from now on."""


class Webhooks:
    """All webhooks. Methods block: call them from a thread.

    Args:
        database: Where they are.
        allow_private: Whether they may be on private networks and on this machine.
        now: The clock.
    """

    def __init__(self, database: Database, *, allow_private: bool, now: Callable[[], datetime]) -> None:
        self._database = database
        self._allow_private = allow_private
        self._now = now

    def create(self, draft: WebhookDraft) -> WebhookRow:
        """Registers a webhook.

        Raises:
            InvalidField: a field is wrong, or the URL leads to a private address.
            CursorExpired: events after `after` were forgotten.
            AlreadyExists: the name is taken.
            StorageFull: there are too many.
        """
        last = check_id(draft.id, field="webhook_id") if draft.id else f"webhook-{secrets.token_hex(8)}"
        self._check_url(draft.url)
        row = WebhookRow(
            name=f"projects/{draft.query.project}/{Kind.WEBHOOK}/{last}",
            project=draft.query.project,
            create_time=self._now(),
            url=draft.url,
            kinds=[kind.name for kind in draft.query.kinds],
            collections=list(draft.query.collections),
            secret=check_secret(draft.secret, field="webhook.secret") if draft.secret else new_secret(),
            delivered_sequence=0,
            next_attempt_time=self._now(),
        )
        with self._database.session() as session:
            _check_room(session, row.name)
            newest = newest_sequence(session)
            row.delivered_sequence = newest if draft.after is None else checked_cursor(session, draft.after, newest)
            session.add(row)
        return row

    def get(self, name: str) -> WebhookRow:
        """Returns a webhook.

        Raises:
            InvalidField: the name is malformed.
            NotFound: there is none of that name.
        """
        with self._database.read_session() as session:
            return _find(session, name)

    def list(self, parent: str) -> Sequence[WebhookRow]:
        """Returns all webhooks of a project, oldest first.

        Raises:
            InvalidField: `parent` is malformed.
        """
        project = parse_parent(parent)
        query = select(WebhookRow).where(col(WebhookRow.project) == project)
        with self._database.read_session() as session:
            return session.scalars(query.order_by(col(WebhookRow.create_time), col(WebhookRow.name))).all()

    def delete(self, name: str) -> None:
        """Forgets a webhook.

        Raises:
            InvalidField: the name is malformed.
            NotFound: there is none of that name.
        """
        with self._database.session() as session:
            session.delete(_find(session, name))

    def _check_url(self, url: str) -> None:
        field = "webhook.url"
        try:
            find_address(Destination.of(url, field=field), allow_private=self._allow_private)
        except Unreachable as error:
            raise InvalidField(
                f"{field}: {error}",
                field=field,
                hint="pass the URL of a public server; the operator can allow private addresses with "
                "MODELFOUNDRY_REGISTRY_WEBHOOK_PRIVATE_ADDRESSES=true",
            ) from error


def _check_room(session: Session, name: str) -> None:
    if session.get(WebhookRow, name) is not None:
        raise AlreadyExists(
            f"{name} is there already",
            field="webhook_id",
            hint="choose another id, or delete the old one first",
            metadata={"resource": name},
        )
    if session.execute(select(func.count()).select_from(WebhookRow)).scalar_one() >= MAX_WEBHOOKS:
        raise StorageFull(
            f"there are {MAX_WEBHOOKS} webhooks in this registry", hint="delete those that nobody needs any more"
        )


def _find(session: Session, name: str) -> WebhookRow:
    parsed = parse_name(name, Kind.WEBHOOK, field="name")
    row = session.get(WebhookRow, name)
    if row is not None:
        return row
    names = session.scalars(select(col(WebhookRow.name)).where(col(WebhookRow.project) == parsed.project))
    suggestions = near(parsed.id, (known.rpartition("/")[2] for known in names))
    raise NotFound(
        f"there is no {name}",
        field="name",
        hint=f"did you mean {' or '.join(suggestions)}?" if suggestions else "list the webhooks of the project",
        metadata={"resource": name, "near": ", ".join(suggestions)},
    )
