"""How far a module is from its base (Hinton et al., 2015): on the problem's outputs, and on all logits.

No label of an image is in it: what the base says of an image tells more than the label does, and the base's errors are
not held against the module. For one label the first part is, up to a constant, the cross entropy of the log-odds.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional


def divergence(answered: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Mean Kullback-Leibler divergence of softened answers, times the temperature's square.

    The square keeps the size of gradients where it is at every temperature.

    Args:
        answered: Logits of the student, float32 [n, outputs].
        taught: Logits of the teacher, of the same shape.
        temperature: Both are divided by it, above 0.

    Returns:
        float32, 0 or more.
    """
    own, right = (functional.log_softmax(logits / temperature, dim=1) for logits in (answered, taught))
    return temperature**2 * functional.kl_div(own, right, reduction="batchmean", log_target=True)


def distillation_loss(
    logits: Tensor, base_logits: Tensor, head: Callable[[Tensor], Tensor], temperature: float
) -> Tensor:
    """Divergence on the problem's outputs plus divergence on all logits.

    Args:
        logits: Of the masked network, float32 [n, labels].
        base_logits: Of the base on the same views, of the same shape.
        head: Gives the problem's outputs, float32 [n, outputs], of logits.
        temperature: Above 0.
    """
    on_problem = divergence(head(logits), head(base_logits), temperature)
    return on_problem + divergence(logits, base_logits, temperature)
