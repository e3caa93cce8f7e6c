"""A module at a tenth of the weights, run by onnxruntime with and without what is dead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from interleaved import interleaved, ratios
from torch import nn

from modelfoundry.core.channels import plan_channels
from modelfoundry.core.export import ExportSubject, classifier_of, onnx_of
from modelfoundry.core.export.sessions import INPUT_NAME, OUTPUT_NAME, onnx_session
from modelfoundry.core.modules import compact_module
from ratios.digits import ARCHITECTURE, LABELS, SPEC, distilled_module, trained_digits
from ratios.measurements import Effort, Report

RETENTION: Final = 0.1
STEPS: Final = 400
LABEL: Final = "3"
BATCHES: Final = (1, 16)


def sparse_module(effort: Effort) -> Report:
    """A distilled module with its dead channels cut out, and uncut, beside the base: slim ONNX files, one thread."""
    digits = trained_digits(effort)
    steps = 8 if effort.tiny else STEPS
    module = distilled_module(digits, LABEL, RETENTION, steps)
    compacted = compact_module(module, plan_channels(digits.network, SPEC)).module
    files = {
        "reference": _onnx(digits.network, LABELS),
        "compacted": _onnx(compacted, module.outputs),
        "zeros kept": _onnx(module, module.outputs),
    }
    found = []
    for batch in BATCHES:
        passes = 2 if effort.tiny else 800 // batch
        ways = {name: _passes(content, batch, passes) for name, content in files.items()}
        found += ratios(f"digits CNN, {passes} passes of batch {batch}", interleaved(ways, effort.rounds(15)))
    compact = tuple(one for one in found if one.way == "compacted")
    sizes = ", ".join(f"{name} {len(content):,} bytes" for name, content in files.items())
    note = (
        f"The module of digit {LABEL} that the recipe `distilled` finds in {steps} steps at {100 * RETENTION:.0f} % of "
        f"the weights; the reference is the base in onnxruntime. Files: {sizes}. Of {_channels(digits.network)} "
        f"channels {_channels(compacted.network)} are left. onnxruntime has no sparse convolution: what is not a whole "
        "channel is multiplied as before."
    )
    return Report({"sparse": compact}, tuple(one for one in found if one not in compact), (note,))


def _onnx(network: nn.Module, outputs: tuple[str, ...]) -> bytes:
    subject = ExportSubject(network, outputs, ARCHITECTURE, len(LABELS), SPEC, f"sha256:{'0' * 64}")
    return onnx_of(classifier_of(subject))


def _passes(content: bytes, batch: int, count: int) -> Callable[[], object]:
    session = onnx_session(content, threads=1)
    images = np.random.default_rng(0).random((batch, *SPEC.shape), dtype=np.float32)

    def run() -> None:
        for _ in range(count):
            session.run([OUTPUT_NAME], {INPUT_NAME: images})

    return run


def _channels(network: nn.Module) -> int:
    return sum(layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d))
