"""What the network will look like and how long it learns, decided before anything is trained."""

from __future__ import annotations

from functools import partial
from typing import Final

import torch
from torch import Tensor

from modelfoundry.core.channels import Bypass, plan_channels, plan_cuts
from modelfoundry.core.channels import cut as cut_network
from modelfoundry.decomposer.algorithms.distilling.pool import VIEWS
from modelfoundry.decomposer.algorithms.specialise.blocks import blocks_by_harm, harm_images
from modelfoundry.decomposer.algorithms.specialise.saliency import first_units
from modelfoundry.decomposer.algorithms.specialise.settings import AUTO
from modelfoundry.decomposer.algorithms.specialise.structure import Tier, group_widths, halfway, tiers_of
from modelfoundry.decomposer.algorithms.specialise.timing import (
    LEAST_VIEWS,
    common_views,
    seconds_a_step,
    seconds_an_answer,
    steps_for,
)
from modelfoundry.decomposer.algorithms.specialise.widths import text_of, widths_of_text
from modelfoundry.decomposer.algorithms.specialise.work import Decided, Shape, Work
from modelfoundry.errors import InvalidField

_MULTIPLES: Final = {"fp32": 8, "int8": 16}
"""Of channels: what processors compute at once, so that narrower is hardly faster."""
_CUTTING_IN_ANSWERS: Final = 10_000
"""What two cuts with their scores and fits, and statistics and threshold in the end, take, in answers of the base. The
plan behind the second cut knows better: this one has to be right to a third."""


def decide(work: Work) -> Decided:
    """Structure, views and steps, from settings, budgets and the machine.

    Raises:
        UnsupportedModel: no channel of the base can be cut.
        InvalidField: widths or blocks that the base does not have.
        Cancelled: the monitor says so.
    """
    settings, plan = work.settings, work.plan
    tiers = tiers_of(plan)
    widths = (
        default_widths(tiers, _MULTIPLES[settings.compute])
        if settings.widths == AUTO
        else widths_of_text(settings.widths)
    )
    try:
        group_widths(plan, tiers, widths)
    except ValueError as error:
        path = f"{settings.path}.widths"
        raise InvalidField(
            f"{path}: {error}", field=path, hint="give a width for each tier, no wider than it"
        ) from error
    left_out = _left_out(work, settings.left_out)
    views, steps = settings.views, settings.steps
    if settings.seconds and not (views and steps):
        views, steps = _measured(work, tiers, widths, left_out)
    return Decided(text_of(widths), left_out, steps, views or (LEAST_VIEWS if work.target.rest else 0))


def default_widths(tiers: tuple[Tier, ...], multiple: int) -> tuple[int, ...]:
    """Half of every tier, to the next multiple of channels; a tier below a multiple stays whole."""
    each = [(tier.units, tier.multiple(multiple)) for tier in tiers]
    return tuple(min(units, max(step, units // 2 // step * step)) for units, step in each)


def _left_out(work: Work, count: int) -> tuple[str, ...]:
    if not count:
        return ()
    blocks = blocks_by_harm(work.network, harm_images(work), work)
    if count > len(blocks):
        path = f"{work.settings.path}.left_out"
        raise InvalidField(
            f"{path}: the network has {len(blocks)} blocks that can be left out, not {count}",
            field=path,
            hint=f"give at most {len(blocks)}",
        )
    return tuple(sorted(blocks[:count]))


def _measured(
    work: Work, tiers: tuple[Tier, ...], widths: tuple[int, ...], left_out: tuple[str, ...]
) -> tuple[int, int]:
    """Views and steps that there are seconds for; what is said by settings is taken as it is."""
    settings = work.settings
    whole = Shape(tuple(map(Bypass, left_out))).of(work.network)
    plan = plan_channels(whole, work.input_spec) if left_out else work.plan
    wanted = group_widths(plan, tiers, widths)
    first, then = (
        seconds_a_step(cut_network(whole, plan_cuts(plan, first_units(plan, each))), work, partial(_noise, work))
        for each in (halfway(plan, wanted), wanted)
    )
    answer = seconds_an_answer(work)
    left = max(0.0, settings.seconds - work.clock.seconds - _CUTTING_IN_ANSWERS * answer)
    each = 1 if work.augmentation == "none" else VIEWS
    own = each * int(torch.isin(work.train.labels, torch.tensor(work.target.columns)).count_nonzero())
    views = settings.views or common_views(left, answer, own, each * len(work.train))
    if not work.target.rest:
        views = 0
    steps = settings.steps or steps_for(left - (views + own) * answer, first, then)
    return views, steps


def _noise(work: Work) -> Tensor:
    images = torch.rand(work.settings.batch_size, *work.input_spec.shape).to(work.device)
    return images.contiguous(memory_format=torch.channels_last)
