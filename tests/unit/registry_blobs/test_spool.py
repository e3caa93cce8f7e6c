"""The files in which uploads gather."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelfoundry.errors import StorageFull, Unavailable
from modelfoundry.registry.blobs.spool import Spool


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Lets no file grow larger: the kernel then writes a part and refuses the rest, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_chunk_that_does_not_fit_leaves_no_part_of_itself(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.create("u")
    spool.append("u", b"whole")
    with largest_file(8), pytest.raises(StorageFull):
        spool.append("u", b"part of it")
    assert spool.path("u").read_bytes() == b"whole"
    spool.append("u", b" again")
    assert spool.path("u").read_bytes() == b"whole again"


def test_a_spool_whose_folder_is_gone_is_unavailable(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    (tmp_path / "spool").rmdir()
    for call in (lambda: spool.create("u"), lambda: spool.append("u", b"x"), spool.free_bytes, spool.upload_ids):
        with pytest.raises(Unavailable, match="spool"):
            call()


def test_a_spool_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable):
        Spool(tmp_path / "file" / "spool")
