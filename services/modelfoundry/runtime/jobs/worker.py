"""Carries out one job, in whatever process or thread an executor gave it.

Imports no torch: the heartbeat runs before the handler's module, and all that it imports, is loaded.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

import structlog
from google.protobuf import any_pb2, symbol_database
from google.protobuf.message import Message

from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.errors import Cancelled, Internal, LeaseLost, ModelFoundryError, Unavailable
from modelfoundry.runtime.channels import open_blocking_channel
from modelfoundry.runtime.jobs.context import JobContext, JobHandler
from modelfoundry.runtime.jobs.heartbeat import Heartbeat
from modelfoundry.runtime.jobs.queue import LeasedJob
from modelfoundry.runtime.jobs.ticket import Ticket
from modelfoundry.values.resources import BlobRef
from modelfoundry.wire.resources import blob_ref_from_proto
from modelfoundry.wire.statuses import internal_status, status_for

_log = structlog.get_logger(__name__)


def run_job(ticket: Ticket, *, given_up: threading.Event, on_lost: Callable[[], None]) -> None:
    """Carries out a job and tells the queue how it ended.

    Args:
        ticket: The job.
        given_up: Set from outside when the job is to be left as it is, untold.
        on_lost: Called when the job was given to another worker.

    Raises:
        LeaseLost: the job was given to another worker, or given up; nothing was told.
        Unavailable: the registry stayed away too long to be told.
    """
    structlog.contextvars.bind_contextvars(operation=ticket.name, attempt=ticket.attempt)
    with open_blocking_channel(ticket.registry) as channel:
        job = LeasedJob(channel, ticket, given_up)
        context = JobContext(
            name=ticket.name,
            attempt=ticket.attempt,
            checkpoint=_checkpoint(ticket.checkpoint),
            registry=ticket.registry,
            save=job.save_checkpoint,
            stopped=given_up,
        )
        with Heartbeat(job, context, on_lost) as heartbeat:
            _carry_out(ticket, job, context, heartbeat)


def _carry_out(ticket: Ticket, job: LeasedJob, context: JobContext, heartbeat: Heartbeat) -> None:
    _log.info("job starts", handler=ticket.handler)
    try:
        response = _handler(ticket.handler)(_request(ticket.request), context)
        heartbeat.flush()
        job.complete(response)
    except (LeaseLost, Unavailable):
        raise  # a registry that is away is no fault of the job: its lease is given back, and it is taken up again
    except Cancelled as error:
        _log.info("job was cancelled")
        heartbeat.flush()
        job.fail(status_for(error))
    except ModelFoundryError as error:
        _log.warning("job failed", reason=error.reason, cause=error.message)
        heartbeat.flush()
        job.fail(internal_status(ticket.name) if isinstance(error, Internal) else status_for(error))
    except Exception:  # noqa: BLE001 - the last place where it can be told to the caller
        _log.exception("job failed unexpectedly")
        heartbeat.flush()
        job.fail(internal_status(ticket.name))
    else:
        _log.info("job succeeded")


def _checkpoint(data: bytes) -> BlobRef | None:
    return blob_ref_from_proto(blob_pb2.BlobRef.FromString(data)) if data else None


def _handler(path: str) -> JobHandler:
    module, _, function = path.partition(":")
    handler: JobHandler = getattr(importlib.import_module(module), function)
    return handler


def _request(data: bytes) -> Message:
    packed = any_pb2.Any.FromString(data)
    kind: Any = symbol_database.Default().GetSymbol(packed.TypeName())
    request: Message = kind.FromString(packed.value)
    return request
