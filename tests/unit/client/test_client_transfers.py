"""Bytes go up and down whole, whatever the connection does."""

# ruff: noqa: N802 - servicers have the methods of the contract

from __future__ import annotations

import hashlib
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from modelfoundry import errors
from modelfoundry.api.registry.v1 import blob_service_pb2 as pb
from modelfoundry.api.registry.v1.blob_service_pb2_grpc import BlobServiceServicer
from modelfoundry.api.types.v1 import blob_pb2
from modelfoundry.client import AsyncClient, BlobRef, Client
from modelfoundry.client.content import CHUNK_BYTES, PartFile

DATA = bytes(range(256)) * (CHUNK_BYTES * 5 // 2 // 256)  # two whole chunks and a half
DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"
NAME = "projects/default/uploads/u-1"


class Store(BlobServiceServicer):
    """A blob service of one upload, that can cut streams.

    Args:
        refuse: How calls are refused.
        cuts: For every stream in turn: chunks after which it is cut. Streams after these are not cut.
        data: What ReadBlob gives.
    """

    def __init__(self, refuse: Any, cuts: tuple[int, ...] = (), data: bytes = DATA, stored: bool = False) -> None:
        self.refuse = refuse
        self.cuts = list(cuts)
        self.data = data
        self.stored = stored
        self.received = bytearray()
        self.offsets: list[int] = []
        self.calls: list[str] = []
        self.request_ids: list[str] = []

    def FindMissingBlobs(
        self, request: pb.FindMissingBlobsRequest, context: grpc.ServicerContext
    ) -> pb.FindMissingBlobsResponse:
        self.calls.append("FindMissingBlobs")
        return pb.FindMissingBlobsResponse(missing_digests=[] if self.stored else request.digests)

    def GetBlob(self, request: pb.GetBlobRequest, context: grpc.ServicerContext) -> blob_pb2.BlobRef:
        self.calls.append("GetBlob")
        return blob_pb2.BlobRef(digest=request.digest, size_bytes=len(DATA))

    def CreateUpload(self, request: pb.CreateUploadRequest, context: grpc.ServicerContext) -> pb.Upload:
        self.calls.append("CreateUpload")
        self.request_ids.append(request.request_id)
        return self._upload()

    def GetUpload(self, request: pb.GetUploadRequest, context: grpc.ServicerContext) -> pb.Upload:
        self.calls.append("GetUpload")
        return self._upload()

    def WriteBlob(self, request_iterator: Iterator[pb.WriteBlobRequest], context: grpc.ServicerContext) -> pb.Upload:
        self.calls.append("WriteBlob")
        left = self.cuts.pop(0) if self.cuts else -1
        for request in request_iterator:
            if left == 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            left -= 1
            assert zlib.crc32(request.data) == request.crc32
            self.offsets.append(request.write_offset)
            if request.write_offset != len(self.received):
                self.refuse(context, errors.WrongOffset("no", metadata={"committed_bytes": str(len(self.received))}))
            self.received += request.data
        if left == 0:
            context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
        return self._upload()

    def FinalizeUpload(self, request: pb.FinalizeUploadRequest, context: grpc.ServicerContext) -> blob_pb2.BlobRef:
        self.calls.append("FinalizeUpload")
        actual = f"sha256:{hashlib.sha256(self.received).hexdigest()}"
        if actual != DIGEST:
            self.refuse(context, errors.DigestMismatch("others", metadata={"expected": DIGEST, "actual": actual}))
        return blob_pb2.BlobRef(digest=actual, size_bytes=len(self.received))

    def ReadBlob(self, request: pb.ReadBlobRequest, context: grpc.ServicerContext) -> Iterator[pb.ReadBlobResponse]:
        self.calls.append("ReadBlob")
        left = self.cuts.pop(0) if self.cuts else -1
        self.offsets.append(request.read_offset)
        for offset in range(request.read_offset, len(self.data), CHUNK_BYTES):
            if left == 0:
                context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
            left -= 1
            yield pb.ReadBlobResponse(offset=offset, data=self.data[offset : offset + CHUNK_BYTES])
        if left == 0:
            context.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    def _upload(self) -> pb.Upload:
        blob = blob_pb2.BlobRef(digest=DIGEST, size_bytes=len(DATA))
        return pb.Upload(name=NAME, blob=blob, committed_bytes=len(self.received))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weights.bin"
    path.write_bytes(DATA)
    return path


@pytest.mark.parametrize("as_path", [True, False], ids=["path", "bytes"])
def test_what_is_uploaded_arrives(serve: Any, call: Any, refuse: Any, file: Path, as_path: bool) -> None:
    store, told = Store(refuse), []
    blob = call(
        serve(store), "blobs.upload", file if as_path else DATA, "a/b", on_progress=lambda *done: told.append(done)
    )
    assert blob == BlobRef(DIGEST, len(DATA), "a/b")
    assert bytes(store.received) == DATA
    assert store.offsets == [0, CHUNK_BYTES, 2 * CHUNK_BYTES]
    assert told == [(CHUNK_BYTES, len(DATA)), (2 * CHUNK_BYTES, len(DATA)), (len(DATA), len(DATA))]


def test_what_the_store_has_is_not_sent(serve: Any, call: Any, refuse: Any, file: Path) -> None:
    store, told = Store(refuse, stored=True), []
    call(serve(store), "blobs.upload", file, on_progress=lambda *done: told.append(done))
    assert store.calls == ["FindMissingBlobs"]
    assert told == [(len(DATA), len(DATA))]


@pytest.mark.parametrize("chunks", range(4))
def test_a_cut_upload_resumes_where_it_stopped(serve: Any, call: Any, refuse: Any, file: Path, chunks: int) -> None:
    store = Store(refuse, cuts=(chunks,))
    call(serve(store), "blobs.upload", file)
    assert bytes(store.received) == DATA
    assert sorted(set(store.offsets)) == store.offsets  # no chunk was sent to the store twice
    assert "GetUpload" in store.calls
    assert store.calls[-1] == "FinalizeUpload"


def test_an_upload_that_is_cut_often_but_goes_on_arrives(serve: Any, call: Any, refuse: Any, file: Path) -> None:
    store = Store(refuse, cuts=(0, 0, 1, 0, 0, 1, 0, 0))  # never as many in a row without a chunk as are allowed
    call(serve(store), "blobs.upload", file)
    assert bytes(store.received) == DATA


def test_an_upload_without_progress_is_given_up(serve: Any, call: Any, refuse: Any, file: Path) -> None:
    store = Store(refuse, cuts=(0,) * 50)
    with pytest.raises(errors.Unavailable, match="cut"):
        call(serve(store), "blobs.upload", file)
    assert store.calls.count("WriteBlob") == 4


def test_bytes_that_another_try_left_are_not_sent_again(serve: Any, call: Any, refuse: Any, file: Path) -> None:
    store = Store(refuse)
    store.received += DATA[:CHUNK_BYTES]
    call(serve(store), "blobs.upload", file)
    assert store.offsets == [CHUNK_BYTES, 2 * CHUNK_BYTES]


def test_another_try_asks_for_the_same_upload_and_other_bytes_for_another(
    serve: Any, call: Any, refuse: Any, file: Path
) -> None:
    store = Store(refuse)
    endpoints = serve(store)
    call(endpoints, "blobs.upload", file)
    call(endpoints, "blobs.upload", DATA)
    call(endpoints, "blobs.upload", b"others")
    assert store.request_ids[0] == store.request_ids[1] != store.request_ids[2]


def test_a_file_that_shrinks_during_the_upload_is_refused(serve: Any, refuse: Any, file: Path) -> None:
    class Shrinking(Store):
        def CreateUpload(self, request: pb.CreateUploadRequest, context: grpc.ServicerContext) -> pb.Upload:
            file.write_bytes(DATA[:100])
            return super().CreateUpload(request, context)

    with Client(serve(Shrinking(refuse))) as client, pytest.raises(errors.DigestMismatch, match="only 100"):
        client.blobs.upload(file)


def test_a_file_that_changes_during_the_upload_is_refused(serve: Any, refuse: Any, file: Path) -> None:
    class Changing(Store):
        def CreateUpload(self, request: pb.CreateUploadRequest, context: grpc.ServicerContext) -> pb.Upload:
            file.write_bytes(DATA[::-1])
            return super().CreateUpload(request, context)

    with Client(serve(Changing(refuse))) as client, pytest.raises(errors.DigestMismatch, match="others"):
        client.blobs.upload(file)


def test_a_file_that_cannot_be_read_any_more_says_so(serve: Any, call: Any, refuse: Any, file: Path) -> None:
    class Removing(Store):
        def CreateUpload(self, request: pb.CreateUploadRequest, context: grpc.ServicerContext) -> pb.Upload:
            file.unlink()
            return super().CreateUpload(request, context)

    with pytest.raises(FileNotFoundError):
        call(serve(Removing(refuse)), "blobs.upload", file)


@pytest.mark.parametrize("repetition", range(5))
def test_a_full_disk_is_told_as_such_in_mid_stream(
    serve: Any, call: Any, refuse: Any, file: Path, repetition: int
) -> None:
    class Full(Store):
        def WriteBlob(
            self, request_iterator: Iterator[pb.WriteBlobRequest], context: grpc.ServicerContext
        ) -> pb.Upload:
            refuse(context, errors.StorageFull("the disk is full", hint="make room"))
            raise AssertionError

    with pytest.raises(errors.StorageFull, match="the disk is full"):
        call(serve(Full(refuse)), "blobs.upload", file)


async def test_progress_of_an_upload_is_told_in_the_event_loop(serve: Any, refuse: Any, file: Path) -> None:
    told = []
    async with AsyncClient(serve(Store(refuse))) as client:
        await client.blobs.upload(file, on_progress=lambda *_: told.append(threading.current_thread()))
    assert told == [threading.main_thread()] * 3


def test_what_is_downloaded_is_whole(serve: Any, call: Any, refuse: Any, tmp_path: Path) -> None:
    target, told = tmp_path / "new" / "folder" / "file", []
    path = call(serve(Store(refuse)), "blobs.download", DIGEST, target, on_progress=lambda *done: told.append(done))
    assert path == target
    assert target.read_bytes() == DATA
    assert list(target.parent.iterdir()) == [target]
    assert told[-1] == (len(DATA), len(DATA))


@pytest.mark.parametrize("chunks", range(4))
def test_a_cut_download_resumes_where_it_stopped(
    serve: Any, call: Any, refuse: Any, tmp_path: Path, chunks: int
) -> None:
    store = Store(refuse, cuts=(chunks,))
    call(serve(store), "blobs.download", DIGEST, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA
    resumed = [min(chunks * CHUNK_BYTES, len(DATA))] if chunks < 3 else []
    assert store.offsets == [0, *resumed]


def test_a_download_goes_on_from_what_a_killed_program_left(serve: Any, call: Any, refuse: Any, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(DATA[:1000])
    store = Store(refuse)
    call(serve(store), "blobs.download", DIGEST, tmp_path / "file")
    assert store.offsets == [1000]
    assert (tmp_path / "file").read_bytes() == DATA
    assert not (tmp_path / "file.part").exists()


@pytest.mark.parametrize(
    "left", [b"x" * 1000, DATA + b"x", b"x" * len(DATA)], ids=["other", "too-long", "whole-but-other"]
)
def test_a_download_does_not_trust_what_was_left(
    serve: Any, call: Any, refuse: Any, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "file.part").write_bytes(left)
    call(serve(Store(refuse)), "blobs.download", DIGEST, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA


def test_an_interrupted_download_leaves_its_bytes_for_the_next(
    serve: Any, call: Any, refuse: Any, tmp_path: Path
) -> None:
    with pytest.raises(errors.Unavailable):
        call(serve(Store(refuse, cuts=(2,) + (0,) * 50)), "blobs.download", DIGEST, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.part").read_bytes() == DATA[: 2 * CHUNK_BYTES]


@pytest.mark.parametrize("data", [DATA[:-1] + b"x", DATA[:-1], DATA + b"x"], ids=["flipped", "truncated", "longer"])
def test_wrong_bytes_are_refused_and_nothing_is_left(
    serve: Any, call: Any, refuse: Any, tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(errors.CorruptBlob) as caught:
        call(serve(Store(refuse, data=data)), "blobs.download", DIGEST, tmp_path / "file")
    assert caught.value.metadata["digest"] == DIGEST
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_not_fetched(serve: Any, call: Any, refuse: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    store = Store(refuse)
    call(serve(store), "blobs.download", BlobRef(DIGEST), tmp_path / "file")
    assert store.calls == []


def test_another_file_at_the_place_is_replaced(serve: Any, call: Any, refuse: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    call(serve(Store(refuse)), "blobs.download", DIGEST, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == DATA


def test_a_download_does_not_touch_the_part_file_of_another(serve: Any, call: Any, refuse: Any, tmp_path: Path) -> None:
    with PartFile(tmp_path / "file") as other:
        other.append(0, DATA[:10])
        call(serve(Store(refuse)), "blobs.download", DIGEST, tmp_path / "file")
        assert (tmp_path / "file").read_bytes() == DATA
        other.append(10, DATA[10:])
        other.commit(DIGEST)
    assert (tmp_path / "file").read_bytes() == DATA
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_many_threads_use_one_client(serve: Any, refuse: Any, tmp_path: Path) -> None:
    targets = [tmp_path / str(number) for number in range(8)]
    with Client(serve(Store(refuse))) as client, ThreadPoolExecutor(8) as threads:
        done = list(threads.map(lambda target: client.blobs.download(DIGEST, target), targets))
    assert done == targets
    assert {target.read_bytes() for target in targets} == {DATA}
