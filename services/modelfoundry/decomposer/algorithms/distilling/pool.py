"""Views of the training images and what the base says of them: made once, shared by all labels of a job.

A view is an image and how it was varied, a few bytes; its pixels are made again from the image whenever a step draws
it. So the pool of a large data set takes the memory of the base's logits, and those that no label draws are not made.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from tempfile import TemporaryFile
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from modelfoundry.core.batches import to_input
from modelfoundry.core.datasets import ImageSet, crop, draw_crops
from modelfoundry.core.devices import Precision, computing_in, stream_seed
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.settings import Augmentation
from modelfoundry.values.architectures import InputSpec

VIEWS: Final = 2
"""Of every image. More cost a pass of the base each and gained nothing in the tried recipes."""
IN_MEMORY: Final = 256 * 2**20
"""Bytes of logits that are kept in memory; more of them lie in a file without a name, page by page in memory."""
_AT_ONCE: Final = 256


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
        in_memory: int = IN_MEMORY,
    ) -> None:
        base = copy.deepcopy(network).requires_grad_(False).eval()
        self._base = base.to(device).to(memory_format=torch.channels_last)
        self._images, self._input_spec, self._device, self._in_memory = images, input_spec, device, in_memory
        self._precision: Precision = precision
        generator = torch.Generator().manual_seed(stream_seed(seed, "views"))
        flip = augmentation == "crop_flip"
        height, width = images.images.shape[2:]
        self._crops = (
            None if augmentation == "none" else draw_crops(VIEWS * len(images), height, width, generator, flip=flip)
        )
        self.labels = images.labels if self._crops is None else images.labels.repeat(VIEWS)
        """Label numbers of the views, int64 [views]."""
        self._known = torch.zeros(len(self.labels), dtype=torch.bool)
        self._logits: Tensor | None = None

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

    def logits(self, views: Tensor) -> Tensor:
        """What the base says of views that were filled: float32 [n, labels] on the device."""
        if self._logits is None or not bool(self._known[views].all()):
            raise RuntimeError("a view was drawn that the pool was not filled with")
        return self._logits[views].to(self._device)

    def fill(self, draws: Iterable[Tensor], monitor: Monitor) -> None:
        """Runs the base on those of the views that are not known yet.

        Args:
            draws: Views of many steps, int64 [n] each, in any order, any of them several times.
            monitor: Told of every batch, asked before it and between draws whether to go on.

        Raises:
            Cancelled: the monitor says so; what was made stays known.
        """
        wanted = self._known.clone()
        for views in draws:
            monitor.check_cancelled()
            wanted[views] = True
            if bool(wanted.all()):
                break
        missing = torch.nonzero(wanted & ~self._known).flatten()
        done = 0
        for part in torch.split(missing, _AT_ONCE) if len(missing) else ():
            monitor.check_cancelled()
            monitor.progress("the base's answers", done, len(missing), "view", {})
            with torch.no_grad(), computing_in(self._precision, self._device):
                self._keep(part, self._base(self.inputs(part)).float().cpu())
            done += len(part)

    def _keep(self, views: Tensor, logits: Tensor) -> None:
        if self._logits is None:
            self._logits = self._room(logits.shape[1])
        self._logits[views] = logits
        self._known[views] = True

    def _room(self, width: int) -> Tensor:
        shape = (len(self), width)
        if len(self) * width * 4 <= self._in_memory:
            return torch.zeros(shape)
        # The file is gone with the pool, even when the process is killed; what was never written takes no disk.
        with TemporaryFile(prefix="modelfoundry-pool-") as file:
            file.truncate(len(self) * width * 4)
            return torch.from_numpy(np.memmap(file, dtype=np.float32, mode="r+", shape=shape))
