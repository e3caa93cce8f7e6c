"""What was hashed while it came is not read again, and everything else is."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path
from typing import Any

import pytest

from modelfoundry.errors import DigestMismatch
from modelfoundry.registry.blobs import store
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.values.resources import BlobRef

DATA = b"one two three"
BLOB = BlobRef(f"sha256:{hashlib.sha256(DATA).hexdigest()}", len(DATA))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were read to verify them."""
    names: list[str] = []
    digest_of_file = hashlib.file_digest

    def noted(file: Any, algorithm: str) -> Any:
        names.append(file.name)
        return digest_of_file(file, algorithm)

    monkeypatch.setattr(store.hashlib, "file_digest", noted)
    return names


def sent(uploads: Uploads, blob: BlobRef, *chunks: bytes, offset: int = 0, name: str = "") -> str:
    upload = uploads.get(name) if name else uploads.create("default", blob)
    for chunk in chunks:
        offset = uploads.append(upload, offset, chunk, zlib.crc32(chunk))
    return upload.name


def test_what_was_hashed_while_it_came_is_not_read_again(registry: Any, reads: list[str]) -> None:
    name = sent(registry.uploads, BLOB, DATA[:4], DATA[4:5], DATA[5:])
    assert registry.uploads.finalize(name).digest == BLOB.digest
    assert reads == []
    assert b"".join(registry.blobs.read(BLOB.digest)) == DATA


def test_other_bytes_than_announced_are_refused_and_nothing_is_kept(registry: Any, reads: list[str]) -> None:
    name = sent(registry.uploads, BLOB, DATA[::-1])
    with pytest.raises(DigestMismatch):
        registry.uploads.finalize(name)
    assert reads == []
    assert not registry.blobs.exists(BLOB.digest)


def spooled(registry: Any, name: str) -> Path:
    path: Path = registry.spool.path(name.rpartition("/")[2])
    return path


def test_a_file_that_somebody_wrote_to_is_read(registry: Any, reads: list[str]) -> None:
    name = sent(registry.uploads, BLOB, DATA)
    path = spooled(registry, name)
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    with pytest.raises(DigestMismatch):
        registry.uploads.finalize(name)
    assert len(reads) == 1


def test_a_file_that_was_put_in_its_place_is_read(registry: Any, reads: list[str]) -> None:
    name = sent(registry.uploads, BLOB, DATA)
    path = spooled(registry, name)
    found = path.stat()
    other = path.with_name("other")
    other.write_bytes(DATA[::-1])
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    other.replace(path)
    with pytest.raises(DigestMismatch):
        registry.uploads.finalize(name)
    assert len(reads) == 1


def test_an_upload_that_another_process_began_is_read(registry: Any, reads: list[str]) -> None:
    name = sent(registry.uploads, BLOB, DATA[:4])
    restarted = Uploads(registry.database, registry.blobs, registry.spool)
    sent(restarted, BLOB, DATA[4:], offset=4, name=name)
    assert restarted.finalize(name).digest == BLOB.digest
    assert len(reads) == 1
