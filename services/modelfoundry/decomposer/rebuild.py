"""Repeats the decomposition that a module came from, and compares the bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from modelfoundry.client import Environment, Module
from modelfoundry.core.modules import ModuleArtifact, read_module
from modelfoundry.decomposer.decompose import search_modules
from modelfoundry.decomposer.rebuild_plan import RebuildPlan
from modelfoundry.values.statements import EnvironmentChange, Rebuild, TensorDifference
from modelfoundry.workbench.jobs import Workbench


def rebuild(module: Module, plan: RebuildPlan, bench: Workbench) -> Rebuild:
    """Searches a module's masks once more, with as many threads as then, and compares. Registers nothing.

    Raises:
        DeviceUnavailable: it was made with CUDA, and there is none.
        MalformedFile, CorruptBlob: the module's file is damaged.
    """
    stored = read_module(bench.cache.fetch(bench.client, module.artifact.digest))
    with _threads(plan.threads):
        searched = search_modules(plan.search, bench)
    differences = compare(stored, searched.artifacts[plan.place])
    return Rebuild(
        module=module.name,
        equal=not differences,
        differences=differences,
        mask_entries=stored.masks.total,
        environment=searched.ran_on,
        changes=changes(module.record.environment, searched.ran_on),
    )


def compare(stored: ModuleArtifact, found: ModuleArtifact) -> tuple[TensorDifference, ...]:
    """Tensors of two modules that are not equal bit by bit: masks by parameter name, then the head and all else."""
    parts = zip(stored.bits, found.bits, strict=True)
    return tuple(difference for one, other in parts for difference in _differences(one, other))


def changes(recorded: Environment, current: Environment) -> tuple[EnvironmentChange, ...]:
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
    return tuple(EnvironmentChange(what, then, now) for what, then, now in facts if then != now)


def _differences(stored: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> Iterator[TensorDifference]:
    for name in dict.fromkeys([*stored, *found]):
        one, other = stored.get(name), found.get(name)
        if one is None or other is None or (one.shape, one.dtype) != (other.shape, other.dtype):
            entries = (other if one is None else one).numel()  # type: ignore[union-attr]  # one of them is there
            yield TensorDifference(name, entries, entries)
        elif differing := int((one != other).count_nonzero()):
            yield TensorDifference(name, differing, one.numel())


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
