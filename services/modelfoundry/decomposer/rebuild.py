"""Repeats the decomposition that a module came from, and compares the bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from modelfoundry.client import Environment, Module
from modelfoundry.core.modules import ModuleArtifact, read_module
from modelfoundry.decomposer.decompose import search_module
from modelfoundry.decomposer.plan import DecompositionPlan
from modelfoundry.decomposer.rebuild_plan import RebuildPlan
from modelfoundry.decomposer.split import search_modules
from modelfoundry.workbench.jobs import Workbench


@dataclass(frozen=True, slots=True)
class Difference:
    """A tensor of which `differing` of `entries` are not equal."""

    tensor: str
    differing: int
    entries: int


@dataclass(frozen=True, slots=True)
class Change:
    """What ran in another version, or on another machine; texts are empty for what is not there."""

    what: str
    recorded: str
    current: str


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """What repeating a decomposition gave."""

    differences: tuple[Difference, ...]
    mask_entries: int
    environment: Environment
    changes: tuple[Change, ...]


def rebuild(module: Module, plan: RebuildPlan, bench: Workbench) -> Rebuilding:
    """Searches a module's masks once more, with as many threads as then, and compares. Registers nothing.

    Raises:
        DeviceUnavailable: it was made with CUDA, and there is none.
        MalformedFile, CorruptBlob: the module's file is damaged.
    """
    stored = read_module(bench.cache.fetch(bench.client, module.artifact.digest))
    with _threads(plan.threads):
        artifact, ran_on = _search(plan, bench)
    return Rebuilding(
        differences=compare(stored, artifact),
        mask_entries=stored.masks.total,
        environment=ran_on,
        changes=changes(module.record.environment, ran_on),
    )


def compare(stored: ModuleArtifact, found: ModuleArtifact) -> tuple[Difference, ...]:
    """Tensors of two modules that are not equal bit by bit: masks by parameter name, then the layers of the head."""
    masks = _differences(stored.masks.bits, found.masks.bits)
    return (*masks, *_differences(_head_bits(stored), _head_bits(found)))


def changes(recorded: Environment, current: Environment) -> tuple[Change, ...]:
    """What is different between two environments."""
    facts = [
        ("python", recorded.python, current.python),
        ("platform", recorded.platform, current.platform),
        ("device", recorded.device, current.device),
        ("threads", str(recorded.threads or ""), str(current.threads)),
        *(
            (name, recorded.libraries.get(name, ""), current.libraries.get(name, ""))
            for name in sorted(recorded.libraries.keys() | current.libraries.keys())
        ),
    ]
    return tuple(Change(what, then, now) for what, then, now in facts if then != now)


def _search(plan: RebuildPlan, bench: Workbench) -> tuple[ModuleArtifact, Environment]:
    if isinstance(plan.search, DecompositionPlan):
        one = search_module(plan.search, bench)
        return one.artifact, one.ran_on
    all_modules = search_modules(plan.search, bench)
    return all_modules.artifacts[plan.place], all_modules.ran_on


def _differences(stored: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterator[Difference]:
    for name in dict.fromkeys([*stored, *found]):
        one, other = stored.get(name), found.get(name)
        if one is None or other is None or one.shape != other.shape:
            entries = (other if one is None else one).numel()  # type: ignore[union-attr]  # one of them is there
            yield Difference(name, entries, entries)
        elif differing := int((one != other).count_nonzero()):
            yield Difference(name, differing, one.numel())


def _head_bits(artifact: ModuleArtifact) -> dict[str, Tensor]:
    """Parameters of the head as int32, so that bits are compared and not numbers."""
    return {
        f"head.{place}.{part}": value.contiguous().view(torch.int32)
        for place, layer in enumerate(artifact.head.layers)
        for part, value in (("weight", layer.weight), ("bias", layer.bias))
    }


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Computes with so many threads: sums over another number may differ in their last bits. 0: leave it."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
