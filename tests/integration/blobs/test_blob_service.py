"""BlobService over a real socket, on both stores."""

from __future__ import annotations

import asyncio
import os
import uuid
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from blob_backends import BlobBackend
from blob_service import MIB, PARENT, BlobClient, chunk, error_info, ref_of

from modelfoundry.api.registry.v1 import blob_service_pb2 as pb

from .conftest import serving

UNKNOWN = "sha256:" + "0" * 64


async def until_committed(client: BlobClient, name: str, count: int) -> None:
    while (await client.get(name)).committed_bytes < count:
        await asyncio.sleep(0.01)


def open_files(folder: Path) -> list[str]:
    """What this process has open below a folder, the database apart."""
    opened = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            opened.append(str(link.readlink()))
    return [path for path in opened if path.startswith(str(folder)) and "registry.db" not in path]


@pytest.mark.parametrize("size", [0, 1, 12 * MIB + 3], ids=["empty", "one byte", "several parts"])
async def test_what_is_uploaded_can_be_read_back(client: BlobClient, size: int) -> None:
    data = os.urandom(size)
    ref = ref_of(data, "application/vnd.safetensors")

    assert await client.missing([ref.digest]) == [ref.digest]
    assert await client.upload(data, ref.media_type) == ref

    assert await client.missing([ref.digest]) == []
    assert await client.get_blob(ref.digest) == ref
    assert await client.read(ref.digest) == data
    assert await client.read(ref.digest, offset=size // 2) == data[size // 2 :]
    assert await client.read(ref.digest, offset=size // 2, limit=MIB) == data[size // 2 : size // 2 + MIB]


async def test_a_second_upload_of_the_same_bytes_is_complete_at_once(client: BlobClient) -> None:
    data = os.urandom(100)
    ref = await client.upload(data)
    upload = await client.create(ref)
    assert upload.complete
    assert upload.committed_bytes == 100
    assert await client.finalize(upload.name) == ref


async def test_an_upload_whose_client_went_away_keeps_what_came_and_resumes(client: BlobClient, tmp_path: Path) -> None:
    data = os.urandom(5 * MIB)
    upload = await client.create(ref_of(data))
    call = client.stub.WriteBlob()
    await call.write(chunk(upload.name, 0, data[:MIB]))
    await call.write(chunk("", MIB, data[MIB : 2 * MIB]))
    await until_committed(client, upload.name, 2 * MIB)
    call.cancel()

    resumed = await client.get(upload.name)
    assert resumed.committed_bytes == 2 * MIB
    assert open_files(tmp_path) == []
    assert (await client.write(upload.name, data, offset=2 * MIB)).committed_bytes == 5 * MIB
    assert await client.finalize(upload.name) == ref_of(data)
    assert await client.read(upload.blob.digest) == data


async def test_an_upload_goes_on_after_the_server_was_made_again(blob_backend: BlobBackend, tmp_path: Path) -> None:
    data = os.urandom(3 * MIB)
    async with serving(tmp_path / "work", blob_backend.store) as client:
        upload = await client.create(ref_of(data))
        await client.write(upload.name, data[: MIB + 1])

    async with serving(tmp_path / "work", blob_backend.store) as client:
        resumed = await client.get(upload.name)
        assert resumed.committed_bytes == MIB + 1
        await client.write(upload.name, data, offset=MIB + 1)
        assert await client.finalize(upload.name) == ref_of(data)
        assert await client.read(upload.blob.digest) == data


async def test_a_reader_who_goes_away_leaves_nothing_open(
    client: BlobClient, blob_backend: BlobBackend, tmp_path: Path
) -> None:
    data = os.urandom(32 * MIB)
    ref = await client.upload(data)
    for _ in range(3):
        call = client.stub.ReadBlob(pb.ReadBlobRequest(parent=PARENT, digest=ref.digest))
        await call.read()
        call.cancel()
    async with asyncio.timeout(20):
        while open_files(tmp_path):
            await asyncio.sleep(0.01)
    assert await client.read(ref.digest) == data


async def test_a_reader_at_leisure_gets_everything(client: BlobClient) -> None:
    data = os.urandom(16 * MIB)
    ref = await client.upload(data)
    received = b""
    async for response in client.stub.ReadBlob(pb.ReadBlobRequest(parent=PARENT, digest=ref.digest), timeout=30):
        received += response.data
        await asyncio.sleep(0.005)
    assert received == data


async def test_bit_rot_is_data_loss_and_never_wrong_bytes(client: BlobClient, blob_backend: BlobBackend) -> None:
    data = bytearray(os.urandom(3 * MIB))
    ref = await client.upload(bytes(data))
    data[MIB // 2] ^= 1
    blob_backend.overwrite(ref.digest, bytes(data))

    received = bytearray()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.read(ref.digest, into=received)

    assert caught.value.code() is grpc.StatusCode.DATA_LOSS
    info = error_info(caught.value)
    assert (info.reason, info.metadata["digest"]) == ("CORRUPT_BLOB", ref.digest)
    assert len(received) < len(data)


async def test_a_wrong_offset_is_answered_with_the_right_one(client: BlobClient) -> None:
    data = os.urandom(100)
    upload = await client.create(ref_of(data))
    await client.write(upload.name, data[:10])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.write(upload.name, data, offset=20)
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert error_info(caught.value).metadata["committed_bytes"] == "10"
    await client.write(upload.name, data, offset=10)
    assert await client.finalize(upload.name) == ref_of(data)


async def test_a_client_in_full_flow_hears_why_it_was_refused(client: BlobClient) -> None:
    data = os.urandom(24 * MIB)
    upload = await client.create(ref_of(data))
    for _ in range(10):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.stub.WriteBlob(
                (chunk(upload.name, start, data[start : start + MIB]) for start in range(MIB, len(data), MIB)),
                timeout=30,
            )
        assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_a_client_that_waits_in_mid_stream_hears_why_it_was_refused(client: BlobClient) -> None:
    upload = await client.create(ref_of(b"abcdef"))
    call = client.stub.WriteBlob(timeout=30)
    await call.write(chunk(upload.name, 3, b"def"))
    assert await call.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_a_chunk_with_a_wrong_checksum_is_refused_and_those_before_it_stay(client: BlobClient) -> None:
    data = os.urandom(20)
    upload = await client.create(ref_of(data))
    good, bad = chunk(upload.name, 0, data[:10]), chunk("", 10, data[10:])
    bad.crc32 ^= 1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stub.WriteBlob(iter([good, bad]), timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).reason == "DIGEST_MISMATCH"
    assert (await client.get(upload.name)).committed_bytes == 10


async def test_a_wrong_digest_is_refused_and_discards_the_upload(
    client: BlobClient, blob_backend: BlobBackend, tmp_path: Path
) -> None:
    upload = await client.create(ref_of(b"announced"))
    await client.write(upload.name, b"different")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.finalize(upload.name)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    info = error_info(caught.value)
    assert info.reason == "DIGEST_MISMATCH"
    assert info.metadata["actual"] == ref_of(b"different").digest
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(upload.name)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert blob_backend.keys() == []
    assert list((tmp_path / "work" / "uploads").iterdir()) == []


async def test_an_unfinished_upload_cannot_be_finalized(client: BlobClient) -> None:
    upload = await client.create(ref_of(b"abcdef"))
    await client.write(upload.name, b"abc")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.finalize(upload.name)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert error_info(caught.value).metadata["committed_bytes"] == "3"


async def test_a_cancelled_upload_is_gone(client: BlobClient) -> None:
    upload = await client.create(ref_of(b"abc"))
    await client.cancel(upload.name)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.write(upload.name, b"abc")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_repeated_request_opens_one_upload(client: BlobClient) -> None:
    request_id = str(uuid.uuid4())
    first, second = await asyncio.gather(*(client.create(ref_of(b"abc"), request_id) for _ in range(2)))
    assert first.name == second.name
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.create(ref_of(b"other"), request_id)
    assert error_info(caught.value).reason == "REQUEST_ID_REUSED"


async def test_two_clients_may_finalize_one_digest_at_the_same_time(client: BlobClient) -> None:
    data = os.urandom(9 * MIB)
    names = [(await client.create(ref_of(data))).name for _ in range(3)]
    await asyncio.gather(*(client.write(name, data) for name in names))
    assert await asyncio.gather(*(client.finalize(name) for name in names)) == [ref_of(data)] * 3
    assert await client.read(ref_of(data).digest) == data


async def test_an_unknown_blob_is_not_found(client: BlobClient) -> None:
    for call in (client.get_blob(UNKNOWN), client.read(UNKNOWN)):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        assert error_info(caught.value).metadata["resource"] == UNKNOWN


async def test_a_blob_that_vanished_from_the_store_is_not_found_and_can_be_uploaded_again(
    client: BlobClient, blob_backend: BlobBackend
) -> None:
    ref = await client.upload(b"soon gone")
    blob_backend.vanish(ref.digest)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.read(ref.digest)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert await client.missing([ref.digest]) == [ref.digest]
    assert await client.upload(b"soon gone") == ref
    assert await client.read(ref.digest) == b"soon gone"


async def test_a_read_past_the_end_is_out_of_range(client: BlobClient) -> None:
    ref = await client.upload(b"abc")
    assert await client.read(ref.digest, offset=3) == b""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.read(ref.digest, offset=4)
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE


@pytest.mark.parametrize("digest", ["", "x" * 1_000_000, "sha256:../../etc/passwd", "sha256:" + "G" * 64])
async def test_malformed_digests_are_refused_by_name(client: BlobClient, digest: str) -> None:
    for call in (client.get_blob(digest), client.read(digest), client.missing([UNKNOWN, digest])):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert error_info(caught.value).metadata["field"] in {"digest", "digests[1]"}


async def test_too_many_digests_are_refused(client: BlobClient) -> None:
    assert len(await client.missing([f"sha256:{number:064x}" for number in range(1000)])) == 1000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.missing([f"sha256:{number:064x}" for number in range(1001)])
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).metadata["field"] == "digests"


async def test_a_stream_without_a_message_is_refused(client: BlobClient) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stub.WriteBlob(iter(()), timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).metadata["field"] == "name"


async def test_a_chunk_over_two_mebibytes_is_refused(client: BlobClient) -> None:
    data = bytes(2 * MIB + 1)
    upload = await client.create(ref_of(data))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stub.WriteBlob(iter([chunk(upload.name, 0, data)]), timeout=30)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error_info(caught.value).metadata["limit_bytes"] == str(2 * MIB)


async def test_a_parent_with_path_characters_is_refused(client: BlobClient) -> None:
    request = pb.GetBlobRequest(parent="projects/../x", digest=UNKNOWN)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.stub.GetBlob(request, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error_info(caught.value).metadata["field"] == "parent"
