"""Runs images through all modules within a bound of memory, with and without gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from modelfoundry.core.batches import to_input
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.gradsplitter.trunk import FoldedTrunk
from modelfoundry.values.architectures import InputSpec

_ROWS_WITHOUT_GRADIENTS: Final = 512
_ROWS_ON_A_CPU: Final = 128
"""Larger passes leave its caches and take longer in all."""
_SPARE: Final = 1.25
"""What a step needs beside the tensors that are kept for the backward pass."""


@dataclass(frozen=True, slots=True)
class SplitLogits:
    """Logits of a whole split under masks that stay: modules with equal masks share theirs."""

    values: Tensor
    """float32 [different modules, n, labels]."""
    module: Tensor
    """int64 [modules]: whose logits each one has."""

    def of(self, indices: Tensor) -> Tensor:
        """Logits of some samples (int64 [b]): float32 [modules, b, labels]."""
        return self.values[:, indices][self.module]


class Passes:
    """Passes of one trunk, cut into pieces of modules and samples that fit into memory.

    Args:
        trunk: What is run.
        units: Number of bits of a module.
        input_spec: Images that it takes.
        memory: Bytes that the tensors of one piece may take.
        device: Where to compute.
        monitor: Asked between pieces whether to go on.
    """

    def __init__(
        self,
        trunk: FoldedTrunk,
        units: int,
        input_spec: InputSpec,
        *,
        memory: int,
        device: torch.device,
        monitor: Monitor,
    ) -> None:
        self._trunk, self._input_spec, self._device, self._monitor = trunk, input_spec, device, monitor
        image = torch.zeros(1, *input_spec.shape, device=device)
        kept = _bytes_kept(trunk, image, torch.ones(1, units, device=device, requires_grad=True))
        self._rows = max(1, int(memory / (_SPARE * max(1, kept))))
        self._rows_at_once = min(self._rows, _ROWS_ON_A_CPU) if device.type == "cpu" else self._rows

    def gradient(self, images: Tensor, alive: Tensor, loss_of: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """One step's loss, and what it needs of the bits.

        The loss couples the modules. Where their graphs do not fit into memory together, the logits come first,
        without a graph; then each piece is run again with the gradient of its logits.

        Args:
            images: float32 [n, channels, height, width], normalised.
            alive: bool [modules, units].
            loss_of: Logits, float32 [modules, n, labels], to the loss; its parameters receive their gradients.

        Returns:
            The loss, and its gradient with respect to the bits, float32 [modules, units].

        Raises:
            Cancelled: the monitor says so.
        """
        bits = alive.float().requires_grad_()
        if len(alive) * len(images) <= self._rows:
            loss = loss_of(self._joined(images, bits, self._rows_at_once))
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            logits = self._without_gradients(images, bits).requires_grad_()
            loss = loss_of(logits)
            loss.backward()  # type: ignore[no-untyped-call]
            wanted = logits.grad
            if wanted is None:
                raise RuntimeError("the loss does not depend on the logits")
            for modules, samples in _pieces(len(alive), len(images), self._rows_at_once):
                self._monitor.check_cancelled()
                self._trunk(images[samples], bits[modules]).backward(wanted[modules, samples])  # type: ignore[no-untyped-call]
        if bits.grad is None:
            raise RuntimeError("no layer reads what is masked")
        return loss.detach(), bits.grad

    def logits(self, images: Tensor, alive: Tensor) -> Tensor:
        """Logits without a graph.

        Args:
            images: float32 [n, channels, height, width], normalised.
            alive: bool [modules, units].

        Returns:
            float32 [modules, n, labels].

        Raises:
            Cancelled: the monitor says so.
        """
        different, module = torch.unique(alive, dim=0, return_inverse=True)
        return self._without_gradients(images, different.float())[module]

    def split_logits(self, image_set: ImageSet, alive: Tensor) -> SplitLogits:
        """Logits of a whole split.

        Args:
            image_set: One image or more.
            alive: bool [modules, units].

        Raises:
            Cancelled: the monitor says so.
        """
        different, module = torch.unique(alive, dim=0, return_inverse=True)
        bits = different.float()
        at_once = max(1, _ROWS_WITHOUT_GRADIENTS // len(bits))
        parts = [
            self._without_gradients(to_input(images, self._input_spec, self._device), bits)
            for images in torch.split(image_set.images, at_once)
        ]
        return SplitLogits(torch.cat(parts, dim=1), module)

    @torch.no_grad()
    def _without_gradients(self, images: Tensor, bits: Tensor) -> Tensor:
        return self._joined(images, bits, min(self._rows, _ROWS_WITHOUT_GRADIENTS))

    def _joined(self, images: Tensor, bits: Tensor, rows: int) -> Tensor:
        """Logits of all modules, float32 [modules, n, labels], from passes of at most so many rows."""
        found: dict[int, list[Tensor]] = {}
        for modules, samples in _pieces(len(bits), len(images), rows):
            self._monitor.check_cancelled()
            found.setdefault(modules.start, []).append(self._trunk(images[samples], bits[modules]))
        return torch.cat([torch.cat(parts, dim=1) for parts in found.values()])


def _pieces(modules: int, samples: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """Cuts modules x samples into pieces of at most `rows`: whole batches of some modules, or parts of one's batch."""
    together = max(1, rows // samples)
    for module in range(0, modules, together):
        for sample in range(0, samples, max(1, min(rows, samples))):
            yield (
                slice(module, min(module + together, modules)),
                slice(sample, min(sample + max(1, min(rows, samples)), samples)),
            )


def _bytes_kept(trunk: FoldedTrunk, image: Tensor, bits: Tensor) -> int:
    """Bytes of the tensors that one image's graph keeps for its backward pass, weights not counted."""
    weights = trunk.storages()
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        trunk(image, bits)
    return sum(kept.values())
