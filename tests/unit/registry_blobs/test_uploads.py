"""Uploads from announcement to blob, on both stores."""

from __future__ import annotations

import os
import threading
import uuid
import zlib
from datetime import UTC, datetime, timedelta

import pytest

from modelfoundry.errors import NotFound
from modelfoundry.registry.blobs.minio_staging import StagedObject
from modelfoundry.registry.blobs.tables import UploadRow
from modelfoundry.registry.blobs.uploads import Uploads
from modelfoundry.registry.records.tables import BlobUseRow

from .conftest import Registry, blob_of

MIB = 1024 * 1024


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 5], ids=["empty", "one byte", "several chunks"])
def test_what_is_uploaded_can_be_found_and_read(registry: Registry, size: int) -> None:
    data = os.urandom(size)

    blob = registry.upload(data, "application/vnd.safetensors")

    assert blob == blob_of(data, "application/vnd.safetensors")
    assert registry.blobs.get(blob.digest) == blob
    assert b"".join(registry.blobs.read(blob.digest)) == data
    assert registry.spool.upload_ids() == []


def test_an_upload_tells_how_far_it_is(registry: Registry) -> None:
    data = os.urandom(2 * MIB)
    upload = registry.uploads.create("default", blob_of(data))
    assert (upload.committed_bytes, upload.complete) == (0, False)
    registry.send(upload, data[:MIB])
    assert registry.uploads.get(upload.name).committed_bytes == MIB
    registry.send(upload, data, offset=MIB)
    assert registry.uploads.get(upload.name).committed_bytes == 2 * MIB
    registry.uploads.finalize(upload.name)
    done = registry.uploads.get(upload.name)
    assert (done.committed_bytes, done.complete) == (2 * MIB, True)


def test_a_blob_is_invisible_until_it_is_finalized(registry: Registry) -> None:
    data = os.urandom(100)
    upload = registry.uploads.create("default", blob_of(data))
    registry.send(upload, data)

    assert registry.blobs.find(upload.blob.digest) is None
    assert registry.blobs.missing([upload.blob.digest]) == [upload.blob.digest]
    with pytest.raises(NotFound):
        registry.blobs.read(upload.blob.digest)
    assert registry.backend.keys() == []


