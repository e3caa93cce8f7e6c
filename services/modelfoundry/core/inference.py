"""Running a network on images: in evaluation mode, without gradients, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import normalise
from modelfoundry.core.finite import finite_outputs
from modelfoundry.core.monitor import Monitor, Unwatched
from modelfoundry.values.architectures import InputSpec


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Runs a block with the network in evaluation mode, then puts every layer back into the mode that it was in."""
    training = [layer for layer in network.modules() if layer.training]
    network.eval()
    try:
        yield
    finally:
        for layer in training:
            layer.training = True


def predict_logits(
    network: nn.Module,
    images: Tensor,
    input_spec: InputSpec,
    *,
    batch_size: int,
    device: torch.device,
    monitor: Monitor | None = None,
    channels_last: bool = False,
) -> Tensor:
    """Runs a network on images of any number.

    Args:
        network: Takes normalised images. It is moved to `device` and stays there.
        images: uint8 [n, channels, height, width], on the CPU or on `device`.
        input_spec: How the images are normalised.
        batch_size: Images in one pass.
        device: Where to compute.
        monitor: Is told after every batch and may cancel.
        channels_last: Whether channels lie last in memory, which is faster and changes logits by rounding alone.

    Returns:
        float32 [n, outputs] on the CPU, all finite.

    Raises:
        NonFiniteOutputs: the network gives NaN or infinity.
        Cancelled: the monitor said so.
    """
    watcher = monitor or Unwatched()
    network.to(device)
    total = len(images)
    found: list[Tensor] = []
    with torch.inference_mode(), evaluating(network):
        for start in range(0, max(total, 1), batch_size):
            watcher.check_cancelled()
            batch = normalise(images[start : start + batch_size].to(device), input_spec)
            if channels_last:
                batch = batch.contiguous(memory_format=torch.channels_last)
            found.append(finite_outputs(network(batch).float().cpu()))
            watcher.progress("predict", min(start + batch_size, total), total, "image", {})
    return torch.cat(found)


def predict_labels(
    network: nn.Module,
    images: Tensor,
    input_spec: InputSpec,
    *,
    batch_size: int,
    device: torch.device,
    monitor: Monitor | None = None,
) -> Tensor:
    """The output with the largest logit for every image, int64 [n] on the CPU; the first one of equals.

    Arguments and errors are those of `predict_logits`.
    """
    logits = predict_logits(network, images, input_spec, batch_size=batch_size, device=device, monitor=monitor)
    return logits.argmax(dim=1)


def probe(network: nn.Module, input_spec: InputSpec) -> None:
    """Runs a network on a few images: black, white, grey and noise.

    Args:
        network: On the CPU.
        input_spec: Images that it takes.

    Raises:
        NonFiniteOutputs: it gives NaN or infinity.
    """
    noise = torch.Generator().manual_seed(0)
    plain = [torch.full((1, *input_spec.shape), value, dtype=torch.uint8) for value in (0, 128, 255)]
    images = torch.cat([*plain, torch.randint(0, 256, (1, *input_spec.shape), generator=noise, dtype=torch.uint8)])
    predict_logits(network, images, input_spec, batch_size=len(images), device=torch.device("cpu"))
