"""Evaluations: what was measured, in the registry."""

from __future__ import annotations

from collections.abc import AsyncIterator

from modelfoundry.client.references import Named
from modelfoundry.client.resources import Evaluation
from modelfoundry.client.transport import AsyncTransport


class AsyncEvaluations:
    """Evaluations in the registry. Reached as `client.evaluations`."""

    def __init__(self, transport: AsyncTransport, parent: str) -> None:
        self._transport = transport
        self._parent = parent

    async def create(self, evaluation: Evaluation, *, request_id: str | None = None) -> Evaluation:
        """Stores a measurement. Called by the evaluator."""
        raise NotImplementedError

    async def get(self, evaluation: Named) -> Evaluation:
        """Returns an evaluation by id or name.

        Raises:
            NotFound: there is none.
        """
        raise NotImplementedError

    async def list(self, filter: str = "", order_by: str = "") -> AsyncIterator[Evaluation]:
        """All evaluations that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter over `name`, `subject`, `module`, `dataset`, `dataset_digest`, `split`, `accuracy`,
                `create_time`.
            order_by: Fields among `name`, `create_time`, `accuracy`, each optionally followed by ` desc`.
        """
        raise NotImplementedError
        yield
