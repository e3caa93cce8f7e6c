"""Networks as programs of PyTorch's own operators."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch.export import Dim, ExportedProgram

from modelfoundry.core.export.sessions import INPUT_NAME
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.errors import UnsupportedModel
from modelfoundry.names import shortened

HINT: Final = "export as safetensors, which works for every network"
_TRACING_FAILURES: Final = (RuntimeError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
"""What tracing raises for networks that it cannot follow."""


def traced(classifier: ImageClassifier) -> ExportedProgram:
    """A network's operations in order, with a free batch size.

    Args:
        classifier: On the CPU, in evaluation mode.

    Raises:
        UnsupportedModel: a layer cannot be traced; it is named.
    """
    example = torch.zeros(2, *classifier.input_spec.shape)
    with _layers_watched(classifier) as entered:
        try:
            program = torch.export.export(
                classifier, (example,), dynamic_shapes={INPUT_NAME: {0: Dim("n", min=1)}}, strict=False
            )
        except _TRACING_FAILURES as error:
            raise UnsupportedModel(
                f"{_where(entered)} cannot be traced: {_first_line(error)}",
                hint=HINT,
                metadata={"layer": entered[-1][0] if entered else ""},
            ) from error
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # file names of this machine are nobody's business
    return program


@contextmanager
def _layers_watched(classifier: ImageClassifier) -> Iterator[list[tuple[str, str]]]:
    """Gives the layers (name, type) that were entered and not left: at a failure the last one is where it was."""
    entered: list[tuple[str, str]] = []

    def leave(*_: Any) -> None:
        entered.pop()

    handles = []
    for name, layer in classifier.network.named_modules():
        enter = functools.partial(_enter, entered, (name, type(layer).__name__))
        handles += [layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)]
    try:
        yield entered
    finally:
        for handle in handles:
            handle.remove()


def _enter(entered: list[tuple[str, str]], layer: tuple[str, str], *_: Any) -> None:
    entered.append(layer)


def _where(entered: list[tuple[str, str]]) -> str:
    if not entered or not entered[-1][0]:
        return "the network"
    name, kind = entered[-1]
    return f"layer {name} ({kind})"


def _first_line(error: BaseException) -> str:
    return shortened(str(error).strip().partition("\n")[0], 200)
