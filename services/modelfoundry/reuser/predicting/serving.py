"""Networks that are kept ready to classify, by the bytes of their weights."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from modelfoundry.core.export import classifier_of
from modelfoundry.reuser.predicting.batching import Batcher, Batching, Turns
from modelfoundry.reuser.predicting.runners import Runner, runner_of
from modelfoundry.reuser.subjects import LoadedSubject
from modelfoundry.values.architectures import InputSpec
from modelfoundry.workbench.resources import Subject, digest_of

LOADING_THREADS: Final = 2

Load = Callable[[Subject], LoadedSubject]
"""Fetches a network; blocks."""


@dataclass(frozen=True, slots=True)
class ServedNetwork:
    """A network that is ready, and what its callers must know."""

    outputs: tuple[str, ...]
    input_spec: InputSpec
    digest: str
    runner: Runner
    batcher: Batcher


class ServedNetworks:
    """Networks in memory, the least recently used making room. Belongs to one event loop.

    Args:
        load: Fetches one.
        limit_bytes: Weights that are kept. One network larger than that is kept alone.
        threads: That one pass through a network may use.
        turns: Where networks compute.
        batching: How requests are joined.
    """

    def __init__(self, load: Load, limit_bytes: int, threads: int, turns: Turns, batching: Batching) -> None:
        self._load = load
        self._limit_bytes = limit_bytes
        self._threads = threads
        self._turns = turns
        self._batching = batching
        self._ready: OrderedDict[str, ServedNetwork] = OrderedDict()
        self._loading: dict[tuple[str, str], asyncio.Task[ServedNetwork]] = {}
        self._loaders = ThreadPoolExecutor(LOADING_THREADS, thread_name_prefix="load")

    async def of(self, subject: Subject) -> ServedNetwork:
        """The network of a subject, loaded when it is not there; all who ask meanwhile wait for the same.

        Args:
            subject: As the registry has it: of another digest it is another network.

        Raises:
            NotFound, WeightsMismatch, MalformedFile, CorruptBlob, Unavailable: as loading says.
        """
        digest = digest_of(subject)
        ready = self._ready.get(subject.name)
        if ready is not None and ready.digest == digest:
            self._ready.move_to_end(subject.name)
            return ready
        key = (subject.name, digest)
        if key not in self._loading:
            task = self._loading[key] = asyncio.create_task(self._loaded(subject))
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        return await asyncio.shield(self._loading[key])  # who stops waiting does not stop it for the others

    @property
    def size_bytes(self) -> int:
        """Weights in memory."""
        return sum(network.runner.size_bytes for network in self._ready.values())

    def close(self) -> None:
        """Waits for what is being loaded and ends the threads."""
        self._loaders.shutdown()

    async def _loaded(self, subject: Subject) -> ServedNetwork:
        loop = asyncio.get_running_loop()
        network = await loop.run_in_executor(self._loaders, self._made, subject)
        self._ready[subject.name] = network
        self._ready.move_to_end(subject.name)
        while len(self._ready) > 1 and self.size_bytes > self._limit_bytes:
            self._ready.popitem(last=False)
        return network

    def _made(self, subject: Subject) -> ServedNetwork:
        loaded = self._load(subject)
        classifier = classifier_of(loaded.classifier)
        runner = runner_of(classifier, self._threads)
        batcher = Batcher(runner, self._turns, self._batching)
        return ServedNetwork(loaded.classifier.outputs, classifier.input_spec, loaded.digest, runner, batcher)
