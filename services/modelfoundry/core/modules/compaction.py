"""A module without its dead channels."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from modelfoundry.core.channels import ChannelMasks, ChannelPlan, LayerCut, cut, joined_cuts, live_units, plan_cuts
from modelfoundry.core.modules.materialise import MaterialisedModule


@dataclass(frozen=True, slots=True)
class CompactedModule:
    """A smaller network with the outputs of the masked one."""

    module: MaterialisedModule
    cuts: tuple[LayerCut, ...]
    """What the layers of its base network keep; empty where no channel was dead, nor cut before."""
    masks: ChannelMasks
    """Which units are alive, and the groups in which one had to stay."""


def compact_module(module: MaterialisedModule, plan: ChannelPlan) -> CompactedModule:
    """Removes the channels that nothing reads: whole kernels that were dropped, and what became useless with them.

    Works for every kind of masks. The head stays as it is: the logits of the base are never cut.

    Args:
        module: Masked; stays as it is.
        plan: Of its network: its base's, unless the module has lost channels of that before.
    """
    masks = live_units(module.network, plan)
    cuts = plan_cuts(plan, masks)
    smaller = copy.deepcopy(module)
    smaller.network = cut(module.network, cuts)
    smaller.cuts = joined_cuts(module.cuts, cuts)
    return CompactedModule(smaller, smaller.cuts, masks)
