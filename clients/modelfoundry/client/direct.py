"""HTTP to the object store, at addresses that the registry hands out: bytes that need not pass it."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from modelfoundry.client.content import CHUNK_BYTES

DIRECT_BYTES: Final = 8 * 1024 * 1024
"""Smaller contents pass the registry: to ask for an address would take longer than to send them."""
_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 60.0


class DirectFailed(Exception):
    """The object store cannot be reached at the address, or refuses: the registry is still there."""


class DirectDownload:
    """A read of one object from an offset to its end; a context manager.

    Args:
        url: As the registry returned it.
        offset: Bytes that are there already.

    Raises:
        DirectFailed: the address is no HTTP address, cannot be reached, expired, or gives other bytes than asked for.
    """

    def __init__(self, url: str, offset: int) -> None:
        self._connection, target = _connected(url)
        try:
            self._connection.request("GET", target, headers={"Range": f"bytes={offset}-"} if offset else {})
            self._response = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise DirectFailed(f"the object store broke off: {error}") from error
        wanted = HTTPStatus.PARTIAL_CONTENT if offset else HTTPStatus.OK
        if self._response.status != wanted:
            self._connection.close()
            raise _refused(self._response)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def read(self) -> bytes:
        """At most 1 MiB more; nothing at the end.

        Raises:
            DirectFailed: the connection broke.
        """
        try:
            return self._response.read(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise DirectFailed(f"the object store broke off: {error}") from error


class DirectUpload:
    """One object that is being put; a context manager. Left before `finish`, nothing was put.

    Args:
        url: As the registry returned it.
        size_bytes: Bytes that will be sent.

    Raises:
        DirectFailed: the address is no HTTP address, or cannot be reached.
    """

    def __init__(self, url: str, size_bytes: int) -> None:
        self._connection, target = _connected(url)
        try:
            self._connection.putrequest("PUT", target)
            self._connection.putheader("Content-Length", str(size_bytes))
            self._connection.endheaders()
            self._left = size_bytes
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise DirectFailed(f"the object store broke off: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def send(self, data: bytes) -> None:
        """Sends more.

        Raises:
            DirectFailed: there are more bytes than were announced, or the connection broke, which is also how a store
                refuses.
        """
        self._left -= len(data)
        if self._left < 0:
            raise DirectFailed("the content became longer while it was sent")
        try:
            self._connection.send(data)
        except OSError as error:
            raise DirectFailed(f"the object store broke off: {error}") from error

    def finish(self) -> None:
        """Waits until the store says that it has all of it.

        Raises:
            DirectFailed: it refuses, for example because the address expired, or fewer bytes were sent than announced.
        """
        if self._left:
            raise DirectFailed("the content became shorter while it was sent")
        try:
            response = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise DirectFailed(f"the object store broke off: {error}") from error
        if response.status != HTTPStatus.OK:
            raise _refused(response)


def _connected(url: str) -> tuple[http.client.HTTPConnection, str]:
    """An open connection and the target of requests. It follows no redirects and uses no proxy."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise DirectFailed(f"the registry handed out an address that is none: {error}") from error
    match parts.scheme:
        case "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(host, port, timeout=_CONNECT_SECONDS)
        case "http":
            connection = http.client.HTTPConnection(host, port, timeout=_CONNECT_SECONDS)
        case _:
            raise DirectFailed("the registry handed out an address that is neither http nor https")
    try:
        connection.connect()
    except OSError as error:
        connection.close()
        raise DirectFailed(f"the object store cannot be reached: {error}") from error
    connection.sock.settimeout(_ANSWER_SECONDS)
    return connection, f"{parts.path}?{parts.query}"


def _refused(response: http.client.HTTPResponse) -> DirectFailed:
    why = " (the address expired or was changed)" if response.status == HTTPStatus.FORBIDDEN else ""
    return DirectFailed(f"the object store answered {response.status} {response.reason}{why}")
