"""Checkpoints of two jobs that are the same bytes: the blob stays as long as one of them may need it."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage

from modelfoundry.api.decomposer.v1.decomposer_service_pb2 import DecomposeRequest, DecomposeResponse
from modelfoundry.api.operations.v1 import job_queue_service_pb2 as queue_pb2
from modelfoundry.api.operations.v1.job_queue_service_pb2_grpc import JobQueueServiceStub
from modelfoundry.api.registry.v1 import blob_service_pb2

PARENT = "projects/default"


def _packed(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


async def test_a_checkpoint_that_another_job_saved_meanwhile_is_not_discarded(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As when the other job saves it right after the ledger looked whether any has it, and before the blob is discarded.
    monkeypatch.setattr("modelfoundry.registry.jobs.ledger.is_checkpoint", lambda _session, _digest: False)
    queue: Any = JobQueueServiceStub(client.channel)
    checkpoint = await client.upload(b"the state after one epoch")
    jobs = []
    for _ in range(2):
        await queue.EnqueueOperation(
            queue_pb2.EnqueueOperationRequest(
                parent=PARENT, kind="decompose", request=_packed(DecomposeRequest(parent=PARENT))
            )
        )
        leased = (
            await queue.LeaseOperation(queue_pb2.LeaseOperationRequest(kinds=["decompose"], owner="worker@host:1"))
        ).leased
        held = {"name": leased.name, "lease_token": leased.lease_token}
        await queue.SaveCheckpoint(queue_pb2.SaveCheckpointRequest(**held, checkpoint=checkpoint))
        jobs.append(held)
    done = _packed(DecomposeResponse())
    known = blob_service_pb2.GetBlobRequest(parent=PARENT, digest=checkpoint.digest)

    await queue.CompleteOperation(queue_pb2.CompleteOperationRequest(**jobs[0], response=done))
    assert (await client.blobs.GetBlob(known)).digest == checkpoint.digest
    await queue.CompleteOperation(queue_pb2.CompleteOperationRequest(**jobs[1], response=done))

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.blobs.GetBlob(known)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
