"""What becomes of the queue's work in the background while the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import sqlalchemy
from structlog.testing import capture_logs


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


async def test_the_background_work_goes_on_when_the_database_is_back(start_registry: Any, database: Any) -> None:
    def execute(statement: str) -> None:
        with database.engine.begin() as connection:
            connection.execute(sqlalchemy.text(statement))

    async with start_registry() as registry:
        name = (await registry.enqueue()).name
        await registry.lease()
        with capture_logs() as logs:
            execute("ALTER TABLE operations RENAME TO away")
            await until(lambda: any(entry.get("work") == "reap" for entry in logs))
            execute("ALTER TABLE away RENAME TO operations")
        assert not registry.server.background.done()
        waiting = asyncio.create_task(registry.lease(wait=30))
        registry.clock.ahead += registry.clock.ahead.resolution * 60_000_000
        assert (await asyncio.wait_for(waiting, 20)).name == name
