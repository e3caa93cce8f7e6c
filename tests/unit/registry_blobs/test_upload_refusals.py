"""What uploads refuse, on both stores, and that they can go on after it."""

from __future__ import annotations

import uuid
import zlib

import pytest

from modelfoundry.errors import (
    DigestMismatch,
    InvalidField,
    NotFound,
    RequestIdReused,
    StorageFull,
    TooLarge,
    UploadIncomplete,
    WrongOffset,
)
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.values.resources import BlobRef

from .conftest import Registry, blob_of

MIB = 1024 * 1024


def test_a_stored_digest_announced_with_another_size_is_refused(registry: Registry) -> None:
    blob = registry.upload(b"eight by")
    with pytest.raises(InvalidField) as caught:
        registry.uploads.create("default", BlobRef(blob.digest, 9))
    assert caught.value.field == "upload.blob.size_bytes"


def test_a_chunk_at_a_wrong_offset_is_refused_with_the_right_one(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abcdef"))
    registry.send(upload, b"abc")
    for offset in (0, 2, 4, -1, 2**62):
        with pytest.raises(WrongOffset) as caught:
            registry.uploads.append(upload, offset, b"d", zlib.crc32(b"d"))
        assert caught.value.metadata == {"committed_bytes": "3"}
    registry.send(upload, b"abcdef", offset=3)
    assert registry.uploads.finalize(upload.name) == blob_of(b"abcdef")


def test_a_chunk_for_a_complete_upload_is_refused(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abc"))
    registry.send(upload, b"abc")
    registry.uploads.finalize(upload.name)
    with pytest.raises(WrongOffset) as caught:
        registry.uploads.append(registry.uploads.get(upload.name), 0, b"a", zlib.crc32(b"a"))
    assert caught.value.metadata == {"committed_bytes": "3"}


def test_a_chunk_that_changed_on_the_way_is_refused_and_may_be_sent_again(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abc"))
    with pytest.raises(DigestMismatch) as caught:
        registry.uploads.append(upload, 0, b"abd", zlib.crc32(b"abc"))
    assert caught.value.field == "crc32"
    assert registry.uploads.get(upload.name).committed_bytes == 0
    registry.send(upload, b"abc")
    assert registry.uploads.finalize(upload.name) == blob_of(b"abc")


def test_a_chunk_past_the_announced_size_is_refused(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abc"))
    with pytest.raises(InvalidField) as caught:
        registry.uploads.append(upload, 0, b"abcd", zlib.crc32(b"abcd"))
    assert caught.value.field == "data"
    assert registry.uploads.get(upload.name).committed_bytes == 0


def test_a_chunk_that_is_too_large_is_refused(registry: Registry) -> None:
    data = bytes(2 * MIB + 1)
    upload = registry.uploads.create("default", blob_of(data))
    with pytest.raises(TooLarge) as caught:
        registry.uploads.append(upload, 0, data, zlib.crc32(data))
    assert caught.value.metadata == {"limit_bytes": str(2 * MIB)}


def test_bytes_with_another_digest_are_discarded_with_their_upload(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"announced"))
    registry.send(upload, b"different")
    with pytest.raises(DigestMismatch) as caught:
        registry.uploads.finalize(upload.name)
    assert caught.value.metadata == {"expected": blob_of(b"announced").digest, "actual": blob_of(b"different").digest}
    with pytest.raises(NotFound):
        registry.uploads.get(upload.name)
    assert registry.leftovers() == []


def test_an_upload_that_lacks_bytes_cannot_be_finalized_but_goes_on(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abcdef"))
    registry.send(upload, b"abc")
    with pytest.raises(UploadIncomplete) as caught:
        registry.uploads.finalize(upload.name)
    assert caught.value.metadata == {"committed_bytes": "3"}
    registry.send(upload, b"abcdef", offset=3)
    assert registry.uploads.finalize(upload.name) == blob_of(b"abcdef")


def test_an_upload_of_another_project_is_not_found(registry: Registry) -> None:
    upload = registry.uploads.create("mine", blob_of(b"abc"))
    with pytest.raises(NotFound):
        registry.uploads.get(upload.name.replace("mine", "yours"))


def test_a_request_id_used_for_another_blob_is_refused(registry: Registry) -> None:
    request_id = str(uuid.uuid4())
    registry.uploads.create("default", blob_of(b"abc"), request_id)
    with pytest.raises(RequestIdReused):
        registry.uploads.create("default", blob_of(b"abd"), request_id)


@pytest.mark.parametrize(
    ("blob", "field"),
    [
        (BlobRef("sha256:xyz", 3), "upload.blob.digest"),
        (BlobRef("", 3), "upload.blob.digest"),
        (BlobRef("sha256:../../etc/passwd", 3), "upload.blob.digest"),
        (BlobRef("sha256:" + "0" * 64, -1), "upload.blob.size_bytes"),
        (BlobRef("sha256:" + "0" * 64, 1, "x" * 10_000_000), "upload.blob.media_type"),
        (BlobRef("sha256:" + "0" * 64, 1, "a\nb"), "upload.blob.media_type"),
    ],
    ids=["no hex", "empty", "path", "negative size", "long media type", "line feed"],
)
def test_a_malformed_announcement_is_refused(registry: Registry, blob: BlobRef, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        registry.uploads.create("default", blob)
    assert caught.value.field == field
    assert len(caught.value.message) < 300
    assert registry.leftovers() == []


@pytest.mark.parametrize("request_id", ["x", "0" * 32, "../../x", "z" * 10_000_000])
def test_a_malformed_request_id_is_refused(registry: Registry, request_id: str) -> None:
    with pytest.raises(InvalidField) as caught:
        registry.uploads.create("default", blob_of(b"abc"), request_id)
    assert caught.value.field == "request_id"


@pytest.mark.parametrize("name", ["", "uploads/u", "projects/default/uploads/../x", "projects/default/models/m"])
def test_a_malformed_name_is_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidField) as caught:
        registry.uploads.get(name)
    assert caught.value.field == "name"


def test_a_blob_over_the_limit_is_refused_before_a_byte_comes(registry: Registry) -> None:
    uploads = Uploads(registry.database, registry.blobs, registry.spool, largest_bytes=10)
    with pytest.raises(StorageFull) as caught:
        uploads.create("default", blob_of(bytes(11)))
    assert "at most 10" in caught.value.message
    assert registry.leftovers() == []
    assert not uploads.create("default", blob_of(bytes(10))).complete


def test_a_blob_larger_than_the_free_space_is_refused_before_a_byte_comes(registry: Registry) -> None:
    uploads = Uploads(registry.database, registry.blobs, registry.spool, largest_bytes=2**62)
    with pytest.raises(StorageFull) as caught:
        uploads.create("default", BlobRef("sha256:" + "0" * 64, 2**61))
    assert "room" in caught.value.message
    assert registry.leftovers() == []
