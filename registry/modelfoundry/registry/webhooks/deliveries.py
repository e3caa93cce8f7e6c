"""What has to be delivered to whom, and what became of it: the part of webhooks that survives restarts."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlmodel import col

from modelfoundry.registry.database import Database
from modelfoundry.registry.events.history import EventQuery, last_forgotten, newest_sequence, next_events
from modelfoundry.registry.records.event_tables import (
    EventRow,
)
from modelfoundry.registry.webhooks.tables import (
    WebhookRow,
)
from modelfoundry.values.lineage import EventKind, WebhookState

# An attempt takes less; whoever is killed during one leaves it to be made again after this time.
ATTEMPT: Final = timedelta(seconds=30)
FIRST_BACKOFF: Final = timedelta(seconds=1)
LONGEST_BACKOFF: Final = timedelta(hours=1)
MAX_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event that is to be sent to one webhook now."""

    webhook: str
    url: str
    secret: str
    event: EventRow

    @property
    def id(self) -> str:
        """The same for every attempt."""
        return f"{self.webhook.rpartition('/')[2]}-{self.event.sequence}"


class Deliveries:
    """The queue of every webhook. Methods block: call them from a thread.

    Args:
        database: Where webhooks and events are.
        max_failures: After so many attempts in a row that failed, a webhook is disabled.
        now: The clock.
    """

    def __init__(self, database: Database, *, max_failures: int, now: Callable[[], datetime]) -> None:
        self._database = database
        self._max_failures = max_failures
        self._now = now

    def due(self) -> Sequence[str]:
        """Names of the webhooks for which there may be something to send now."""
        with self._database.read_session() as session:
            query = select(col(WebhookRow.name)).where(
                col(WebhookRow.state) == WebhookState.ACTIVE,
                col(WebhookRow.next_attempt_time) <= self._now(),
                col(WebhookRow.delivered_sequence) < newest_sequence(session),
            )
            return session.scalars(query).all()

    def take(self, name: str) -> Delivery | None:
        """Takes a webhook's next event, so that no other registry sends it meanwhile.

        Returns:
            None when there is nothing to send now.
        """
        with self._database.session() as session:
            row = session.get(WebhookRow, name, with_for_update=True)
            if row is None or row.state != WebhookState.ACTIVE or row.next_attempt_time > self._now():
                return None
            newest = newest_sequence(session)
            forgotten = last_forgotten(session, newest)
            if row.delivered_sequence < forgotten:
                row.last_error = f"events up to {forgotten} were forgotten before they were delivered"
                row.delivered_sequence = forgotten
            query = EventQuery(row.project, tuple(EventKind[kind] for kind in row.kinds), tuple(row.collections))
            events = next_events(session, query, row.delivered_sequence, 1)
            if not events:
                # Nothing that it asked for: it moves on all the same, or the next forgetting would seem to cut it off.
                row.delivered_sequence = newest
                return None
            row.next_attempt_time = self._now() + ATTEMPT
            return Delivery(name, row.url, row.secret, events[0])

    def succeeded(self, delivery: Delivery) -> None:
        """The receiver has the event: the next one is due."""
        with self._database.session() as session:
            row = session.get(WebhookRow, delivery.webhook, with_for_update=True)
            if row is not None:
                row.delivered_sequence = max(row.delivered_sequence, delivery.event.sequence)
                row.failures = 0
                row.last_error = ""
                row.next_attempt_time = self._now()

    def failed(self, delivery: Delivery, why: str, *, is_gone: bool = False) -> None:
        """The receiver does not have the event: it is due again later, unless that happened too often.

        Args:
            delivery: What was tried.
            why: What went wrong.
            is_gone: Whether the receiver asked for nothing to be sent any more.
        """
        with self._database.session() as session:
            row = session.get(WebhookRow, delivery.webhook, with_for_update=True)
            if row is not None:
                row.failures += 1
                row.last_error = why[:MAX_ERROR]
                row.next_attempt_time = self._now() + backoff(row.failures)
                if is_gone or row.failures >= self._max_failures:
                    row.state = WebhookState.DISABLED


def backoff(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: twice as long each time, and never as long as somebody else."""
    longest: timedelta = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(failures - 1, 30))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - nothing to guess here
