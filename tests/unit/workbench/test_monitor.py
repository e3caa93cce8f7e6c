"""What long work says on its way: checkpoints in good time, and none that would end it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.client import BlobRef
from modelfoundry.workbench import monitor as monitors
from modelfoundry.workbench.monitor import JobMonitor


class Job:
    """A job's context and the client that it uploads with."""

    def __init__(self) -> None:
        self.saved: list[BlobRef] = []
        self.lines: list[tuple[str, str]] = []
        self.uploaded: list[bytes] = []
        self.away = False

    @property
    def blobs(self) -> Job:
        return self

    def upload(self, path: Path, *, media_type: str) -> BlobRef:
        if self.away:
            raise errors.Unavailable("the registry is away")
        self.uploaded.append(path.read_bytes())
        return BlobRef(f"sha256:{len(self.uploaded)}", media_type=media_type)

    def save_checkpoint(self, blob: BlobRef) -> None:
        self.saved.append(blob)

    def log(self, text: str, severity: str = "info") -> None:
        self.lines.append((severity, text))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in its one element."""
    now = [100.0]
    monkeypatch.setattr(monitors, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def job() -> Job:
    return Job()


def monitor_of(job: Job) -> JobMonitor:
    context: Any = job
    return JobMonitor(context, context, checkpoint_seconds=30)


def test_a_checkpoint_is_saved_at_most_once_in_its_time(job: Job, clock: list[float]) -> None:
    monitor = monitor_of(job)
    for now in (110.0, 129.9, 130.0, 140.0, 159.9, 160.0):
        clock[0] = now
        monitor.checkpoint(lambda path, now=now: path.write_bytes(str(now).encode()))  # type: ignore[misc]
    assert job.uploaded == [b"130.0", b"160.0"]
    assert [blob.digest for blob in job.saved] == ["sha256:1", "sha256:2"]


def test_a_registry_that_is_away_ends_no_search_and_is_tried_again_at_once(job: Job, clock: list[float]) -> None:
    monitor = monitor_of(job)
    clock[0], job.away = 130.0, True
    monitor.checkpoint(lambda path: path.write_bytes(b"1") and None)
    assert job.lines == [("warning", "no checkpoint this time: the registry is away")]
    clock[0], job.away = 131.0, False
    monitor.checkpoint(lambda path: path.write_bytes(b"2") and None)
    assert job.uploaded == [b"2"]
    assert len(job.saved) == 1
