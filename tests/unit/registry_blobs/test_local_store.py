"""What the folder store does beyond what every store does."""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from pathlib import Path

import pytest

from modelfoundry.errors import Unavailable
from modelfoundry.registry.blobs.blobs import Blobs
from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.store import store_key
from modelfoundry.registry.database import Database

from .conftest import blob_of


def put(store: LocalBlobStore, folder: Path, data: bytes) -> None:
    (folder / "spool").write_bytes(data)
    store.put_file(folder / "spool", blob_of(data).digest, len(data))
    (folder / "spool").unlink()


def test_on_one_disk_the_file_itself_is_kept_and_can_no_longer_be_written(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    (tmp_path / "spool").write_bytes(b"abc")
    inode = (tmp_path / "spool").stat().st_ino
    store.put_file(tmp_path / "spool", blob_of(b"abc").digest, 3)
    stored = (tmp_path / "blobs" / store_key(blob_of(b"abc").digest)).stat()
    assert stored.st_ino == inode
    assert stat.S_IMODE(stored.st_mode) == 0o444


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="NO SECOND DISK: this machine has no /dev/shm")
def test_from_another_disk_the_file_is_copied(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    source = Path("/dev/shm") / f"modelfoundry-test-{os.getpid()}"
    source.write_bytes(b"abc")
    try:
        store.put_file(source, blob_of(b"abc").digest, 3)
    finally:
        source.unlink()
    assert b"".join(store.open(blob_of(b"abc").digest)) == b"abc"


def test_what_a_killed_process_left_is_removed_after_a_day_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalBlobStore(tmp_path)
    put(store, tmp_path, b"abc")
    left = tmp_path / "staging" / "half"
    left.touch()

    LocalBlobStore(tmp_path)
    assert left.exists()

    tomorrow = time.time() + 25 * 3600
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    LocalBlobStore(tmp_path)
    assert not left.exists()
    assert store.stat(blob_of(b"abc").digest) == 3


def test_a_folder_that_vanished_is_unavailable_and_says_where(tmp_path: Path) -> None:
    store = LocalBlobStore(tmp_path / "blobs")
    shutil.rmtree(tmp_path / "blobs")
    with pytest.raises(Unavailable, match="blobs"):
        store.check()
    with pytest.raises(Unavailable, match="blobs"):
        put(store, tmp_path, b"abc")


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        LocalBlobStore(tmp_path / "file" / "blobs")


def test_an_upload_waits_for_a_discard_of_the_same_blob(database: Database, tmp_path: Path) -> None:
    deleting, uploaded = threading.Event(), threading.Event()

    class SlowToDelete(LocalBlobStore):
        def delete(self, digest: str) -> None:
            deleting.set()
            uploaded.wait(0.2)
            super().delete(digest)

    store = SlowToDelete(tmp_path / "blobs")
    blobs = Blobs(database, store)
    (tmp_path / "file").write_bytes(b"abc")
    blob = blobs.add_file(tmp_path / "file", blob_of(b"abc"))

    discard = threading.Thread(target=blobs.discard, args=(blob.digest,))
    discard.start()
    deleting.wait()
    blobs.add_file(tmp_path / "file", blob)
    uploaded.set()
    discard.join()

    assert blobs.find(blob.digest) == blob
