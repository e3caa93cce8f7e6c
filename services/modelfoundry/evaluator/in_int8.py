"""Measures subjects as the files compute them that exports in int8 write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from modelfoundry.client import Evaluation, Scoring
from modelfoundry.core.devices import environment
from modelfoundry.core.evaluation import Answers, PosedSplit, discrimination, posed_figures
from modelfoundry.core.export import (
    DEFAULT_CALIBRATION_IMAGES,
    ImageClassifier,
    compute_in_int8,
    interleaved_onnx_latency,
    onnx_of,
    onnx_program,
)
from modelfoundry.evaluator.measuring import Measuring
from modelfoundry.values.architectures import InputSpec
from modelfoundry.workbench.resources import Subject
from modelfoundry.workbench.subject_images import drawn, load_images

_BATCH = 128


@dataclass(frozen=True, slots=True)
class Measured:
    """A subject as it was measured in float32."""

    subject: Subject
    network: nn.Module
    input_spec: InputSpec
    outputs: tuple[str, ...]
    evaluation: Evaluation
    posed: PosedSplit
    answers: Callable[[Tensor], Answers]
    """What logits answer."""
    outside_column: bool = False
    """Whether outputs beyond the labels posed may be answered."""


def measure_in_int8(shared: Measuring, measured: Measured, images: Tensor) -> Evaluation:
    """The evaluation of the same subject as its file in int8 answers, on the same images.

    The file is the one that an export without other settings writes, from the same training images.

    Args:
        shared: What the job has in common.
        measured: The subject.
        images: uint8 [n, channels, height, width], all of the split.

    Raises:
        UnsupportedModel: the network has no ONNX form, or cannot be computed in int8.
        Cancelled: the monitor said so.
    """
    bench = shared.bench
    source = shared.plan.calibration[measured.subject.name]
    calibration = drawn(load_images(source, bench.client, bench.cache).training, DEFAULT_CALIBRATION_IMAGES)
    classifier = ImageClassifier(measured.network.to("cpu"), measured.input_spec, measured.outputs).eval()
    content = compute_in_int8(onnx_of(classifier), calibration.images)
    measured.network.to(shared.device)
    program, logits = onnx_program(content), []
    batches: list[Tensor] = list(torch.split(images, _BATCH))
    for batch in batches:
        bench.monitor.check_cancelled()
        logits.append(program(batch.float() / 255))
    answers = measured.answers(torch.cat(logits))
    found = measured.evaluation
    sizes = shared.plan.request.latency_batch_sizes
    times = interleaved_onnx_latency([content], measured.input_spec, sizes, monitor=bench.monitor) if sizes else None
    spent = found.cost and replace(
        found.cost,
        artifact_bytes=len(content),
        parameter_bytes=len(content),
        latencies=times[0].latencies if times else (),
    )
    return replace(
        found,
        scoring=Scoring.IN_INT8,
        classification=posed_figures(answers, measured.posed, outside_column=measured.outside_column),
        discrimination=discrimination(answers, measured.posed),
        cost=spent,
        environment=environment(torch.device("cpu")),
        retention=None,
        modularity=None,
        against_base=None,
    )
