"""Lists, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from modelfoundry.client.endpoints import Service
from modelfoundry.client.transport import AsyncTransport


async def each(transport: AsyncTransport, method: Any, request: Any, field: str) -> AsyncIterator[Any]:
    """Everything in `field` of all pages; a page is asked for when it is needed."""
    while True:
        page = await transport.unary(Service.REGISTRY, method, request, timeout=transport.timeouts.lists)
        for item in getattr(page, field):
            yield item
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
