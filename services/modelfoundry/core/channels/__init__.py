"""Channels that a network can lose: which, proven, and the smaller network without them."""

from modelfoundry.core.channels.cuts import KeptChannels, LayerCut, Widths, compact, cut, narrowed, plan_cuts, widths_of
from modelfoundry.core.channels.groups import ChannelGroup, ChannelMasks, ChannelPlan, WholeLayer
from modelfoundry.core.channels.masks import kernel_weight_masks, live_units
from modelfoundry.core.channels.plan import plan_channels
from modelfoundry.core.channels.tracing import Side, channel_count

__all__ = [
    "ChannelGroup",
    "ChannelMasks",
    "ChannelPlan",
    "KeptChannels",
    "LayerCut",
    "Side",
    "WholeLayer",
    "Widths",
    "channel_count",
    "compact",
    "cut",
    "kernel_weight_masks",
    "live_units",
    "narrowed",
    "plan_channels",
    "plan_cuts",
    "widths_of",
]
