"""How long a forward pass takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.inference import evaluating
from modelfoundry.core.monitor import Monitor, Unwatched
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.figures import Latency

_WARM_UP: Final = 3
_MIN_PASSES: Final = 5
_MAX_PASSES: Final = 100
_BUDGET_SECONDS: Final = 2.0


def latency(
    network: nn.Module,
    input_spec: InputSpec,
    batch_sizes: Sequence[int],
    *,
    device: torch.device,
    monitor: Monitor | None = None,
) -> tuple[Latency, ...]:
    """Times passes over random images: up to 100 or two seconds for each batch size, but 5 at least.

    Args:
        network: Takes normalised images. It is moved to `device` and stays there.
        input_spec: Images that it takes.
        batch_sizes: Images in one pass, each measured by itself.
        device: Where to compute; CUDA is waited for after every pass.
        monitor: May cancel between passes.

    Raises:
        Cancelled: the monitor said so.
    """
    return interleaved_latency((network,), input_spec, batch_sizes, device=device, monitor=monitor)[0]


def interleaved_latency(
    networks: Sequence[nn.Module],
    input_spec: InputSpec,
    batch_sizes: Sequence[int],
    *,
    device: torch.device,
    monitor: Monitor | None = None,
) -> tuple[tuple[Latency, ...], ...]:
    """The same for several networks, in turns, pass by pass: what else the machine does then hits all alike.

    Returns:
        The times of every network, by batch size.

    Raises:
        Cancelled: the monitor said so.
    """
    watcher = monitor or Unwatched()
    generator = torch.Generator().manual_seed(0)
    found: list[tuple[Latency, ...]] = []
    with torch.inference_mode(), ExitStack() as modes:
        for network in networks:
            modes.enter_context(evaluating(network.to(device)))
        for batch_size in batch_sizes:
            images = torch.rand(batch_size, *input_spec.shape, generator=generator).to(device)
            found.append(tuple(_summary(batch_size, each) for each in _timed_passes(networks, images, watcher)))
    return tuple(zip(*found, strict=True)) if found else ((),) * len(networks)


def _timed_passes(networks: Sequence[nn.Module], images: Tensor, watcher: Monitor) -> list[list[float]]:
    for network in [*networks] * _WARM_UP:
        watcher.check_cancelled()
        _pass_seconds(network, images)
    seconds: list[list[float]] = [[] for _ in networks]
    budget = _BUDGET_SECONDS * len(networks)
    while len(seconds[0]) < _MIN_PASSES or (len(seconds[0]) < _MAX_PASSES and sum(map(sum, seconds)) < budget):
        for network, passes in zip(networks, seconds, strict=True):
            watcher.check_cancelled()
            passes.append(_pass_seconds(network, images))
    return seconds


def _pass_seconds(network: nn.Module, images: Tensor) -> float:
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    start = time.perf_counter()
    network(images)
    if images.is_cuda:
        torch.cuda.synchronize(images.device)
    return time.perf_counter() - start


def _summary(batch_size: int, seconds: list[float]) -> Latency:
    percentiles = statistics.quantiles(seconds, n=100, method="inclusive")
    return Latency(batch_size, percentiles[49] * 1000, percentiles[94] * 1000, len(seconds))