def test_bytes_without_a_row_are_invisible(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("orphan") / "bytes"
    path.write_bytes(b"orphan")
    blob = blob_of(b"orphan")
    registry.backend.store.put_file(path, blob.digest, blob.size_bytes)

    assert registry.blobs.missing([blob.digest]) == [blob.digest]
    with pytest.raises(NotFound):
        registry.blobs.read(blob.digest)
    assert registry.upload(b"orphan") == blob


def test_a_restarted_registry_goes_on_where_the_upload_stopped(registry: Registry) -> None:
    data = os.urandom(3 * MIB)
    upload = registry.uploads.create("default", blob_of(data))
    registry.send(upload, data[: MIB + 17])

    after = registry.restarted()
    resumed = after.uploads.get(upload.name)
    assert resumed.committed_bytes == MIB + 17
    after.send(resumed, data, offset=resumed.committed_bytes)
    assert after.uploads.finalize(upload.name) == blob_of(data)
    assert b"".join(after.blobs.read(upload.blob.digest)) == data


def test_a_second_upload_of_the_same_bytes_costs_nothing(registry: Registry) -> None:
    first = registry.upload(b"the same", "text/plain")
    stored = registry.backend.keys()

    second = registry.uploads.create("other", blob_of(b"the same"))

    assert second.complete
    assert second.committed_bytes == second.blob.size_bytes == 8
    assert registry.spool.upload_ids() == []
    assert registry.uploads.finalize(second.name) == first
    assert registry.backend.keys() == stored


def test_a_repeated_finalize_gives_the_same_blob(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abc"))
    registry.send(upload, b"abc")
    assert registry.uploads.finalize(upload.name) == registry.uploads.finalize(upload.name) == blob_of(b"abc")


def test_two_uploads_of_one_blob_may_be_finalized_at_once(registry: Registry) -> None:
    data = os.urandom(6 * MIB)
    names = []
    for _ in range(4):
        upload = registry.uploads.create("default", blob_of(data))
        registry.send(upload, data)
        names += [upload.name, upload.name]
    results: list[object] = []

    def finalize(name: str) -> None:
        try:
            results.append(registry.uploads.finalize(name))
        except BaseException as error:  # noqa: BLE001
            results.append(error)

    threads = [threading.Thread(target=finalize, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert results == [blob_of(data)] * 8
    assert len(registry.backend.keys()) == 1
    assert registry.spool.upload_ids() == []


def test_a_cancelled_upload_leaves_nothing(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abc"))
    registry.send(upload, b"ab")
    registry.uploads.cancel(upload.name)
    assert registry.leftovers() == []
    for call in (registry.uploads.get, registry.uploads.finalize, registry.uploads.cancel):
        with pytest.raises(NotFound):
            call(upload.name)
    with pytest.raises(NotFound):
        registry.uploads.append(upload, 2, b"c", zlib.crc32(b"c"))
    assert registry.leftovers() == []


def test_the_blob_of_a_cancelled_upload_stays_when_it_was_complete(registry: Registry) -> None:
    upload = registry.uploads.create("default", blob_of(b"abc"))
    registry.send(upload, b"abc")
    registry.uploads.finalize(upload.name)
    registry.uploads.cancel(upload.name)
    assert registry.blobs.get(upload.blob.digest) == blob_of(b"abc")


def test_a_repeated_request_gets_the_first_upload(registry: Registry) -> None:
    request_id = str(uuid.uuid4())
    first = registry.uploads.create("default", blob_of(b"abc"), request_id)
    registry.send(first, b"a")
    again = registry.uploads.create("default", blob_of(b"abc"), request_id)
    assert again.name == first.name
    assert again.committed_bytes == 1
    assert registry.uploads.create("other", blob_of(b"abc"), request_id).name != first.name


def test_the_same_request_many_times_at_once_opens_one_upload(registry: Registry) -> None:
    request_id = str(uuid.uuid4())
    names: list[object] = []

    def create() -> None:
        try:
            names.append(registry.uploads.create("default", blob_of(b"abc"), request_id).name)
        except BaseException as error:  # noqa: BLE001
            names.append(error)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(names) == 8
    assert len(set(names)) == 1
    assert len(registry.spool.upload_ids()) == 1


def test_uploads_expire_a_day_after_their_last_chunk(registry: Registry) -> None:
    abandoned = registry.uploads.create("default", blob_of(b"abc"))
    alive = registry.uploads.create("default", blob_of(b"abcd"))
    registry.upload(b"done")
    yesterday = datetime.now(UTC) - timedelta(hours=25)
    os.utime(registry.spool.path(abandoned.id), (yesterday.timestamp(), yesterday.timestamp()))
    (registry.work_folder / "u-orphan").touch()

    assert registry.uploads.discard_expired() == 0
    later = datetime.now(UTC) + timedelta(hours=24)
    os.utime(registry.spool.path(alive.id), (later.timestamp(), later.timestamp()))
    assert registry.uploads.discard_expired(datetime.now(UTC) + timedelta(hours=24, minutes=1)) == 3

    assert registry.uploads.get(alive.name).expire_time == pytest.approx(later + timedelta(hours=24), abs=timedelta(1))
    assert registry.spool.upload_ids() == [alive.id]
    with pytest.raises(NotFound):
        registry.uploads.get(abandoned.name)
    assert registry.blobs.get(blob_of(b"done").digest) == blob_of(b"done")


@pytest.mark.parametrize(
    ("spooled_hours", "staged_hours", "stays"),
    [(25, 1, True), (1, 25, True), (25, 25, False), (25, None, False), (1, None, True)],
    ids=["staged late", "spooled late", "both long ago", "spooled long ago", "just spooled"],
)
def test_an_upload_lives_on_what_came_last_on_whichever_way(
    registry: Registry, spooled_hours: int, staged_hours: int | None, stays: bool
) -> None:
    """What is spooled and what a client put into the store itself count alike."""
    now = datetime.now(UTC)
    spooled = now - timedelta(hours=spooled_hours)
    staged = None if staged_hours is None else now - timedelta(hours=staged_hours)
    upload = registry.uploads.create("default", blob_of(b"abc"))
    with registry.database.session() as session:
        session.get_one(UploadRow, upload.id).create_time = now - timedelta(hours=26)
    os.utime(registry.spool.path(upload.id), (spooled.timestamp(), spooled.timestamp()))

    class Staging:
        def objects(self) -> list[StagedObject]:
            return [] if staged is None else [StagedObject(upload.id, 3, staged)]

        def remove(self, upload_id: str) -> None:
            assert upload_id == upload.id

    uploads = Uploads(registry.database, registry.blobs, registry.spool, staging=Staging())  # type: ignore[arg-type]
    assert uploads.discard_expired(now) == (0 if stays else 1)
    assert registry.spool.upload_ids() == ([upload.id] if stays else [])


def test_digests_that_must_be_uploaded_are_told_in_their_order(registry: Registry) -> None:
    present = registry.upload(b"present").digest
    gone = registry.upload(b"gone").digest
    registry.backend.vanish(gone)
    never = blob_of(b"never").digest
    assert registry.blobs.missing([never, present, gone, never]) == [never, gone]


def test_a_vanished_blob_can_be_uploaded_again(registry: Registry) -> None:
    blob = registry.upload(b"gone")
    registry.backend.vanish(blob.digest)
    with pytest.raises(NotFound):
        registry.blobs.get(blob.digest)
    assert registry.upload(b"gone") == blob
    assert b"".join(registry.blobs.read(blob.digest)) == b"gone"


def test_a_cut_blob_can_be_uploaded_again(registry: Registry) -> None:
    blob = registry.upload(b"abcdef")
    registry.backend.overwrite(blob.digest, b"abc")
    assert registry.upload(b"abcdef") == blob
    assert b"".join(registry.blobs.read(blob.digest)) == b"abcdef"


def test_a_discarded_blob_is_gone(registry: Registry) -> None:
    blob = registry.upload(b"superseded")
    assert registry.blobs.discard(blob.digest)
    assert registry.blobs.find(blob.digest) is None
    assert registry.backend.keys() == []
    assert registry.blobs.discard(blob.digest)
    assert registry.upload(b"superseded") == blob


def test_a_blob_that_others_refer_to_is_not_discarded(registry: Registry) -> None:
    blob = registry.upload(b"needed")
    registry.referenced.add(blob.digest)
    assert not registry.blobs.discard(blob.digest)
    assert b"".join(registry.blobs.read(blob.digest)) == b"needed"


def test_a_blob_that_a_row_refers_to_is_not_discarded(registry: Registry) -> None:
    blob = registry.upload(b"needed")
    with registry.database.session() as session:
        session.add(BlobUseRow(resource="projects/default/models/m", digest=blob.digest))
    assert not registry.blobs.discard(blob.digest)
    assert b"".join(registry.blobs.read(blob.digest)) == b"needed"


def test_a_discard_between_two_uploads_of_one_blob_leaves_no_row_without_bytes(registry: Registry) -> None:
    data = b"contended"
    digest = blob_of(data).digest
    failures: list[BaseException] = []

    def work(step: int) -> None:
        try:
            for _ in range(6):
                registry.blobs.discard(digest) if step % 2 else registry.upload(data)
        except NotFound:
            pass  # an upload that was complete when it was opened, and then discarded
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work, args=(step,)) for step in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    rows = [row for row in registry.leftovers() if "digest" in row and "media_type" in row and "request_id" not in row]
    assert bool(rows) == (registry.backend.store.stat(digest) is not None)
