"""A disk without room: the caller is told, and nothing stays behind. On a real small file system."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from blob_backends import LocalBackend, MinioBackend
from blob_service import MIB, BlobClient, error_info, ref_of
from minio_server import started_minio

from modelfoundry.registry.blobs.local_store import LocalBlobStore
from modelfoundry.registry.blobs.minio_store import MinioBlobStore
from modelfoundry.registry.blobs.store import store_key

from .conftest import serving

SmallDisk = Callable[[str, int], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mounts a file system of some MiB on a new folder."""
    mounted: list[Path] = []

    def mount(name: str, mebibytes: int) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m", "modelfoundry-test", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip(
                "NO SMALL DISK: mounting a tmpfs needs root and a machine that lets it; run these tests as root"
            )
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(ballast: Path, *, leaving: int = 0) -> None:
    """Writes until no more than `leaving` bytes fit on the disk."""
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    os.truncate(ballast, ballast.stat().st_size - leaving)


def assert_full(caught: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> None:
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    info = error_info(caught.value)
    assert info.reason == "STORAGE_FULL"
    assert info.metadata["hint"]


async def assert_gone(client: BlobClient, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.get(name)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_blob_larger_than_the_free_space_is_refused_at_once(small_disk: SmallDisk, tmp_path: Path) -> None:
    disk = small_disk("disk", 8)
    async with serving(disk / "work", LocalBlobStore(disk / "blobs")) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.create(ref_of(bytes(9 * MIB)))
        assert_full(caught)
        assert list((disk / "work" / "uploads").iterdir()) == []
        assert await client.upload(bytes(MIB)) == ref_of(bytes(MIB))


async def test_a_disk_that_fills_up_while_bytes_come_discards_the_upload(small_disk: SmallDisk, tmp_path: Path) -> None:
    disk = small_disk("disk", 16)
    data = os.urandom(8 * MIB)
    async with serving(disk / "work", LocalBlobStore(disk / "blobs")) as client:
        upload = await client.create(ref_of(data))
        await client.write(upload.name, data[:MIB])
        ballast = disk / "ballast"
        fill_up(ballast)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.write(upload.name, data, offset=MIB)
        assert_full(caught)
        assert list((disk / "work" / "uploads").iterdir()) == []
        ballast.unlink()
        await assert_gone(client, upload.name)
        assert await client.upload(data) == ref_of(data)


async def test_a_local_store_without_room_keeps_nothing(small_disk: SmallDisk, tmp_path: Path) -> None:
    folder = small_disk("disk", 2) / "blobs"
    backend = LocalBackend(folder, LocalBlobStore(folder))
    data = os.urandom(4 * MIB)
    async with serving(tmp_path / "work", backend.store) as client:
        upload = await client.create(ref_of(data))
        await client.write(upload.name, data)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.finalize(upload.name)
        assert_full(caught)
        await assert_gone(client, upload.name)
        assert backend.keys() == []
        assert list((tmp_path / "work" / "uploads").iterdir()) == []
        small = os.urandom(MIB)
        assert await client.upload(small) == ref_of(small)
        assert await client.read(ref_of(small).digest) == small


@pytest.mark.parametrize("leaving", [0, 12 * MIB], ids=["not a byte", "room for one part"])
async def test_a_minio_without_room_keeps_nothing(small_disk: SmallDisk, tmp_path: Path, leaving: int) -> None:
    disk = small_disk("disk", 64)
    data = os.urandom(20 * MIB)
    with started_minio(disk) as minio:
        store = MinioBlobStore(minio.endpoint, minio.access_key, minio.secret_key, bucket="small")
        backend = MinioBackend(minio, "small", store)
        async with serving(tmp_path / "work", store) as client:
            small = await client.upload(b"while there is room")
            upload = await client.create(ref_of(data))
            await client.write(upload.name, data)
            fill_up(disk / "ballast", leaving=leaving)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.finalize(upload.name)
            assert_full(caught)
            await assert_gone(client, upload.name)
            assert await client.missing([ref_of(data).digest]) == [ref_of(data).digest]
            # Without a byte, MinIO keeps the name of an upload that it refused to begin, for a day.
            half_written = [ref_of(data).digest] if leaving else []
            assert backend.keys(*half_written) == [store_key(small.digest)]
            assert list((tmp_path / "work" / "uploads").iterdir()) == []
            assert await client.read(small.digest) == b"while there is room"
