"""Blobs on a worker's disk: fetched once, verified by the client, the least recently used removed."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.workbench.cache import BlobCache


class Blobs:
    """Gives every blob a hundred bytes, and notes which it gave."""

    def __init__(self) -> None:
        self.downloaded: list[str] = []
        self.wait = threading.Event()
        self.wait.set()

    @property
    def blobs(self) -> Blobs:
        return self

    def download(self, digest: str, path: Path) -> Path:
        if digest == "sha256:gone":
            raise errors.NotFound(f"{digest} is not there", hint="look at what is")
        assert self.wait.wait(30)
        self.downloaded.append(digest)
        path.write_bytes(b"x" * 100)
        return path


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


def kept(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.suffix}


def age(folder: Path, **seconds: int) -> None:
    """Says how long ago blobs were used."""
    for name, since in seconds.items():
        os.utime(folder / name, (1_000_000 - since, 1_000_000 - since))


def test_a_blob_is_downloaded_once(tmp_path: Path, blobs: Blobs) -> None:
    client: Any = blobs
    cache = BlobCache(tmp_path / "blobs", 1000)
    path = cache.fetch(client, "sha256:a")
    assert cache.fetch(client, "sha256:a") == path
    assert path.read_bytes() == b"x" * 100
    assert blobs.downloaded == ["sha256:a"]


def test_two_workers_that_need_a_blob_at_once_download_it_once(tmp_path: Path, blobs: Blobs) -> None:
    client: Any = blobs
    blobs.wait.clear()
    workers = [
        threading.Thread(target=BlobCache(tmp_path, 1000).fetch, args=(client, "sha256:a"), daemon=True)
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    blobs.wait.set()
    for worker in workers:
        worker.join(30)
    assert blobs.downloaded == ["sha256:a"]


def test_the_least_recently_used_make_room(tmp_path: Path, blobs: Blobs) -> None:
    client: Any = blobs
    cache = BlobCache(tmp_path, 250)
    for digest in ("a", "b"):
        cache.fetch(client, f"sha256:{digest}")
    age(tmp_path, a=10, b=20)
    cache.fetch(client, "sha256:c")
    assert kept(tmp_path) == {"a", "c"}

    age(tmp_path, a=20, c=10)
    cache.fetch(client, "sha256:a")  # used, so that it stays
    cache.fetch(client, "sha256:d")
    assert kept(tmp_path) == {"a", "d"}


def test_a_blob_larger_than_the_cache_is_fetched_and_kept_until_the_next(tmp_path: Path, blobs: Blobs) -> None:
    client: Any = blobs
    cache = BlobCache(tmp_path, 10)
    assert cache.fetch(client, "sha256:a").exists()
    age(tmp_path, a=10)
    assert cache.fetch(client, "sha256:b").exists()
    assert kept(tmp_path) == {"b"}


def test_what_is_not_there_leaves_nothing_behind(tmp_path: Path, blobs: Blobs) -> None:
    client: Any = blobs
    with pytest.raises(errors.NotFound):
        BlobCache(tmp_path, 1000).fetch(client, "sha256:gone")
    assert kept(tmp_path) == set()
