"""What a small network learns from: views of training images that the base has answered, drawn in balance."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from modelfoundry.core.devices import stream_seed
from modelfoundry.decomposer.algorithms.distilling.drawing import BalancedDraws
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool


class Lessons:
    """Batches of views and the base's logits of them.

    Args:
        pool: Views; the base's logits of them are made when `prepare` asks for them.
        target: The problem.
        batch_size: Views of a step.
        flips: Whether a view may be seen in a mirror, too. The base's answer stays: it is trained to answer alike.
        seed: Of what is drawn.
    """

    def __init__(self, pool: ViewPool, target: Target, *, batch_size: int, flips: bool, seed: int) -> None:
        self.pool, self._batch_size, self._flips, self._seed = pool, batch_size, flips, seed
        self._draws = BalancedDraws(pool.labels, target, seed, pool.common)

    def views(self, stream: str, steps: int) -> Iterator[Tensor]:
        """The views of so many steps, int64 [batch] each."""
        return (self._draws.draw(f"{stream} {step}", self._batch_size) for step in range(steps))

    def batch(self, stream: str, step: int) -> tuple[Tensor, Tensor]:
        """Inputs of a step, float32 [batch, channels, height, width], and the base's logits of them."""
        views = self._draws.draw(f"{stream} {step}", self._batch_size)
        inputs = self.pool.inputs(views)
        if self._flips:
            generator = torch.Generator().manual_seed(stream_seed(self._seed, f"flips of {stream} {step}"))
            flipped = torch.rand(len(views), generator=generator) < 0.5
            inputs[flipped] = inputs[flipped].flip(3)
        return inputs, self.pool.logits(views)

    def inputs(self, stream: str, count: int) -> Tensor:
        """Other views, for figures that need no answer of the base: float32 [count, channels, height, width]."""
        return self.pool.inputs(self._draws.draw(stream, count))
