# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Addresses in the object store, asked of a registry that hands them out."""

from __future__ import annotations

import time
from typing import Final

import grpc

from modelfoundry import errors
from modelfoundry.api.registry.v1 import direct_transfer_service_pb2 as pb
from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import Transport
from modelfoundry.wire.statuses import STATUS_CODE_KEY

PAUSE_SECONDS: Final = 60.0


class DirectUrls:
    """Asks for addresses, and not for a minute after the registry offered none or one could not be used."""

    def __init__(self, transport: Transport, parent: str) -> None:
        self._transport = transport
        self._stubs = transport.stubs
        self._parent = parent
        self._not_before = 0.0

    def download_url(self, digest: str) -> str:
        """Where the bytes of a blob can be read; empty: from the registry.

        Raises:
            NotFound: no such blob.
        """
        if self._is_paused():
            return ""
        request = pb.CreateDownloadUrlRequest(parent=self._parent, digest=digest)
        try:
            response = self._transport.unary(Service.REGISTRY, self._stubs.direct_transfers.CreateDownloadUrl, request)
        except errors.Unavailable as error:
            return self._none_from(error)
        if not response.url:
            self.pause()
        return response.url

    def upload_url(self, upload: str) -> str:
        """Where the bytes of an upload can be put; empty: to the registry."""
        if self._is_paused():
            return ""
        request = pb.CreateUploadUrlRequest(name=upload)
        try:
            response = self._transport.unary(Service.REGISTRY, self._stubs.direct_transfers.CreateUploadUrl, request)
        except errors.Unavailable as error:
            return self._none_from(error)
        return response.url

    def pause(self) -> None:
        """Asks for none for a minute: there are none, or the store cannot be reached from here."""
        self._not_before = time.monotonic() + PAUSE_SECONDS

    def _is_paused(self) -> bool:
        return time.monotonic() < self._not_before

    def _none_from(self, error: errors.Unavailable) -> str:
        # A registry of an earlier version has no such service. One that is away says so to the next call again.
        if error.metadata.get(STATUS_CODE_KEY) == grpc.StatusCode.UNIMPLEMENTED.name:
            self.pause()
        return ""
