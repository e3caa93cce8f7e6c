"""Turns what a handler raises into a status: domain errors tell all, anything else tells nothing but where to look."""

from __future__ import annotations

import asyncio
from typing import Any, Never

import grpc
import structlog
from google.rpc import status_pb2

from modelfoundry import errors
from modelfoundry.runtime.interceptors.access import REQUEST_ID_KEY, current_request_id
from modelfoundry.runtime.interceptors.calls import CallInterceptor, Context, Method, Proceed
from modelfoundry.wire.statuses import DETAILS_KEY, internal_status, status_for

CODES = {code.value[0]: code for code in grpc.StatusCode}

_log = structlog.get_logger(__name__)


class ErrorMapping(CallInterceptor):
    """The only place where an error becomes a gRPC status. Cancellation and a handler's own `abort` pass."""

    async def handle(self, method: Method, request: Any, context: Context, proceed: Proceed) -> Any:
        """Serves the call and maps its errors."""
        try:
            return await proceed(request, context)
        except errors.Internal as error:
            _log.exception("internal error", method=method.path, error=error.message)
            await abort_with(context, internal_status(current_request_id()))
        except errors.ModelFoundryError as error:
            await abort_with(context, status_for(error, request_id=current_request_id()))
        except grpc.aio.AbortError:
            raise
        except asyncio.CancelledError:
            if _is_cancelled():
                raise
            # A task inside the handler was cancelled, not the call. gRPC would leave the caller without an answer.
            _log.exception("cancelled by nobody", method=method.path)
            await abort_with(context, internal_status(current_request_id()))
        except Exception:  # noqa: BLE001 - the last place where it can be told to the caller
            _log.exception("unexpected failure", method=method.path)
            await abort_with(context, internal_status(current_request_id()))


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def abort_with(context: Context, status: status_pb2.Status) -> Never:
    """Ends the call with `status`, its details and the request id."""
    trailers: tuple[tuple[str, str | bytes], ...] = (
        (REQUEST_ID_KEY, current_request_id()),
        (DETAILS_KEY, status.SerializeToString()),
    )
    await context.abort(CODES[status.code], status.message, trailers)
