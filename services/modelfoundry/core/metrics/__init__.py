"""Figures of models and modules: how good, how small, how fast, how modular. Mirrors `types/v1/metrics.proto`."""

from modelfoundry.core.metrics.classification import classification, wilson_interval
from modelfoundry.core.metrics.cost import Cost, cost
from modelfoundry.core.metrics.kernels import active_kernels, kept_kernels, used_kernels
from modelfoundry.core.metrics.latency import interleaved_latency, latency
from modelfoundry.core.metrics.modularity import cohesion, coupling, even_samples
from modelfoundry.core.metrics.retention import retention

__all__ = [
    "Cost",
    "active_kernels",
    "classification",
    "cohesion",
    "cost",
    "coupling",
    "even_samples",
    "interleaved_latency",
    "kept_kernels",
    "latency",
    "retention",
    "used_kernels",
    "wilson_interval",
]
