"""The file that budgets speak of: a network as ONNX, in the numbers that are asked for, timed beside the base's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.export import (
    ImageClassifier,
    compute_in_int8,
    interleaved_onnx_latency,
    onnx_of,
    onnx_program,
    store_weights,
)
from modelfoundry.core.finite import finite_outputs
from modelfoundry.core.modules import MaterialisedModule
from modelfoundry.core.modules.head_networks import HeadNetwork
from modelfoundry.decomposer.algorithms.specialise.work import Work
from modelfoundry.values.figures import Latency
from modelfoundry.values.file_forms import WeightFormat

CALIBRATION: Final = 256
_PROBE: Final = 32
_SECONDS: Final = 0.3
"""Of timing one file: tenths of seconds tell shares apart, and there are several files."""


def calibration_images(work: Work) -> Tensor:
    """Training images that activations of an int8 file are measured on, evenly spread: uint8 [n, c, h, w]."""
    images = work.train.images
    return images[:: max(1, len(images) // CALIBRATION)][:CALIBRATION]


def file_of(network: nn.Module, head: HeadNetwork, work: Work, images: Tensor) -> bytes:
    """A small network with its head as the settings say.

    Args:
        network: On any device; moved to the CPU, in evaluation mode.
        head: From its logits to the outputs.
        work: Whose settings say how weights are kept and what is computed in.
        images: To calibrate on, where it computes in int8.

    Raises:
        UnsupportedModel: it has no ONNX form, or nothing in it can be computed in int8.
    """
    outputs = tuple(map(str, range(len(work.target.columns) + work.target.rest)))
    module = MaterialisedModule(network.cpu(), head.cpu(), outputs).eval()
    content = onnx_of(ImageClassifier(module, work.input_spec, outputs).eval())
    if work.settings.compute == "int8":
        return compute_in_int8(content, images)
    return store_weights(content, WeightFormat(work.settings.weights))


def trial_file(network: nn.Module, work: Work) -> bytes:
    """The same of a network whose weights mean nothing."""
    return file_of(network, work.head, work, calibration_images(work)[:_PROBE])


def base_file(work: Work) -> bytes:
    """The base in float32, which files are compared with."""
    outputs = tuple(map(str, range(work.target.labels)))
    return onnx_of(ImageClassifier(work.network, work.input_spec, outputs).to("cpu").eval())


def shares_of_time(base: bytes, files: Sequence[bytes], work: Work) -> list[float]:
    """What a pass of one image takes, as a share of what the base's takes; CPU time, one thread, in turns."""
    times = interleaved_onnx_latency([base, *files], work.input_spec, (1,), seconds=_SECONDS, monitor=work.monitor)
    medians: list[Latency] = [found.latencies[0] for found in times]
    return [found.median_ms / medians[0].median_ms for found in medians[1:]]


def file_accuracy(content: bytes, work: Work) -> float:
    """Accuracy of a file on the validation images, in [0, 1]."""
    execute, validation = onnx_program(content), work.validation
    right = 0
    for images, labels in zip(torch.split(validation.images, 250), torch.split(validation.labels, 250), strict=True):
        work.monitor.check_cancelled()
        outputs = finite_outputs(execute(images.float() / 255), "the small network")
        right += int((outputs.argmax(1) == labels).count_nonzero())
    return right / len(validation)
