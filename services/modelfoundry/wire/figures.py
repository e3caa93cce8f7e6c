"""Figures: what was measured."""

from __future__ import annotations

from modelfoundry.api.types.v1 import forms_pb2, metrics_pb2
from modelfoundry.values.figures import (
    ClassificationMetrics,
    ConfusionMatrix,
    CostMetrics,
    FormComparison,
    FormCost,
    Interval,
    LabelMetrics,
    Latency,
    LayerRetention,
    ModularityMetrics,
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
classification_to_proto = CLASSIFICATION.to_proto
classification_from_proto = CLASSIFICATION.from_proto

RETENTION = Pair(RetentionMetrics, metrics_pb2.RetentionMetrics, Pair(LayerRetention, metrics_pb2.LayerRetention))
retention_to_proto = RETENTION.to_proto
retention_from_proto = RETENTION.from_proto

COST = Pair(CostMetrics, metrics_pb2.CostMetrics, LATENCY)
cost_to_proto = COST.to_proto
cost_from_proto = COST.from_proto

MODULARITY = Pair(ModularityMetrics, metrics_pb2.ModularityMetrics)
modularity_to_proto = MODULARITY.to_proto
modularity_from_proto = MODULARITY.from_proto

FORMS = Pair(FormComparison, forms_pb2.FormComparison, Pair(FormCost, forms_pb2.FormCost, LATENCY), ENVIRONMENT)
forms_to_proto = FORMS.to_proto
forms_from_proto = FORMS.from_proto
