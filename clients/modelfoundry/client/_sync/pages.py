# Generated from `_async` by clients/generate_sync.py: change it there.
# ruff: noqa: UP028, RUF100
"""Lists, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import Transport


def each(transport: Transport, method: Any, request: Any, field: str) -> Iterator[Any]:
    """Everything in `field` of all pages; a page is asked for when it is needed."""
    while True:
        page = transport.unary(Service.REGISTRY, method, request, timeout=transport.timeouts.lists)
        for item in getattr(page, field):
            yield item
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
