"""One pool for all labels of a base, also in jobs of their own: made once, and of no consequence for what is found."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from distilling import CPU, GREY, Keeping, images, same, task
from torch import Tensor, nn

from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.shelf import Shelf
from modelfoundry.decomposer.algorithms.distilling import chunks
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.seam.distilled.search import distil
from modelfoundry.errors import Cancelled
from modelfoundry.values.problems import BinaryProblem
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.shelf import CacheShelf

EVERYTHING = torch.arange(180)


class Counted(nn.Module):
    """Counts the images that a network is asked about."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.asked = torch.zeros((), dtype=torch.int64)

    def __deepcopy__(self, memo: object) -> Counted:
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        self.asked += len(inputs)
        logits: Tensor = self.network(inputs)
        return logits


@pytest.fixture(autouse=True)
def chunks_of_fifty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK", 50)


@pytest.fixture
def cache(tmp_path: Path) -> BlobCache:
    return BlobCache(tmp_path / "cache", 2**20)


def pool(base: nn.Module, shelf: Shelf | None, seed: int = 3) -> ViewPool:
    return ViewPool(base, images(90, seed=1), GREY, augmentation="crop", seed=seed, device=CPU, shelf=shelf)


def kept(cache: BlobCache) -> list[Path]:
    return sorted(path for path in cache.folder.iterdir() if not path.suffix)


def test_two_labels_run_the_base_once_on_every_view_and_find_what_they_find_alone(
    network: nn.Module, cache: BlobCache
) -> None:
    base = Counted(network)
    for label in ("bee", "cow"):
        problem = BinaryProblem(label)
        alone = distil(task(network, problem=problem, pool=pool(network, None)))
        shared = distil(task(network, problem=problem, pool=pool(base, CacheShelf(cache, "base and images"))))
        assert same(shared, alone)
    assert int(base.asked) == len(EVERYTHING)
    assert len(kept(cache)) == 4


def test_other_materials_and_other_seeds_share_nothing(network: nn.Module, cache: BlobCache) -> None:
    base = Counted(network)
    for materials, seed in (("one", 3), ("other", 3), ("one", 4)):
        pool(base, CacheShelf(cache, materials), seed).fill([EVERYTHING], Unwatched())
    assert int(base.asked) == 3 * len(EVERYTHING)


def test_a_cancel_in_the_pool_leaves_chunks_that_the_next_job_uses(network: nn.Module, cache: BlobCache) -> None:
    base, shelf = Counted(network), CacheShelf(cache, "base and images")
    with pytest.raises(Cancelled):
        pool(base, shelf).fill([EVERYTHING], Keeping(cache.folder, cancel_at=4))
    assert int(base.asked) == 100
    again = pool(base, shelf)
    again.fill([EVERYTHING], Unwatched())
    assert int(base.asked) == len(EVERYTHING)
    alone = pool(network, None)
    alone.fill([EVERYTHING], Unwatched())
    assert torch.equal(again.logits(EVERYTHING), alone.logits(EVERYTHING))


@pytest.mark.parametrize("damage", ["cut short", "a bit", "nothing", "no file of tensors"])
def test_a_damaged_chunk_is_made_again(network: nn.Module, cache: BlobCache, damage: str) -> None:
    base, shelf = Counted(network), CacheShelf(cache, "base and images")
    first = pool(base, shelf)
    first.fill([EVERYTHING], Unwatched())
    path = kept(cache)[1]
    data = path.read_bytes()
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    path.write_bytes({"cut short": data[:-9], "a bit": flipped, "nothing": b""}.get(damage, b"x" * 100))
    again = pool(base, shelf)
    again.fill([EVERYTHING], Unwatched())
    assert len(EVERYTHING) < int(base.asked) <= len(EVERYTHING) + 50
    assert torch.equal(again.logits(EVERYTHING), first.logits(EVERYTHING))
    assert path.read_bytes() == data


def test_the_cache_s_limit_holds_and_what_it_forgot_is_made_again(network: nn.Module, cache: BlobCache) -> None:
    base, small = Counted(network), dataclasses.replace(cache, limit_bytes=2500)
    shelf = CacheShelf(small, "base and images")
    pool(base, shelf).fill([EVERYTHING], Unwatched())
    assert sum(path.stat().st_size for path in kept(cache)) <= 2500
    pool(base, shelf).fill([EVERYTHING], Unwatched())
    assert int(base.asked) > len(EVERYTHING)


class Busy:
    """A shelf on which other work makes everything, and is ready when it was asked so often."""

    def __init__(self, ready: dict[str, Tensor], patience: int) -> None:
        self._ready, self._patience = ready, patience
        self.asked, self.put_there = 0, 0

    def take(self, name: str) -> Tensor | None:
        return self._ready.get(name) if self.asked >= self._patience else None

    def claim(self, name: str) -> AbstractContextManager[bool]:
        self.asked += 1
        return nullcontext(name not in self._ready)

    def put(self, name: str, value: Tensor) -> None:
        self._ready[name] = value
        self.put_there += 1


def test_what_other_work_is_making_is_waited_for_and_a_cancel_still_comes_through(network: nn.Module) -> None:
    ready: dict[str, Tensor] = {}
    pool(network, Busy(ready, patience=0)).fill([EVERYTHING], Unwatched())
    base, busy = Counted(network), Busy(ready, patience=9)
    pool(base, busy).fill([EVERYTHING], Unwatched())
    assert (int(base.asked), busy.put_there) == (0, 0)
    with pytest.raises(Cancelled):
        pool(base, Busy(ready, patience=10**9)).fill([EVERYTHING], Keeping(Path(), cancel_at=3))


def test_a_claim_excludes_others_until_its_end(cache: BlobCache) -> None:
    one, other = (CacheShelf(cache, "materials") for _ in range(2))
    with one.claim("chunk") as mine, other.claim("chunk") as too, other.claim("another") as free:
        assert (mine, too, free) == (True, False, True)
    with other.claim("chunk") as mine:
        assert mine


def test_without_room_on_the_disk_work_goes_on(cache: BlobCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("modelfoundry.workbench.shelf.write_tensors", full)
    shelf = CacheShelf(cache, "materials")
    shelf.put("chunk", torch.ones(3))
    assert shelf.take("chunk") is None
