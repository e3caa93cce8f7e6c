"""Refuses requests that are wrong in themselves, before a servicer sees them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf.message import Message

from modelfoundry import errors
from modelfoundry.runtime.interceptors.calls import CallInterceptor, Context, Method, Proceed
from modelfoundry.runtime.requests import violations_of


class RequestValidation(CallInterceptor):
    """Checks required fields, lengths of strings, page sizes and the size of every request message.

    Args:
        limit_bytes: Largest message.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes

    async def handle(self, method: Method, request: Any, context: Context, proceed: Proceed) -> Any:
        """Checks the request, or each one of a stream when the servicer comes to it."""
        if method.request_streaming:
            return await proceed(self._checked(request), context)
        self._check(request)
        return await proceed(request, context)

    async def _checked(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            self._check(request)
            yield request

    def _check(self, request: Message) -> None:
        violations = violations_of(request)
        if len(violations) == 1:
            only = violations[0]
            raise errors.InvalidField(
                f"{only.field} {only.description}", field=only.field, hint=only.remedy, violations=(only.as_error(),)
            )
        if violations:
            fields = ", ".join(violation.field for violation in violations)
            raise errors.InvalidField(
                f"{len(violations)} fields are wrong: {fields}",
                field=violations[0].field,
                hint="; ".join(dict.fromkeys(violation.remedy for violation in violations)),
                violations=tuple(violation.as_error() for violation in violations),
            )
        if request.ByteSize() > self._limit_bytes:
            raise errors.TooLarge(
                f"the request has {request.ByteSize()} bytes, larger than max ({self._limit_bytes})",
                hint="send less at a time, and large contents as blobs in chunks (BlobService.WriteBlob)",
                metadata={"limit_bytes": str(self._limit_bytes)},
            )
