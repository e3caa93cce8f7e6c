"""Names every call by a request id and writes one line about it when it is over."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from typing import Any, Final

import grpc
import structlog

from modelfoundry.runtime.interceptors.calls import CallInterceptor, Context, Method, Proceed

REQUEST_ID_KEY: Final = "x-request-id"
ACCEPTED_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,64}")
QUIET_SERVICES: Final = ("grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection")
QUIET_METHODS: Final = (
    *("LeaseOperation", "ReportProgress", "GetOperation", "ServerLive", "ServerReady"),
    *("Predict", "ModelInfer"),
)
"""Called every second for every job, by every probe, or a thousand times a second; only failures are worth a line."""

_log = structlog.get_logger(__name__)


def current_request_id() -> str:
    """The id of the call that is being served; empty outside of a call."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


class AccessLog(CallInterceptor):
    """Binds `request_id` to all log lines of a call, returns it in the trailing metadata, and logs the call's end.

    The id is that of the caller's metadata `x-request-id`, or a new one.
    """

    async def handle(self, method: Method, request: Any, context: Context, proceed: Proceed) -> Any:
        """Names, serves and logs the call."""
        request_id = _received_id(context) or uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        context.set_trailing_metadata(((REQUEST_ID_KEY, request_id),))
        started = time.perf_counter()
        status = grpc.StatusCode.UNKNOWN.name
        try:
            response = await proceed(request, context)
        except asyncio.CancelledError:
            status = grpc.StatusCode.CANCELLED.name
            raise
        except Exception:
            status = _code_of(context, otherwise=grpc.StatusCode.UNKNOWN).name
            raise
        else:
            status = _code_of(context).name
            return response
        finally:
            write = _log.debug if _is_quiet(method, status) else _log.info
            milliseconds = round(1000 * (time.perf_counter() - started), 1)
            write("call", method=method.path.removeprefix("/"), status=status, milliseconds=milliseconds)


def _is_quiet(method: Method, status: str) -> bool:
    return method.service in QUIET_SERVICES or (method.name in QUIET_METHODS and status == grpc.StatusCode.OK.name)


def _received_id(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and ACCEPTED_ID.fullmatch(value):
            return value
    return ""


def _code_of(context: Context, otherwise: grpc.StatusCode = grpc.StatusCode.OK) -> grpc.StatusCode:
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    by_number = {status.value[0]: status for status in grpc.StatusCode}
    return by_number.get(code, otherwise) if code else otherwise
