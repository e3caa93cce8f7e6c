"""From seconds to steps: a short trial of each kind of work says what a second is worth on this machine.

Steps and views are what is recorded: a repetition counts them and looks at no clock.
"""

from __future__ import annotations

import copy
import math
from typing import Final

import torch
from torch import nn

from modelfoundry.core.devices import computing_in
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss
from modelfoundry.decomposer.algorithms.specialise.work import Clock, Work

FIRST_ROUND: Final = 0.15
"""Share of the steps that the network learns in half-way, before it is cut again."""
ANSWERS: Final = 0.25
"""Share of the seconds that the base's answers may take."""
LEAST_VIEWS: Final = 2048
"""That the rest is drawn from: fewer are learnt by heart."""
_TRIALS: Final = 3


def seconds_a_step(network: nn.Module, work: Work) -> float:
    """What a step of learning takes.

    Args:
        network: In any mode; untouched.
        work: Says batch, precision and device.
    """
    trial = copy.deepcopy(network).to(work.device).to(memory_format=torch.channels_last).requires_grad_(True).train()
    optimiser = torch.optim.AdamW(trial.parameters(), 0.0, fused=True)
    images = torch.rand(work.settings.batch_size, *work.input_spec.shape).to(work.device)
    images = images.contiguous(memory_format=torch.channels_last)
    taught = torch.zeros(len(images), work.target.labels, device=work.device)
    taken = []
    for _ in range(_TRIALS):
        work.monitor.check_cancelled()
        clock = Clock()
        with computing_in(work.precision, work.device):
            logits = trial(images)
        loss = distillation_loss(logits.float(), taught, work.head, work.settings.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        taken.append(clock.seconds)
    return min(taken)


def seconds_an_answer(work: Work) -> float:
    """What the base's answer to one view takes."""
    images = torch.rand(256, *work.input_spec.shape).to(work.device).contiguous(memory_format=torch.channels_last)
    taken = []
    with torch.no_grad(), computing_in(work.precision, work.device):
        for _ in range(2):
            work.monitor.check_cancelled()
            clock = Clock()
            work.network(images)
            taken.append(clock.seconds)
    return min(taken) / len(images)


def common_views(seconds: float, an_answer: float, own: int, every: int) -> int:
    """How many views the rest is drawn from: what the answers' share of the seconds is enough for.

    A power of two, so that labels which are specialised one after another share them.

    Args:
        seconds: Left for answers and steps.
        an_answer: Seconds of one.
        own: Views of the problem's labels, which are answered besides.
        every: Views that there are.
    """
    enough = ANSWERS * seconds / an_answer - own
    views = LEAST_VIEWS
    while 2 * views <= enough:
        views *= 2
    return min(views, every)


def steps_for(seconds: float, first: float, then: float) -> int:
    """How many steps both rounds have together: as many as there are seconds for, and at least one.

    Args:
        seconds: Left for steps.
        first: Seconds of a step of the first round.
        then: Of the second.
    """
    return max(1, math.floor(seconds / (FIRST_ROUND * first + (1 - FIRST_ROUND) * then)))


def first_steps(steps: int) -> int:
    """Steps of the first round."""
    return round(FIRST_ROUND * steps)
