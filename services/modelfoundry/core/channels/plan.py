"""Deriving the channels of any network that can be dropped."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from modelfoundry.core.channels.groups import ChannelGroup, ChannelPlan, WholeLayer
from modelfoundry.core.channels.heads import head_groups
from modelfoundry.core.channels.proof import proven_groups, randomised
from modelfoundry.core.channels.tracing import (
    FAILURES,
    OUTPUT_REASON,
    ChannelTies,
    Side,
    entering_layers,
    refuse,
    trace_ties,
)
from modelfoundry.core.masking import maskable_layers
from modelfoundry.names import shortened
from modelfoundry.values.architectures import InputSpec


def plan_channels(network: nn.Module, input_spec: InputSpec) -> ChannelPlan:
    """Finds which channels can be dropped, and proves it by dropping some from a copy with random weights.

    Residual sums, concatenations, grouped and depthwise convolutions, squeeze-and-excitation and flattening are
    followed by torch-pruning's dependency graph. What that gets wrong, for the network at hand, fails the proof and
    stays whole. The plan depends on the structure alone: networks of one architecture have equal plans.

    Args:
        network: In any mode, on any device; untouched.
        input_spec: Images that it takes.

    Raises:
        UnsupportedModel: no channel can be dropped. One layer and the reason stand in the message, the layer in the
            metadata as well.
    """
    maskable_layers(network)  # refuses networks without any
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(2, *input_spec.shape, generator=generator, dtype=torch.float64)
    random = _runnable(network, images)
    ties = trace_ties(copy.deepcopy(random), images[:1])
    units, reasons = _units(ties)
    derived = _with_heads(random, _groups(ties, units))
    proven = proven_groups(random, images, derived)
    plan = ChannelPlan(proven, _whole(random, ties, reasons, derived, proven))
    if not plan.groups:
        first = plan.whole[0]
        refuse(first.layer, first.reason)
    return plan


def _runnable(network: nn.Module, images: Tensor) -> nn.Module:
    entered = [""]
    try:
        with torch.inference_mode(False), torch.no_grad():
            with entering_layers(network, lambda name, *_: entered.append(name)):
                random = randomised(network, images)
            outputs = random(images)
    except FAILURES as error:
        refuse(entered[-1], f"it does not run in float64 on the CPU: {shortened(str(error), 200)}")
    if not isinstance(outputs, Tensor) or outputs.dim() != 2:
        refuse("", "it does not give one logit per label")
    return random


def _with_heads(network: nn.Module, groups: tuple[ChannelGroup, ...]) -> tuple[ChannelGroup, ...]:
    """Groups of heads in place of what was derived for single channels of theirs, in the order of the network."""
    heads = tuple(head_groups(network))
    headed = {layer for group in heads for layer in group.producers}
    others = (group for group in groups if not headed & group.producers.keys())
    order = {name: place for place, (name, _) in enumerate(network.named_modules())}
    return tuple(sorted((*heads, *others), key=lambda group: order[group.name])) if heads else groups


def _units(ties: ChannelTies) -> tuple[Tensor, dict[int, str]]:
    """Number of the unit of every slot, -1 for those that must stay, and for these the reason by slot."""
    left, right = torch.tensor(ties.pairs, dtype=torch.int64).view(-1, 2).T
    component = _components(ties.size, left, right)
    reasons: dict[int, str] = {}
    for pin in ties.pins:
        reasons.setdefault(int(component[pin.slot]), pin.reason)
    written, read = torch.zeros(ties.size, dtype=torch.bool), torch.zeros(ties.size, dtype=torch.bool)
    for (name, side), slots in ties.first.items():
        if side == "inputs":
            read[component[slots.start : slots.stop]] = True
        elif name in ties.writers:
            written[component[slots.start : slots.stop]] = True
    for slot in set(component.tolist()):
        if not (written[slot] and read[slot]):
            reasons.setdefault(slot, OUTPUT_REASON)
    stuck = torch.zeros(ties.size, dtype=torch.bool)
    stuck[list(reasons)] = True
    members = component.tolist()
    return torch.where(stuck[component], -1, component), {
        slot: reasons[root] for slot, root in enumerate(members) if root in reasons
    }


def _components(size: int, left: Tensor, right: Tensor) -> Tensor:
    """Smallest slot that each is tied to, directly or through others."""
    # In place of union-find, which would walk every pair in Python: some networks have 100,000 slots. Every round hands
    # the smaller number over each tie and then jumps to that one's own, so that chains shorten by half.
    component = torch.arange(size)
    while True:
        low = torch.minimum(component[left], component[right])
        lower = component.scatter_reduce(0, left, low, "amin").scatter_reduce(0, right, low, "amin")
        lower = lower[lower]
        if torch.equal(lower, component):
            return component
        component = lower


def _groups(ties: ChannelTies, units: Tensor) -> tuple[ChannelGroup, ...]:
    """Units that share a producer form a group; both in the order of the network."""
    producers = [name for name, _ in ties.network.named_modules() if name in ties.writers]
    slots = (ties.first[name, "outputs"] for name in producers)
    kept = [part[part >= 0] for part in (units[place.start : place.stop] for place in slots)]
    places = [torch.full_like(part, ties.size + place) for place, part in enumerate(kept)]
    group_of = _components(ties.size + len(kept), torch.cat([units[:0], *kept]), torch.cat([units[:0], *places]))
    members: dict[int, list[int]] = {}
    for part in kept:
        for unit in part.tolist():
            members.setdefault(int(group_of[unit]), []).append(unit)
    groups = (_group(ties, units, list(dict.fromkeys(found))) for found in members.values())
    return tuple(group for group in groups if group.units > 1)


def _group(ties: ChannelTies, units: Tensor, members: Sequence[int]) -> ChannelGroup:
    number = torch.full((ties.size + 1,), -1)  # the last for -1
    number[torch.tensor(members)] = torch.arange(len(members))
    sides: dict[str, dict[str, Tensor]] = {"producers": {}, "carriers": {}, "consumers": {}}
    for name, side in _in_order(ties):
        slots = ties.first[name, side]
        mapping = number[units[slots.start : slots.stop]]
        if bool((mapping >= 0).any()):
            kind = "consumers" if side == "inputs" else "producers" if name in ties.writers else "carriers"
            sides[kind][name] = mapping
    producers = sides["producers"]
    return ChannelGroup(
        next(iter(producers)), len(members), **sides, is_kernel=any(name in ties.on_maps for name in producers)
    )


def _in_order(ties: ChannelTies) -> Iterator[tuple[str, Side]]:
    names = [name for name, _ in ties.network.named_modules()]
    names += [name for name, _ in ties.network.named_parameters()]
    order = {name: place for place, name in enumerate(names)}
    return iter(sorted(ties.first, key=lambda key: (order[key[0]], key[1])))


def _whole(
    network: nn.Module,
    ties: ChannelTies,
    reasons: dict[int, str],
    derived: Sequence[ChannelGroup],
    proven: Sequence[ChannelGroup],
) -> tuple[WholeLayer, ...]:
    cut = {layer for group in proven for layer in _written(group)}
    failed = {layer for group in derived for layer in _written(group)} - cut
    whole = []
    for maskable in maskable_layers(network):
        slots = ties.first.get((maskable.name, "outputs"))
        if maskable.name in failed:
            reason = "an operation that its channels pass mixes them, or needs their number"
        elif slots is None:
            reason = "its channels cannot be followed"
        else:
            reason = next((reasons[slot] for slot in slots if slot in reasons), "all of its channels hang together")
        if maskable.name not in cut:
            whole.append(WholeLayer(maskable.name, reason))
    return tuple(whole)


def _written(group: ChannelGroup) -> tuple[str, ...]:
    return (*group.producers, *group.carriers)
