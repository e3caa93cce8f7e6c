"""Classifies images for callers of any protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from modelfoundry.core.finite import finite_outputs
from modelfoundry.errors import Overloaded
from modelfoundry.reuser.predicting.serving import ServedNetwork, ServedNetworks
from modelfoundry.values.results import LabelProbability
from modelfoundry.workbench.resources import Subject


class Predictor:
    """Classifies images with networks that are kept in memory. Belongs to one event loop.

    Args:
        networks: What is ready.
        most_waiting_bytes: Pixels of all requests that are being answered; above that, further ones are refused.
    """

    def __init__(self, networks: ServedNetworks, most_waiting_bytes: int) -> None:
        self._networks = networks
        self._most_waiting_bytes = most_waiting_bytes
        self._waiting_bytes = 0

    async def network(self, subject: Subject) -> ServedNetwork:
        """The network of a subject: see `ServedNetworks.of`."""
        return await self._networks.of(subject)

    @contextmanager
    def room(self, count: int, network: ServedNetwork, *, field: str) -> Iterator[None]:
        """Holds memory for the images of a request, before they are decoded, until it is answered.

        Args:
            count: Images.
            network: What will classify them.
            field: Path of the request field that has them.

        Raises:
            Overloaded: too many are waiting. Never while nothing else waits.
        """
        channels, height, width = network.input_spec.shape
        size = count * channels * height * width
        if self._waiting_bytes and self._waiting_bytes + size > self._most_waiting_bytes:
            raise Overloaded(
                f"{field}: images of {self._waiting_bytes:,} bytes are waiting to be classified, there is no room for "
                f"{size:,} more",
                field=field,
                hint="try again in a moment, or raise MODELFOUNDRY_REUSER_WAITING_BYTES",
                metadata={"limit_bytes": str(self._most_waiting_bytes)},
            )
        self._waiting_bytes += size
        try:
            yield
        finally:
            self._waiting_bytes -= size

    async def probabilities(self, network: ServedNetwork, images: torch.Tensor) -> torch.Tensor:
        """Softmax over the outputs, float32 [n, outputs].

        Args:
            network: What classifies.
            images: uint8, or float32 in [0, 1], [n, channels, height, width], with the network's extents.

        Raises:
            NonFiniteOutputs: the network gives NaN or infinity for one of them.
        """
        return torch.softmax(finite_outputs(await network.batcher.logits(images)), dim=1)


def rank(found: torch.Tensor) -> torch.return_types.sort:
    """Probabilities of every image with their places, most probable first; equal ones in the order of the outputs."""
    return found.sort(dim=1, descending=True, stable=True)


def most_probable(outputs: Sequence[str], found: torch.Tensor, top_k: int) -> Iterator[tuple[LabelProbability, ...]]:
    """Probabilities of the labels of every image, most probable first.

    Args:
        outputs: Meaning of the columns.
        found: Probabilities, float32 [n, outputs].
        top_k: At most this many labels an image; 0 means all.
    """
    ranked = rank(found)
    count = min(top_k or len(outputs), len(outputs))
    for values, places in zip(ranked.values[:, :count].tolist(), ranked.indices[:, :count].tolist(), strict=True):
        yield tuple(LabelProbability(outputs[place], value) for value, place in zip(values, places, strict=True))
