"""Refuses NaN and infinity where a figure would be made of them.

Finite weights may give them all the same: sums overflow, and a variance below zero has no root. `argmax` would count
NaN as an answer, and shares of samples that look like any other would come of it.
"""

from __future__ import annotations

import math

from torch import Tensor

from modelfoundry.errors import NonFiniteOutputs


def finite_outputs(outputs: Tensor, whose: str = "the network") -> Tensor:
    """The outputs of a network, where all are numbers.

    Args:
        outputs: Floating point, [n, outputs] or of any other shape.
        whose: What gave them, for the message.

    Raises:
        NonFiniteOutputs: one is NaN or infinite.
    """
    finite = outputs.isfinite()
    if bool(finite.all()):
        return outputs
    wrong = (~finite).reshape(len(outputs), -1).any(dim=1)
    raise NonFiniteOutputs(
        f"{whose} gives NaN or infinity for {int(wrong.sum())} of {len(outputs)} images: there is no answer",
        hint="its weights overflow float32 or hold a variance below zero; train it again, or take weights from before",
    )


def finite_loss(loss: float, where: str) -> float:
    """The loss of something that learns, where it is a number.

    Args:
        loss: Mean over an epoch or a step.
        where: What was learning, for the message: `training in epoch 3`.

    Raises:
        NonFiniteOutputs: it is NaN or infinite.
    """
    if math.isfinite(loss):
        return loss
    raise NonFiniteOutputs(f"{where} has diverged: the loss is {loss}", hint="a smaller learning rate may help")
