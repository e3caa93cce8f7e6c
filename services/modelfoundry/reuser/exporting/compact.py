"""Measures a module's forms side by side: base model, masked, and without its dead channels."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import torch

from modelfoundry.client import FormComparison
from modelfoundry.core.devices import environment
from modelfoundry.core.export import export_safetensors
from modelfoundry.core.metrics import Cost, cost, interleaved_latency
from modelfoundry.reuser.subjects import compacted_subject, subject_of_source
from modelfoundry.values.figures import FormCost, Latency
from modelfoundry.workbench.batch_sizes import check_batch_sizes
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.networks import load_model, load_module
from modelfoundry.workbench.resources import AsyncResources

COMPACT_VERSION: Final = "1"
"""Changes when the same module gives another compacted form."""
DEFAULT_BATCH_SIZES: Final = (1, 16)
_STEPS: Final = 4


def batch_sizes_of(given: Iterable[int]) -> tuple[int, ...]:
    """Batch sizes to time at: those given, else the default."""
    return tuple(given) or DEFAULT_BATCH_SIZES


async def plan_compaction(module: str, batch_sizes: tuple[int, ...], resources: AsyncResources) -> str:
    """Checks the request and names the work: the first measurement stands for all with the same key.

    Raises:
        InvalidField: a batch size is out of range.
        NotFound: there is no such module.
    """
    check_batch_sizes(batch_sizes)
    digest = (await resources.module(module)).artifact.digest
    sizes = ",".join(map(str, batch_sizes))
    return hashlib.sha256(f"compact/{COMPACT_VERSION}/{module}/{digest}/{sizes}".encode()).hexdigest()


def compact(module: str, batch_sizes: tuple[int, ...], operation: str, bench: Workbench) -> FormComparison:
    """Compacts a module, measures its forms on the CPU and keeps the figures with the module.

    Raises:
        UnsupportedModel: no channel of the base model can be removed; a layer and the reason are named.
        ExportMismatch: the compacted form gives other outputs.
        Cancelled: the monitor said so.
    """
    bench.monitor.progress("loading", 0, _STEPS, "step", {})
    resource = bench.resources.module(module)
    base = load_model(bench.client, bench.cache, bench.resources.model(resource.base_model))
    loaded = load_module(bench.client, bench.cache, resource, base)
    masked = subject_of_source(loaded)
    bench.monitor.check_cancelled()
    bench.monitor.progress("finding dead channels", 1, _STEPS, "step", {})
    compacted = compacted_subject(masked)
    with tempfile.TemporaryDirectory(prefix="modelfoundry-compact-") as folder:
        written = export_safetensors(compacted.classifier, Path(folder))
        stored_bytes = sum(file.path.stat().st_size for file in written.files if file.path.suffix == ".safetensors")
    bench.monitor.check_cancelled()
    bench.monitor.progress("measuring", 2, _STEPS, "step", {"max_difference": compacted.max_difference})
    networks = (loaded.base.network, masked.network, compacted.classifier.network)
    cpu = torch.device("cpu")
    times = interleaved_latency(networks, masked.input_spec, batch_sizes, device=cpu, monitor=bench.monitor)
    sizes = (loaded.base.resource.weights.size_bytes, loaded.resource.artifact.size_bytes, stored_bytes)
    original, as_masked, as_compacted = (
        _form(cost(network, masked.input_spec), size, latencies)
        for network, size, latencies in zip(networks, sizes, times, strict=True)
    )
    forms = FormComparison(
        original=original,
        masked=as_masked,
        compacted=as_compacted,
        max_difference=compacted.max_difference,
        held_layers=compacted.held,
        environment=environment(cpu),
        operation=operation,
    )
    bench.monitor.progress("storing", 3, _STEPS, "step", {"max_difference": compacted.max_difference})
    bench.client.modules.set_forms(module, forms)
    bench.monitor.progress("stored", _STEPS, _STEPS, "step", {"max_difference": compacted.max_difference})
    return forms


def _form(found: Cost, stored_bytes: int, latencies: tuple[Latency, ...]) -> FormCost:
    return FormCost(
        stored_bytes=stored_bytes, parameters=found.parameters, macs_dense=found.macs_dense, latencies=latencies
    )
