"""Views of the training images and what the base says of them: made once, shared by all labels of a model.

A view is an image and how it was varied, a few bytes; its pixels are made again from the image whenever a step draws
it. So the pool of a large data set takes the memory of the base's logits, and those that no label draws are not made.
Logits depend on base, images, seed, augmentation and precision alone: on a shelf other labels find them, in jobs of
their own too.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from modelfoundry.core.batches import to_input
from modelfoundry.core.checkpoints import fingerprint
from modelfoundry.core.datasets import ImageSet, crop, draw_crops
from modelfoundry.core.devices import Precision, computing_in, stream_seed
from modelfoundry.core.finite import finite_outputs
from modelfoundry.core.monitor import Monitor
from modelfoundry.core.shelf import NoShelf, Shelf
from modelfoundry.decomposer.algorithms.distilling.chunks import Chunk, lay_out
from modelfoundry.decomposer.algorithms.settings import Augmentation
from modelfoundry.values.architectures import InputSpec

VIEWS: Final = 2
"""Of every image. More cost a pass of the base each and gained nothing in the tried recipes."""
IN_MEMORY: Final = 256 * 2**20
"""Bytes of logits that are kept in memory; more of them lie in a file without a name, page by page in memory."""
_AT_ONCE: Final = 256
_PATIENCE: Final = 0.1
"""Seconds until it is asked again for what other work is making."""


class ViewPool:
    """Views of images, and the base's logits of those that were asked for.

    Args:
        network: The base; untouched.
        images: All training images, with the base's label numbers.
        input_spec: How they are normalised.
        augmentation: How views differ from their images.
        seed: Of the augmentation, any integer.
        device: Where the base is run.
        precision: What it computes in.
        common: Views that all labels draw their others from, at least; None: all views.
        shelf: Where logits are shared with other work on the same base and images.
        in_memory: Bytes of logits that may be kept in memory.
    """

    def __init__(
        self,
        network: nn.Module,
        images: ImageSet,
        input_spec: InputSpec,
        *,
        augmentation: Augmentation,
        seed: int,
        device: torch.device,
        precision: Precision = "float32",
        common: int | None = None,
        shelf: Shelf | None = None,
        in_memory: int = IN_MEMORY,
    ) -> None:
        base = copy.deepcopy(network).requires_grad_(False).eval()
        self._base = base.to(device).to(memory_format=torch.channels_last)
        self._images, self._input_spec, self._device, self._in_memory = images, input_spec, device, in_memory
        self._precision: Precision = precision
        self._shelf: Shelf = shelf or NoShelf()
        generator = torch.Generator().manual_seed(stream_seed(seed, "views"))
        flip = augmentation == "crop_flip"
        height, width = images.images.shape[2:]
        self._crops = (
            None if augmentation == "none" else draw_crops(VIEWS * len(images), height, width, generator, flip=flip)
        )
        self.labels = images.labels if self._crops is None else images.labels.repeat(VIEWS)
        """Label numbers of the views, int64 [views]."""
        wanted = len(self.labels) if common is None else common
        ordering = torch.Generator().manual_seed(stream_seed(seed, "order of views"))
        self._layout = lay_out(self.labels, wanted, ordering)
        self._known = torch.zeros(len(self._layout.chunks), dtype=torch.bool)
        self._logits: Tensor | None = None
        # Sums may differ in their last bits with the number of threads, and with the version of torch.
        self._work = fingerprint(
            seed=seed,
            augmentation=augmentation,
            precision=precision,
            device=device.type,
            threads=torch.get_num_threads(),
            torch=torch.__version__,
        )

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self, views: Tensor) -> Tensor:
        """Pixels of views as a network takes them.

        Args:
            views: int64 [n], each from 0 to `len` - 1.

        Returns:
            float32 [n, channels, height, width] on the device.
        """
        pixels = self._images.images[views % len(self._images)]
        if self._crops is not None:
            pixels = crop(pixels, self._crops[views])
        return to_input(pixels, self._input_spec, self._device)

    @property
    def common(self) -> Tensor:
        """Whether a view is one that labels draw their others from, bool [views]."""
        return self._layout.common

    def logits(self, views: Tensor) -> Tensor:
        """What the base says of views that were filled: float32 [n, labels] on the device."""
        if self._logits is None or not bool(self._known[self._layout.place[views].long()].all()):
            raise RuntimeError("a view was drawn that the pool was not filled with")
        return self._logits[views].to(self._device)

    def fill(self, draws: Iterable[Tensor], monitor: Monitor) -> None:
        """Finds what the base says of views, on the shelf or by running it on the chunks that they are in.

        What other work is making at this moment is left to it.

        Args:
            draws: Views of many steps, int64 [n] each, in any order, any of them several times.
            monitor: Told of every batch, asked before it and between draws whether to go on.

        Raises:
            Cancelled: the monitor says so; chunks that were made stay known, and on the shelf.
        """
        waiting = self._missing(draws, monitor)
        filling = _Filling(sum(len(chunk.views) for _, chunk in waiting), monitor)
        while waiting:
            left = [(number, chunk) for number, chunk in waiting if not self._got(number, chunk, filling)]
            if len(left) == len(waiting):
                filling.tell(0)
                time.sleep(_PATIENCE)
            waiting = left

    def _missing(self, draws: Iterable[Tensor], monitor: Monitor) -> list[tuple[int, Chunk]]:
        wanted = self._known.clone()
        for views in draws:
            monitor.check_cancelled()
            wanted[self._layout.place[views].long()] = True
            if bool(wanted.all()):
                break
        missing = torch.nonzero(wanted & ~self._known).flatten().tolist()
        return [(number, self._layout.chunks[number]) for number in missing]

    def _got(self, number: int, chunk: Chunk, filling: _Filling) -> bool:
        """Whether a chunk is known now; False when other work is making it."""
        name = f"{self._work} {chunk.name}"
        logits = self._taken(name, chunk)
        if logits is None:
            with self._shelf.claim(name) as mine:
                if not mine:
                    return False
                # It may have been made while this work got hold of it.
                logits = self._taken(name, chunk)
                if logits is None:
                    logits = self._made(chunk, filling)
                    self._shelf.put(name, logits)
        if self._logits is None:
            self._logits = self._room(logits.shape[1])
        self._logits[chunk.views] = logits
        self._known[number] = True
        filling.done += len(chunk.views)
        return True

    def _taken(self, name: str, chunk: Chunk) -> Tensor | None:
        found = self._shelf.take(name)
        fits = found is not None and found.ndim == 2 and len(found) == len(chunk.views)
        return found if fits else None

    def _made(self, chunk: Chunk, filling: _Filling) -> Tensor:
        parts: list[Tensor] = []
        for views in torch.split(chunk.views, _AT_ONCE):
            filling.tell(sum(len(part) for part in parts))
            with torch.no_grad(), computing_in(self._precision, self._device):
                parts.append(finite_outputs(self._base(self.inputs(views)).float().cpu(), "the base model"))
        return torch.cat(parts)

    def _room(self, width: int) -> Tensor:
        shape = (len(self), width)
        if len(self) * width * 4 <= self._in_memory:
            return torch.zeros(shape)
        # The file is gone with the pool, even when the process is killed; what was never written takes no disk.
        with TemporaryFile(prefix="modelfoundry-pool-") as file:
            file.truncate(len(self) * width * 4)
            return torch.from_numpy(np.memmap(file, dtype=np.float32, mode="r+", shape=shape))


class _Filling:
    """How far a pool is filled."""

    def __init__(self, total: int, monitor: Monitor) -> None:
        self.done = 0
        self._total, self._monitor = total, monitor

    def tell(self, more: int) -> None:
        """Says that `more` views beside those that are done are ready, and asks whether to go on."""
        self._monitor.check_cancelled()
        self._monitor.progress("the base's answers", self.done + more, self._total, "view", {})
