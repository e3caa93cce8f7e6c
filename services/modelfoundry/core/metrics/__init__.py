"""Figures of models and modules: how good, how small, how fast, how modular. Mirrors `types/v1/metrics.proto`."""

from modelfoundry.core.metrics.classification import (
    ClassificationMetrics,
    ConfusionMatrix,
    Interval,
    LabelMetrics,
    classification,
    wilson_interval,
)
from modelfoundry.core.metrics.cost import Cost, cost
from modelfoundry.core.metrics.kernels import active_kernels, kept_kernels, used_kernels
from modelfoundry.core.metrics.latency import Latency, interleaved_latency, latency
from modelfoundry.core.metrics.modularity import ModularityMetrics, cohesion, coupling, even_samples
from modelfoundry.core.metrics.retention import LayerRetention, RetentionMetrics, retention

__all__ = [
    "ClassificationMetrics",
    "ConfusionMatrix",
    "Cost",
    "Interval",
    "LabelMetrics",
    "Latency",
    "LayerRetention",
    "ModularityMetrics",
    "RetentionMetrics",
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
