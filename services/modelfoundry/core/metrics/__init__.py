"""Figures of models and modules: how good, how small, how fast, how modular. Mirrors `types/v1/metrics.proto`."""

from modelfoundry.core.metrics.classification import classification
from modelfoundry.core.metrics.cost import Cost, cost
from modelfoundry.core.metrics.intervals import joined, paired_difference, wilson_interval
from modelfoundry.core.metrics.kernels import active_kernels, kept_kernels, used_kernels
from modelfoundry.core.metrics.latency import interleaved_latency, latency
from modelfoundry.core.metrics.modularity import cohesion, coupling, even_samples
from modelfoundry.core.metrics.ranking import Area, area_difference, area_interval, area_under_curve, mean_area
from modelfoundry.core.metrics.retention import retention

__all__ = [
    "Area",
    "Cost",
    "active_kernels",
    "area_difference",
    "area_interval",
    "area_under_curve",
    "classification",
    "cohesion",
    "cost",
    "coupling",
    "even_samples",
    "interleaved_latency",
    "joined",
    "kept_kernels",
    "latency",
    "mean_area",
    "paired_difference",
    "retention",
    "used_kernels",
    "wilson_interval",
]
