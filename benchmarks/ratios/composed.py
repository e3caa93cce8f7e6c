"""What a composition of ten modules of one base costs, against the modules one by one and against one base pass."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from interleaved import Ratio, interleaved, ratios
from torch import Tensor, nn

from modelfoundry.core.channels import ChannelMasks, ChannelPlan, kernel_weight_masks, plan_channels
from modelfoundry.core.composing import ComposedNetwork, Member, compose_network, readout_of
from modelfoundry.core.exported import ImageClassifier
from modelfoundry.core.modules import MaterialisedModule, compact_module
from modelfoundry.core.modules.head_networks import LogOdds
from modelfoundry.core.networks import build_network
from modelfoundry.reuser.predicting.runners import runner_of
from modelfoundry.values.architectures import Architecture, InputSpec
from ratios.measurements import Effort, Report

LABELS = tuple("0123456789")
BATCH = 16
ROUNDS = 5
WEIGHTS, KERNELS, FIRST_ALIKE = 0.1, 0.5, 0.5
Keep = Callable[[nn.Module, ChannelPlan, int], Mapping[str, Tensor]]


@dataclass(frozen=True, slots=True)
class Stock:
    """A base and ten modules of it."""

    base: nn.Module
    spec: InputSpec
    plan: ChannelPlan
    modules: Sequence[MaterialisedModule]


def composed(effort: Effort) -> Report:
    """Random masks of the kinds that searches find; what it costs does not depend on the weights' values."""
    found: list[Ratio] = []
    notes: list[str] = []
    spec = InputSpec(3, 32, 32)
    for network in ("simcnn",) if effort.tiny else ("resnet20", "simcnn"):
        for name, keep in (
            (f"{WEIGHTS:.0%} of the weights", some_weights),
            (f"{KERNELS:.0%} of the kernels", some_kernels),
            (f"{WEIGHTS:.0%} of the weights, first half of the layers alike", alike_at_first),
        ):
            work = f"ten modules of {network} composed, {name}"
            seconds = interleaved(ways(stock(network, spec, keep)), effort.rounds(ROUNDS))
            found += ratios(work, seconds, "one by one")
            base = statistics.median(seconds["one base pass"])
            best = min((way for way in seconds if way.startswith("composed")), key=lambda way: sum(seconds[way]))
            costs = {way: statistics.median(own) / base for way, own in seconds.items()}
            notes.append(
                f"{work}: {costs['one by one']:.1f} base passes one by one, {costs[best]:.1f} {best} "
                f"(batch of {BATCH}, onnxruntime)."
            )
    return Report({}, tuple(found), tuple(notes))


def ways(stock: Stock) -> dict[str, Callable[[], object]]:
    """Everything by onnxruntime, as the reuser runs it."""
    images = torch.rand(BATCH, *stock.spec.shape)
    module = runs(stock.modules[0], stock.spec)  # masked, each costs the same
    cut = [compact_module(module, stock.plan).module for module in stock.modules]
    one_base, whole, smaller = (
        runs(stock.base, stock.spec),
        runs(joined(stock.modules, stock.spec), None),
        runs(joined(cut, stock.spec), None),
    )
    return {
        "one by one": lambda: [module(images) for _ in stock.modules],
        "one base pass": lambda: one_base(images),
        "composed": lambda: whole(images),
        "composed, dead channels cut": lambda: smaller(images),
    }


def runs(network: nn.Module, spec: InputSpec | None) -> Callable[[Tensor], Tensor]:
    spec = spec or InputSpec(3, 32, 32, mean=(0.0,) * 3, std=(1.0,) * 3)
    return runner_of(ImageClassifier(network, spec, LABELS).eval(), threads=1).run


def joined(modules: Sequence[MaterialisedModule], spec: InputSpec) -> ComposedNetwork:
    members = [Member(place, readout_of((label, "rest"), label, None)) for place, label in enumerate(LABELS)]
    network, _ = compose_network([(module, spec) for module in modules], members, LABELS)
    return network


def stock(network: str, spec: InputSpec, keep: Keep) -> Stock:
    torch.manual_seed(0)
    base = build_network(Architecture(f"zoo:{network}"), len(LABELS), spec).eval()
    plan = plan_channels(base, spec)
    modules = []
    for column, _ in enumerate(LABELS):
        masked = copy.deepcopy(base)
        with torch.no_grad():
            for name, bits in keep(masked, plan, column).items():
                masked.get_parameter(name).mul_(bits)
        head = LogOdds(len(LABELS), [column], rest=True)
        modules.append(MaterialisedModule(masked, head, (LABELS[column], "rest")).eval().requires_grad_(False))
    return Stock(base, spec, plan, modules)


def some_weights(network: nn.Module, _plan: ChannelPlan, seed: int) -> Mapping[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand(weight.shape, generator=generator) < WEIGHTS for name, weight in weights(network)}


def alike_at_first(network: nn.Module, plan: ChannelPlan, seed: int) -> Mapping[str, Tensor]:
    own, shared = some_weights(network, plan, seed), some_weights(network, plan, 0)
    return {
        name: (shared if place < FIRST_ALIKE * len(own) else own)[name] for place, (name, _) in enumerate(own.items())
    }


def some_kernels(network: nn.Module, plan: ChannelPlan, seed: int) -> Mapping[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    alive = {
        group.name: torch.rand(group.units, generator=generator).argsort() < KERNELS * group.units
        for group in plan.groups
    }
    return kernel_weight_masks(network, plan, ChannelMasks(alive)).bits


def weights(network: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in network.named_parameters() if value.dim() > 1]
