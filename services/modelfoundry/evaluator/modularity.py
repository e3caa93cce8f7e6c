"""Modules as software modules: what one shares with the others of a request, and what its samples share."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from modelfoundry.client import Module
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.metrics import cohesion, coupling, even_samples, kept_kernels, used_kernels
from modelfoundry.core.modules import kept_of_base, read_module
from modelfoundry.evaluator.plan import EvaluationPlan
from modelfoundry.values.figures import ModularityMetrics
from modelfoundry.workbench.jobs import Workbench
from modelfoundry.workbench.networks import LoadedModule, load_model


class KernelSets:
    """The kernels that every module of a request keeps, for comparing modules of one base."""

    def __init__(self, plan: EvaluationPlan, bench: Workbench) -> None:
        modules = {subject.name: subject for subject in plan.subjects if isinstance(subject, Module)}
        self._bases = {name: module.base_digest for name, module in modules.items()}
        self._kept: dict[str, Tensor] = {}
        for base in {module.base_model for module in modules.values()}:
            network = load_model(bench.client, bench.cache, bench.resources.model(base)).network
            for name, module in modules.items():
                if module.base_model == base:
                    artifact = read_module(bench.cache.fetch(bench.client, module.artifact.digest))
                    self._kept[name] = _flat(kept_kernels(network, kept_of_base(network, artifact).masks))

    def others(self, module: Module) -> list[Tensor]:
        """Of every other module of the same base, bool [kernels]."""
        return [
            kept for name, kept in self._kept.items() if name != module.name and self._bases[name] == module.base_digest
        ]


def modularity(
    module: LoadedModule, posed: ImageSet, gain: float, sets: KernelSets, device: torch.device
) -> ModularityMetrics:
    """Measures a module as a software module.

    Args:
        module: The module, its network on the device.
        posed: Images of its problem, whose first output numbers are its labels.
        gain: Accuracy of the module minus that of its base restricted to the module's labels.
        sets: Kernels of all modules of the request.
        device: Where to compute.
    """
    kept = kept_kernels(module.base.network, kept_of_base(module.base.network, module.artifact).masks)
    flat = _flat(kept)
    chosen = even_samples(posed.labels, range(len(module.artifact.problem.labels)))
    others = sets.others(module.resource)
    network = module.network
    used = used_kernels(network.network, kept, posed.images[chosen], module.input_spec, device, network.cuts)
    return ModularityMetrics(
        cohesion=cohesion(used),
        cohesion_samples=len(chosen),
        coupling=coupling(flat, others),
        coupled_modules=len(others),
        kernel_retention=float(flat.double().mean()) if len(flat) else 0.0,
        reuse_gain=gain,
    )


def _flat(kept: Mapping[str, Tensor]) -> Tensor:
    """All layers' kernels in one row; empty for a network without masked convolutions."""
    return torch.cat([torch.zeros(0, dtype=torch.bool), *kept.values()])
