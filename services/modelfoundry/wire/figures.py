"""Figures: what was measured."""

from __future__ import annotations

from modelfoundry.api.types.v1 import forms_pb2, metrics_pb2
from modelfoundry.values.figures import (
    BaseComparison,
    ClassificationMetrics,
    ConfusionMatrix,
    CostMetrics,
    Difference,
    DiscriminationMetrics,
    FormComparison,
    FormCost,
    Interval,
    LabelMetrics,
    Latency,
    LayerRetention,
    ModularityMetrics,
    PriorThreshold,
    RetentionMetrics,
)
from modelfoundry.wire.computing import ENVIRONMENT
from modelfoundry.wire.pairs import Pair

INTERVAL = Pair(Interval, metrics_pb2.Interval)
LATENCY = Pair(Latency, metrics_pb2.Latency)

CLASSIFICATION = Pair(
    ClassificationMetrics,
    metrics_pb2.ClassificationMetrics,
    INTERVAL,
    Pair(LabelMetrics, metrics_pb2.LabelMetrics),
    Pair(ConfusionMatrix, metrics_pb2.ConfusionMatrix),
)

DISCRIMINATION = Pair(
    DiscriminationMetrics,
    metrics_pb2.DiscriminationMetrics,
    INTERVAL,
    Pair(PriorThreshold, metrics_pb2.PriorThreshold, INTERVAL),
)

BASE_COMPARISON = Pair(BaseComparison, metrics_pb2.BaseComparison, Pair(Difference, metrics_pb2.Difference, INTERVAL))

RETENTION = Pair(RetentionMetrics, metrics_pb2.RetentionMetrics, Pair(LayerRetention, metrics_pb2.LayerRetention))

COST = Pair(CostMetrics, metrics_pb2.CostMetrics, LATENCY)

MODULARITY = Pair(ModularityMetrics, metrics_pb2.ModularityMetrics)

FORMS = Pair(FormComparison, forms_pb2.FormComparison, Pair(FormCost, forms_pb2.FormCost, LATENCY), ENVIRONMENT)
forms_to_proto = FORMS.to_proto
forms_from_proto = FORMS.from_proto
