"""Requests for one network computed together: joined while it is busy, large ones in pieces between small ones.

Nothing waits on an idle server: a request that finds the network free is computed at once. What comes meanwhile is one
batch afterwards. Where the batch before joined several requests, their callers are likely to ask again: the next one
waits for as many, at most a few milliseconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from modelfoundry.reuser.predicting.runners import Runner

SMALLEST_SHARE: Final = 8
"""Images that every request of a batch may bring, however many there are."""
AT_ONCE_SECONDS: Final = 0.0005
"""A batch that takes less is computed in the event loop: going to a thread and back takes as long."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How requests are joined."""

    images: int = 64
    """Most images of one batch."""
    seconds: float = 0.01
    """A batch is cut so that it takes about so long: so long a small request waits for the piece of a large one."""
    wait_seconds: float = 0.002
    """How long a batch waits for others, after one that joined several. 0: never."""


class Turns:
    """Threads that compute, for all networks together: a batch each.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.free = asyncio.Semaphore(count)
        self.threads = ThreadPoolExecutor(count, thread_name_prefix="predict")

    def close(self) -> None:
        """Waits for what is being computed and ends the threads."""
        self.threads.shutdown()


@dataclass(eq=False, slots=True)
class _Asked:
    images: Tensor
    answer: asyncio.Future[Tensor]
    taken: int = 0
    found: dict[int, Tensor] = field(default_factory=dict)
    """Logits by the place of the first image that they are of: pieces may be computed at the same time."""

    @property
    def left(self) -> int:
        return len(self.images) - self.taken


@dataclass(frozen=True, slots=True)
class _Piece:
    asked: _Asked
    start: int
    images: Tensor


class Batcher:
    """Computes the logits of one network for many callers. Belongs to one event loop.

    Args:
        runner: The network.
        turns: Shared with other networks.
        batching: How requests are joined.
    """

    def __init__(self, runner: Runner, turns: Turns, batching: Batching) -> None:
        self._runner = runner
        self._turns = turns
        self._batching = batching
        at_a_time = int(batching.seconds / max(runner.seconds_per_image, 1e-9))
        self._most = max(1, min(batching.images, at_a_time))
        self._asked: deque[_Asked] = deque()
        self._joined = 1
        self._enough = asyncio.Event()
        self._work: set[asyncio.Task[None]] = set()

    async def logits(self, images: Tensor) -> Tensor:
        """Logits of some images, float32 [n, outputs].

        They differ from those of the images alone by rounding, below 1e-5 of the largest logit: a batch of another size
        may be summed in another order. A caller that is cancelled drops out, of pieces that were not begun too.

        Args:
            images: uint8 from 0 to 255 or float32 from 0 to 1, [n, channels, height, width], at least one.

        Raises:
            Exception: what the network raises for these images; those of other callers are answered.
        """
        asked = _Asked(images, asyncio.get_running_loop().create_future())
        self._asked.append(asked)
        if len(self._asked) >= self._joined:
            self._enough.set()
        self._begin()
        return await asked.answer

    def _begin(self) -> None:
        if len(self._work) < self._turns.count:
            task = asyncio.create_task(self._compute())
            self._work.add(task)
            task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        if self._asked and not task.cancelled():  # whoever asked while the last batch was answered
            self._begin()

    async def _compute(self) -> None:
        """Computes until nobody waits; as many do so at a time as there are turns."""
        while self._asked:
            await self._others()
            async with self._turns.free:
                pieces = self._pieces()
                if self._asked:  # more than one batch: the other turns may help
                    self._begin()
                if pieces:
                    await self._answer(pieces)

    async def _others(self) -> None:
        if len(self._asked) >= self._joined or not self._batching.wait_seconds:
            return
        self._enough.clear()
        try:
            async with asyncio.timeout(self._batching.wait_seconds):
                await self._enough.wait()
        except TimeoutError:
            pass

    def _pieces(self) -> list[_Piece]:
        """The next batch, of requests in the order in which they came; a large one goes to the end with what is left.

        All bring a fair share first. What is free then goes to the large ones, in order.
        """
        waiting = [asked for asked in self._asked if not asked.answer.done()]
        share = max(SMALLEST_SHARE, self._most // max(len(waiting), 1))
        room, counts = self._most, []
        for asked in waiting:
            counts.append(min(asked.left, share, room))
            room -= counts[-1]
        pieces, unfinished, untouched = [], [], []
        for asked, count in zip(waiting, counts, strict=True):
            more = min(asked.left - count, room)
            room -= more
            if count + more:
                pieces.append(_Piece(asked, asked.taken, asked.images[asked.taken : asked.taken + count + more]))
                asked.taken += count + more
                if asked.left:
                    unfinished.append(asked)
            else:
                untouched.append(asked)
        self._asked = deque([*untouched, *unfinished])
        self._joined = max(1, len(pieces))
        return pieces

    async def _answer(self, pieces: Sequence[_Piece]) -> None:
        try:
            found = await self._run([piece.images for piece in pieces])
        except Exception as error:  # noqa: BLE001 - goes to whom it belongs to
            if len(pieces) == 1:
                self._fail(pieces[0].asked, error)
                return
            for piece in pieces:  # one of them spoils it for all: each by itself
                await self._answer([piece])
            return
        begin = 0
        for piece in pieces:
            end = begin + len(piece.images)
            _add(piece, found[begin:end])
            begin = end

    async def _run(self, images: Sequence[Tensor]) -> Tensor:
        count = sum(map(len, images))
        if count * self._runner.seconds_per_image <= AT_ONCE_SECONDS:
            return _run(self._runner, images)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._turns.threads, _run, self._runner, images)

    def _fail(self, asked: _Asked, error: Exception) -> None:
        if asked in self._asked:
            self._asked.remove(asked)
        if not asked.answer.done():
            asked.answer.set_exception(error)


def _run(runner: Runner, images: Sequence[Tensor]) -> Tensor:
    pixels = [each.to(torch.float32).div_(255) if each.dtype == torch.uint8 else each for each in images]
    return runner.run(pixels[0].contiguous() if len(pixels) == 1 else torch.cat(pixels))


def _add(piece: _Piece, found: Tensor) -> None:
    asked = piece.asked
    asked.found[piece.start] = found
    if sum(map(len, asked.found.values())) == len(asked.images) and not asked.answer.done():
        parts = [asked.found[start] for start in sorted(asked.found)]
        asked.answer.set_result(parts[0] if len(parts) == 1 else torch.cat(parts))
