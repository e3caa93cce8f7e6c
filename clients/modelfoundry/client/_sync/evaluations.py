# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Evaluations: what was measured, in the registry."""

# Arguments are named like the fields of the contract.
# ruff: noqa: A002

from __future__ import annotations

from collections.abc import Iterator

from modelfoundry.api.registry.v1 import evaluation_pb2
from modelfoundry.client._sync.pages import each
from modelfoundry.client.endpoints import Service
from modelfoundry.client.requests import new_request_id
from modelfoundry.client.transport import Transport
from modelfoundry.values.kinds import Kind
from modelfoundry.values.references import Named, full_name
from modelfoundry.values.resources import Evaluation
from modelfoundry.wire.modules import evaluation_from_proto, evaluation_to_request


class Evaluations:
    """Evaluations in the registry. Reached as `client.evaluations`."""

    def __init__(self, transport: Transport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent

    def create(self, evaluation: Evaluation, *, request_id: str | None = None) -> Evaluation:
        """Stores a measurement. Called by the evaluator."""
        request = evaluation_pb2.CreateEvaluationRequest(
            parent=self._parent,
            evaluation=evaluation_to_request(evaluation),
            request_id=request_id or new_request_id(),
        )
        response = self._transport.unary(Service.REGISTRY, self._stubs.registry.CreateEvaluation, request)
        return evaluation_from_proto(response)

    def get(self, evaluation: Named) -> Evaluation:
        """Returns an evaluation by id or name.

        Raises:
            NotFound: there is none.
        """
        request = evaluation_pb2.GetEvaluationRequest(name=full_name(evaluation, Kind.EVALUATION, self._parent))
        response = self._transport.unary(Service.REGISTRY, self._stubs.registry.GetEvaluation, request)
        return evaluation_from_proto(response)

    def list(self, filter: str = "", order_by: str = "") -> Iterator[Evaluation]:
        """All evaluations that match, newest first, fetched page by page.

        Args:
            filter: AIP-160 filter over `name`, `subject`, `module`, `dataset`, `dataset_digest`, `split`, `accuracy`,
                `create_time`.
            order_by: Fields among `name`, `create_time`, `accuracy`, each optionally followed by ` desc`.
        """
        request = evaluation_pb2.ListEvaluationsRequest(parent=self._parent, filter=filter, order_by=order_by)
        for message in each(self._transport, self._stubs.registry.ListEvaluations, request, "evaluations"):
            yield evaluation_from_proto(message)

    def delete(self, evaluation: Named) -> None:
        """Forgets an evaluation. What was measured, and on which data, can be deleted once nothing else depends on it.

        Raises:
            NotFound: there is none.
        """
        request = evaluation_pb2.DeleteEvaluationRequest(name=full_name(evaluation, Kind.EVALUATION, self._parent))
        self._transport.unary(Service.REGISTRY, self._stubs.registry.DeleteEvaluation, request)
