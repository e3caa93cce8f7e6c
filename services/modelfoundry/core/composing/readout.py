"""How sure a network is of one label: the log-odds of that output, which networks of any kind have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from modelfoundry.values.problems import MultiClassProblem, Problem


@dataclass(frozen=True, slots=True)
class Readout:
    """Which output of a network speaks for a label, and which against it."""

    column: int
    """The output of the label."""
    rest: int | None = None
    """The output of "none of these". None: all other outputs speak against the label."""
    outside: bool = False
    """Whether what no output stands for speaks against it as well, as an output of 0 would."""


def readout_of(outputs: Sequence[str], label: str, problem: Problem | None, *, against_rest: bool = False) -> Readout:
    """Finds the output of a label.

    Args:
        outputs: Meaning of the network's outputs.
        label: One of them.
        problem: Target problem of a module; None for a model.
        against_rest: Whether the outputs are log-odds of the labels against the rest, whose own is 0 or left out
            (`LogOddsHead`).

    Raises:
        ValueError: the network has no such output.
    """
    column = list(outputs).index(label)
    has_rest = problem is not None and not isinstance(problem, MultiClassProblem)
    if against_rest:
        return Readout(column, outside=not has_rest)
    return Readout(column, len(outputs) - 1 if has_rest else None)


def log_odds(logits: Tensor, readout: Readout) -> Tensor:
    """Log-odds of one output: `log p / (1 - p)`, whose sigmoid is the network's score of the label.

    With an output for the rest this is the logit against it, `logits[label] - logits[rest]`; without one it is
    computed from the softmax, `logits[label] - logsumexp(all other logits)`, without rounding p first; what is outside
    of the outputs then counts as one more logit of 0.

    Args:
        logits: float32 [n, outputs].
        readout: Which output.

    Returns:
        float32 [n], finite where the logits are.
    """
    column = readout.column
    if readout.rest is not None:
        return logits[:, column] - logits[:, readout.rest]
    others = torch.cat([logits[:, :column], logits[:, column + 1 :]], dim=1)
    if readout.outside:
        others = functional.pad(others, (0, 1))
    return logits[:, column] - torch.logsumexp(others, dim=1)
