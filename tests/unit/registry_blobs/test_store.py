"""What every blob store promises, tried on each of them."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest
from blob_backends import BlobBackend

from modelfoundry.errors import CorruptBlob, DigestMismatch, InvalidField, NotFound, WrongOffset
from modelfoundry.registry.blobs.minio_store import part_bytes
from modelfoundry.registry.blobs.store import CHUNK_BYTES, BlobStore, store_key

SIZES = {"empty": 0, "one byte": 1, "one chunk": CHUNK_BYTES, "a chunk and a bit": CHUNK_BYTES + 7, "parts": 17 * 2**20}


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def put(store: BlobStore, folder: Path, data: bytes) -> str:
    path = folder / "spool"
    path.write_bytes(data)
    store.put_file(path, digest_of(data), len(data))
    path.unlink()
    return digest_of(data)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_what_is_put_can_be_read(blob_store: BlobStore, tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    digest = put(blob_store, tmp_path, data)

    chunks = list(blob_store.open(digest))

    assert b"".join(chunks) == data
    assert all(0 < len(chunk) <= CHUNK_BYTES for chunk in chunks)
    assert blob_store.stat(digest) == size


@pytest.mark.parametrize(
    ("offset", "limit"),
    [(0, 10), (5, 0), (CHUNK_BYTES - 1, 2), (3 * CHUNK_BYTES - 1, 100), (3 * CHUNK_BYTES, 0), (7, 2 * CHUNK_BYTES)],
)
def test_a_range_can_be_read(blob_store: BlobStore, tmp_path: Path, offset: int, limit: int) -> None:
    data = os.urandom(3 * CHUNK_BYTES)
    digest = put(blob_store, tmp_path, data)

    end = offset + limit if limit else None
    assert b"".join(blob_store.open(digest, offset, limit)) == data[offset:end]


def test_a_range_that_begins_past_the_end_is_refused(blob_store: BlobStore, tmp_path: Path) -> None:
    digest = put(blob_store, tmp_path, b"abc")
    with pytest.raises(WrongOffset) as caught:
        blob_store.open(digest, 4)
    assert caught.value.metadata == {"committed_bytes": "3"}


@pytest.mark.parametrize(("offset", "limit", "field"), [(-1, 0, "read_offset"), (0, -1, "read_limit")])
def test_a_negative_range_is_refused(
    blob_store: BlobStore, tmp_path: Path, offset: int, limit: int, field: str
) -> None:
    digest = put(blob_store, tmp_path, b"abc")
    with pytest.raises(InvalidField) as caught:
        blob_store.open(digest, offset, limit)
    assert caught.value.field == field


def test_bytes_with_another_digest_do_not_get_in(blob_backend: BlobBackend, tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_bytes(b"other bytes")
    announced = digest_of(b"the bytes!!")

    with pytest.raises(DigestMismatch) as caught:
        blob_backend.store.put_file(path, announced, 11)

    assert caught.value.metadata == {"expected": announced, "actual": digest_of(b"other bytes")}
    assert blob_backend.store.stat(announced) is None
    assert blob_backend.keys(announced) == []


def test_bytes_with_another_size_do_not_get_in(blob_backend: BlobBackend, tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_bytes(b"abc")
    with pytest.raises(DigestMismatch):
        blob_backend.store.put_file(path, digest_of(b"abc"), 4)
    assert blob_backend.keys() == []


def test_the_same_bytes_are_stored_once_under_their_digest(blob_backend: BlobBackend, tmp_path: Path) -> None:
    digest = put(blob_backend.store, tmp_path, b"abc")
    put(blob_backend.store, tmp_path, b"abc")
    hexadecimal = digest.removeprefix("sha256:")
    assert blob_backend.keys() == [f"sha256/{hexadecimal[:2]}/{hexadecimal}"]


def test_many_may_put_the_same_bytes_at_once(blob_backend: BlobBackend, tmp_path: Path) -> None:
    data = os.urandom(3 * CHUNK_BYTES)
    digest = digest_of(data)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            path = tmp_path / f"spool{number}"
            path.write_bytes(data)
            blob_backend.store.put_file(path, digest, len(data))
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert b"".join(blob_backend.store.open(digest)) == data
    assert blob_backend.keys() == [store_key(digest)]


@pytest.mark.parametrize("size", [10, 2 * CHUNK_BYTES], ids=["one chunk", "two chunks"])
def test_a_flipped_bit_is_found_before_the_last_chunk_is_given(
    blob_backend: BlobBackend, tmp_path: Path, size: int
) -> None:
    data = bytearray(os.urandom(size))
    digest = put(blob_backend.store, tmp_path, bytes(data))
    data[size // 2] ^= 1
    blob_backend.overwrite(digest, bytes(data))

    received = []
    with pytest.raises(CorruptBlob) as caught:
        received.extend(blob_backend.store.open(digest))

    assert caught.value.metadata == {"digest": digest}
    assert len(b"".join(received)) < size


@pytest.mark.parametrize("rotten", [b"", b"abcd", b"abcdefg"], ids=["emptied", "cut", "grown"])
def test_a_blob_of_another_length_is_found_corrupt(blob_backend: BlobBackend, tmp_path: Path, rotten: bytes) -> None:
    digest = put(blob_backend.store, tmp_path, b"abcdef")
    blob_backend.overwrite(digest, rotten)
    with pytest.raises(CorruptBlob):
        list(blob_backend.store.open(digest))


def test_putting_the_right_bytes_again_heals_a_corrupt_blob(blob_backend: BlobBackend, tmp_path: Path) -> None:
    digest = put(blob_backend.store, tmp_path, b"abcdef")
    blob_backend.overwrite(digest, b"abcdeF")
    put(blob_backend.store, tmp_path, b"abcdef")
    assert b"".join(blob_backend.store.open(digest)) == b"abcdef"


def test_an_unknown_blob_is_not_found(blob_store: BlobStore) -> None:
    unknown = digest_of(b"never stored")
    assert blob_store.stat(unknown) is None
    with pytest.raises(NotFound) as caught:
        blob_store.open(unknown)
    assert caught.value.metadata == {"resource": unknown}


def test_a_vanished_blob_is_not_found(blob_backend: BlobBackend, tmp_path: Path) -> None:
    digest = put(blob_backend.store, tmp_path, b"abc")
    blob_backend.vanish(digest)
    assert blob_backend.store.stat(digest) is None
    with pytest.raises(NotFound):
        blob_backend.store.open(digest)


def test_a_deleted_blob_is_gone_and_may_be_deleted_again(blob_backend: BlobBackend, tmp_path: Path) -> None:
    digest = put(blob_backend.store, tmp_path, b"abc")
    blob_backend.store.delete(digest)
    blob_backend.store.delete(digest)
    assert blob_backend.store.stat(digest) is None
    assert blob_backend.keys() == []


def test_a_digest_with_path_characters_reaches_no_file(blob_store: BlobStore) -> None:
    for text in ("sha256:../../etc/passwd", "sha256:" + "A" * 64, "md5:00", "", "/etc/passwd"):
        with pytest.raises(InvalidField):
            blob_store.stat(text)


def test_a_store_that_works_is_ready(blob_store: BlobStore) -> None:
    blob_store.check()


def test_leaving_a_read_early_leaks_no_handle(blob_store: BlobStore, tmp_path: Path) -> None:
    digest = put(blob_store, tmp_path, os.urandom(4 * CHUNK_BYTES))

    def read_a_bit() -> None:
        for _ in range(5):
            chunks = blob_store.open(digest)
            next(chunks)
            chunks.close()

    read_a_bit()
    before = len(list(Path("/proc/self/fd").iterdir()))
    read_a_bit()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_parts_are_small_until_there_would_be_too_many() -> None:
    gib = 2**30
    assert part_bytes(1) == part_bytes(64 * gib) == 8 * 2**20
    assert part_bytes(1024 * gib) * 10_000 >= 1024 * gib
    assert part_bytes(1024 * gib) % 2**20 == 0
