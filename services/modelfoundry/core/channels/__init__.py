"""Channels that a network can lose: which, proven, and the smaller network without them."""

from modelfoundry.core.channels.cuts import (
    KeptChannels,
    LayerCut,
    Widths,
    compact,
    cut,
    joined_cuts,
    narrowed,
    plan_cuts,
    widths_of,
)
from modelfoundry.core.channels.groups import ChannelGroup, ChannelMasks, ChannelPlan, WholeLayer
from modelfoundry.core.channels.heads import head_count
from modelfoundry.core.channels.masks import kernel_weight_masks, live_units
from modelfoundry.core.channels.plan import plan_channels
from modelfoundry.core.channels.surgery import (
    Bypass,
    Operation,
    Projection,
    operated,
    removable_blocks,
    with_projections,
)
from modelfoundry.core.channels.tracing import Side, channel_count

__all__ = [
    "Bypass",
    "ChannelGroup",
    "ChannelMasks",
    "ChannelPlan",
    "KeptChannels",
    "LayerCut",
    "Operation",
    "Projection",
    "Side",
    "WholeLayer",
    "Widths",
    "channel_count",
    "compact",
    "cut",
    "head_count",
    "joined_cuts",
    "kernel_weight_masks",
    "live_units",
    "narrowed",
    "operated",
    "plan_channels",
    "plan_cuts",
    "removable_blocks",
    "widths_of",
    "with_projections",
]
