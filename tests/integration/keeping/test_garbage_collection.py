"""`modelfoundry gc` on a real registry: while clients work, and when it is killed in the middle."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from modelfoundry.client import Client, FindingKind
from modelfoundry.errors import ModelFoundryError

from .conftest import Registry, weights

NOW = timedelta(0)


def test_the_command_removes_what_nothing_uses(registry: Registry) -> None:
    model = registry.add_model("net", weights())
    registry.client.blobs.upload(b"orphan")
    assert "removed 0 unused blobs" in registry.run("gc").stdout
    assert "would remove 1 unused blobs (6 B)" in registry.run("gc", "--dry-run", "--min-age", "0").stdout

    done = registry.run("gc", "--min-age", "0", "--json")

    assert json.loads(done.stdout)["removed_blobs"] == 1
    assert len(registry.backend.keys()) == 1
    registry.client.models.delete(model)
    registry.client.maintenance.collect_garbage(min_age=NOW)
    assert registry.backend.keys() == []


def test_nothing_acknowledged_is_lost_while_garbage_is_collected(registry: Registry, tmp_path: Path) -> None:
    """Every client takes up content that is about to be removed, and is never told that it is gone."""
    contents = [weights(seed) for seed in range(24)]
    for content in contents:
        registry.client.blobs.upload(content)
    registry.age_blobs(hours=2)
    everybody_is_done = threading.Event()

    def collect() -> int:
        removed = 0
        with Client(registry.stack.endpoints) as client:
            while not everybody_is_done.is_set():
                removed += client.maintenance.collect_garbage(min_age=timedelta(hours=1)).removed_blobs
        return removed

    def work(worker: int) -> None:
        with Client(registry.stack.endpoints) as client:
            for seed in range(worker, len(contents), 8):
                registry.add_model(f"net-{seed}", contents[-1 - seed], client)
                registry.add_model(f"new-{seed}", weights(1000 + seed), client)

    with ThreadPoolExecutor() as threads:
        collecting = threads.submit(collect)
        try:
            for done in [threads.submit(work, worker) for worker in range(8)]:
                done.result()
        finally:
            everybody_is_done.set()

    assert collecting.result() > 0
    models = {model.id: model for model in registry.client.models.list()}
    assert len(models) == 2 * len(contents)
    for seed, content in enumerate(contents):
        assert registry.content(models[f"net-{len(contents) - 1 - seed}"].weights, tmp_path) == content
    assert registry.findings() == []


def test_a_registry_killed_in_mid_sweep_is_consistent(registry: Registry) -> None:
    for seed in range(4):
        registry.add_model(f"net-{seed}", weights(seed))
    for number in range(100):
        registry.client.blobs.upload(b"orphan %d" % number)

    def collect() -> None:
        with Client(registry.stack.endpoints) as client, suppress(ModelFoundryError):
            client.maintenance.collect_garbage(min_age=NOW)

    collecting = threading.Thread(target=collect)
    collecting.start()
    while len(registry.backend.keys()) > 100:
        pass
    registry.stack.kill("registry")
    collecting.join()
    assert len(registry.backend.keys()) > 4
    registry.restart()

    assert {finding.kind for finding in registry.findings()} <= {FindingKind.STRAY}
    registry.client.maintenance.collect_garbage(min_age=NOW)
    assert registry.findings() == []
    assert len(registry.backend.keys()) == 4
