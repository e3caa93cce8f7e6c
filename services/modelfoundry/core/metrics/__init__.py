"""Figures of models and modules: classification, retention, cost and latency. Mirrors `types/v1/metrics.proto`."""

from modelfoundry.core.metrics.classification import (
    ClassificationMetrics,
    ConfusionMatrix,
    Interval,
    LabelMetrics,
    classification,
    wilson_interval,
)
from modelfoundry.core.metrics.cost import Cost, cost
from modelfoundry.core.metrics.latency import Latency, interleaved_latency, latency
from modelfoundry.core.metrics.retention import LayerRetention, RetentionMetrics, retention

__all__ = [
    "ClassificationMetrics",
    "ConfusionMatrix",
    "Cost",
    "Interval",
    "LabelMetrics",
    "Latency",
    "LayerRetention",
    "RetentionMetrics",
    "classification",
    "cost",
    "interleaved_latency",
    "latency",
    "retention",
    "wilson_interval",
]
