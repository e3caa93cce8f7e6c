"""From seconds to steps: a short trial of each kind of work says what a second is worth on this machine.

How many steps there are is planned before the first round and once more behind the second cut, when only the second
round is left and everything before it is known by the clock. Steps and views are what is recorded: a repetition counts
them and looks at no clock.
"""

from __future__ import annotations

import copy
import math
import statistics
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.devices import computing_in
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss
from modelfoundry.decomposer.algorithms.specialise.work import Clock, Work

_FIFTH: Final = 5
"""The network learns half-way, before it is cut again, for a fifth of the steps at most, and a tenth at least."""
ANSWERS: Final = 0.25
"""Share of the seconds that the base's answers may take."""
LEAST_VIEWS: Final = 2048
"""That the rest is drawn from: fewer are learnt by heart."""
_TRIALS: Final = 5
_AT_ONCE: Final = 256
_THRESHOLD: Final = 1.5
"""Seconds of fitting a threshold, nearly all of them for importing what fits it."""


def seconds_a_step(network: nn.Module, work: Work, batch: Callable[[], Tensor]) -> float:
    """What a step of learning takes.

    Args:
        network: In any mode; untouched.
        work: Says batch, precision and device.
        batch: Makes the inputs of a step, which is part of it.
    """
    trial = copy.deepcopy(network).to(work.device).to(memory_format=torch.channels_last).requires_grad_(True).train()
    optimiser = torch.optim.AdamW(trial.parameters(), 0.0, fused=True)
    taken = []
    for _ in range(1 + _TRIALS):
        work.monitor.check_cancelled()
        clock = Clock()
        images = batch()
        taught = torch.zeros(len(images), work.target.labels, device=work.device)
        with computing_in(work.precision, work.device):
            logits = trial(images)
        loss = distillation_loss(logits.float(), taught, work.head, work.settings.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        taken.append(clock.seconds)
    return statistics.median(taken[1:])


def seconds_an_answer(work: Work) -> float:
    """What the base's answer to one view takes."""
    images = torch.rand(_AT_ONCE, *work.input_spec.shape).to(work.device).contiguous(memory_format=torch.channels_last)
    taken = []
    with torch.no_grad(), computing_in(work.precision, work.device):
        for _ in range(2):
            work.monitor.check_cancelled()
            clock = Clock()
            work.network(images)
            taken.append(clock.seconds)
    return min(taken) / len(images)


def seconds_to_finish(network: nn.Module, work: Work, images: int) -> float:
    """What statistics, answers on validation images and the threshold take in the end.

    Args:
        network: In any mode; untouched.
        work: Says device and validation images.
        images: That statistics are taken from.
    """
    trial = copy.deepcopy(network).to(work.device).to(memory_format=torch.channels_last).eval()
    batch = torch.rand(_AT_ONCE, *work.input_spec.shape).to(work.device).contiguous(memory_format=torch.channels_last)
    taken = []
    with torch.no_grad():
        for _ in range(2):
            work.monitor.check_cancelled()
            clock = Clock()
            trial(batch)
            taken.append(clock.seconds)
    return _THRESHOLD + min(taken) * (images + len(work.validation)) / _AT_ONCE


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
    share = 0.75 / _FIFTH  # between the most and half of it
    return max(1, math.floor(seconds / (share * first + (1 - share) * then)))


def first_steps(steps: int) -> int:
    """Steps of the first round: a power of two, so that the second can be planned anew without changing the first.

    A tenth to a fifth of them; none where there are fewer than five.

    Args:
        steps: Of both rounds.
    """
    most = steps // _FIFTH
    return 2 ** (most.bit_length() - 1) if most else 0


def planned_anew(steps: int, second: int) -> int:
    """Steps of both rounds when the first is over.

    Args:
        steps: Of both rounds, as they were planned before.
        second: Steps that there is time for in the second round.

    Returns:
        As near to it as a number can be that has the same first round.
    """
    first = first_steps(steps)
    least, most = (_FIFTH * first, 2 * _FIFTH * first - 1) if first else (1, _FIFTH - 1)
    return min(max(first + second, least), most)
