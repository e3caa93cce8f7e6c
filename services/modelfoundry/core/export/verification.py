"""Whether an exported program computes what the network computes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor

from modelfoundry.core.exported import ImageClassifier
from modelfoundry.core.finite import finite_outputs
from modelfoundry.errors import ExportMismatch

TOLERANCE: Final = 1e-4
"""Largest absolute difference of logits up to 1, and the largest share of larger ones."""
_BATCH_SIZES: Final = (1, 2, 5)


def max_difference(program: Callable[[Tensor], Tensor], classifier: ImageClassifier) -> float:
    """Runs both on random images in several batch sizes.

    Args:
        program: The exported program, loaded again: float32 images in [0, 1] to logits.
        classifier: The network in PyTorch.

    Returns:
        Largest absolute difference of the logits.

    Raises:
        ExportMismatch: it is above 1e-4 (times the largest logit, where that is above 1), or shapes differ.
        NonFiniteOutputs: the network itself gives NaN or infinity.
    """
    largest, size = _difference(program, classifier)
    if not largest <= TOLERANCE * size:
        raise _mismatch(f"gives logits that differ by up to {largest:.3g}", largest)
    return largest


def rounded_difference(program: Callable[[Tensor], Tensor], classifier: ImageClassifier) -> float:
    """The same for a program whose numbers were rounded, so that its logits may differ.

    Raises:
        ExportMismatch: shapes differ, or logits are not finite.
    """
    largest, _ = _difference(program, classifier)
    if not math.isfinite(largest):
        raise _mismatch("gives logits that are no finite numbers", largest)
    return largest


def _difference(program: Callable[[Tensor], Tensor], classifier: ImageClassifier) -> tuple[float, float]:
    """Largest absolute difference of the logits, and largest logit, 1 at least."""
    generator = torch.Generator().manual_seed(0)
    differences, sizes = [0.0], [1.0]
    for batch_size in _BATCH_SIZES:
        images = torch.rand(batch_size, *classifier.input_spec.shape, generator=generator)
        with torch.no_grad():
            expected, actual = finite_outputs(classifier(images)), program(images)
        if actual.shape != expected.shape:
            raise _mismatch(f"gives shape {tuple(actual.shape)}, not {tuple(expected.shape)}", float("inf"))
        differences.append(float((actual - expected).abs().max().nan_to_num(nan=float("inf"))))
        sizes.append(float(expected.abs().max()))
    return max(differences), max(sizes)


def _mismatch(what: str, difference: float) -> ExportMismatch:
    return ExportMismatch(
        f"the exported program {what}",
        hint="export as safetensors, and report the architecture as a bug",
        metadata={"max_difference": repr(difference)},
    )
