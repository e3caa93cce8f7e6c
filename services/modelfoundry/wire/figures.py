"""Metrics."""

from __future__ import annotations

from collections.abc import Iterable

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
from modelfoundry.wire.computing import environment_from_proto, environment_to_proto


def classification_to_proto(metrics: ClassificationMetrics) -> metrics_pb2.ClassificationMetrics:
    """Value to message."""
    message = metrics_pb2.ClassificationMetrics(
        accuracy=metrics.accuracy,
        precision=metrics.precision,
        recall=metrics.recall,
        f1=metrics.f1,
        per_label=[
            metrics_pb2.LabelMetrics(
                label=one.label, precision=one.precision, recall=one.recall, f1=one.f1, support=one.support
            )
            for one in metrics.per_label
        ],
    )
    if metrics.accuracy_interval is not None:
        interval = metrics.accuracy_interval
        message.accuracy_interval.CopyFrom(
            metrics_pb2.Interval(lower=interval.lower, upper=interval.upper, level=interval.level)
        )
    if metrics.confusion is not None:
        rows = [metrics_pb2.ConfusionRow(counts=row) for row in metrics.confusion.rows]
        message.confusion.CopyFrom(metrics_pb2.ConfusionMatrix(labels=metrics.confusion.labels, rows=rows))
    return message


def classification_from_proto(message: metrics_pb2.ClassificationMetrics) -> ClassificationMetrics:
    """Message to value."""
    interval, confusion = message.accuracy_interval, message.confusion
    return ClassificationMetrics(
        accuracy=message.accuracy,
        accuracy_interval=(
            Interval(interval.lower, interval.upper, interval.level) if message.HasField("accuracy_interval") else None
        ),
        precision=message.precision,
        recall=message.recall,
        f1=message.f1,
        per_label=tuple(
            LabelMetrics(one.label, one.precision, one.recall, one.f1, one.support) for one in message.per_label
        ),
        confusion=(
            ConfusionMatrix(tuple(confusion.labels), tuple(tuple(row.counts) for row in confusion.rows))
            if message.HasField("confusion")
            else None
        ),
    )


def retention_to_proto(metrics: RetentionMetrics) -> metrics_pb2.RetentionMetrics:
    """Value to message."""
    return metrics_pb2.RetentionMetrics(
        weight_retention=metrics.weight_retention,
        kept_weights=metrics.kept_weights,
        total_weights=metrics.total_weights,
        nonzero_weights=metrics.nonzero_weights,
        kernel_retention=metrics.kernel_retention,
        kept_kernels=metrics.kept_kernels,
        total_kernels=metrics.total_kernels,
        layers=[
            metrics_pb2.LayerRetention(
                layer=layer.layer,
                weight_retention=layer.weight_retention,
                kept_weights=layer.kept_weights,
                total_weights=layer.total_weights,
            )
            for layer in metrics.layers
        ],
    )


def retention_from_proto(message: metrics_pb2.RetentionMetrics) -> RetentionMetrics:
    """Message to value."""
    return RetentionMetrics(
        weight_retention=message.weight_retention,
        kept_weights=message.kept_weights,
        total_weights=message.total_weights,
        nonzero_weights=message.nonzero_weights,
        kernel_retention=message.kernel_retention,
        kept_kernels=message.kept_kernels,
        total_kernels=message.total_kernels,
        layers=tuple(
            LayerRetention(layer.layer, layer.weight_retention, layer.kept_weights, layer.total_weights)
            for layer in message.layers
        ),
    )


def cost_to_proto(metrics: CostMetrics) -> metrics_pb2.CostMetrics:
    """Value to message."""
    return metrics_pb2.CostMetrics(
        macs_dense=metrics.macs_dense,
        macs_sparse=metrics.macs_sparse,
        parameter_bytes=metrics.parameter_bytes,
        artifact_bytes=metrics.artifact_bytes,
        latencies=_latencies_to_proto(metrics.latencies),
    )


def cost_from_proto(message: metrics_pb2.CostMetrics) -> CostMetrics:
    """Message to value."""
    return CostMetrics(
        macs_dense=message.macs_dense,
        macs_sparse=message.macs_sparse,
        parameter_bytes=message.parameter_bytes,
        artifact_bytes=message.artifact_bytes,
        latencies=_latencies_from_proto(message.latencies),
    )


def modularity_to_proto(metrics: ModularityMetrics) -> metrics_pb2.ModularityMetrics:
    """Value to message."""
    return metrics_pb2.ModularityMetrics(
        cohesion=metrics.cohesion,
        cohesion_samples=metrics.cohesion_samples,
        coupling=metrics.coupling,
        coupled_modules=metrics.coupled_modules,
        kernel_retention=metrics.kernel_retention,
        reuse_gain=metrics.reuse_gain,
    )


def modularity_from_proto(message: metrics_pb2.ModularityMetrics) -> ModularityMetrics:
    """Message to value."""
    return ModularityMetrics(
        cohesion=message.cohesion,
        cohesion_samples=message.cohesion_samples,
        coupling=message.coupling if message.HasField("coupling") else None,
        coupled_modules=message.coupled_modules,
        kernel_retention=message.kernel_retention,
        reuse_gain=message.reuse_gain,
    )


def forms_to_proto(forms: FormComparison) -> forms_pb2.FormComparison:
    """Value to message."""
    return forms_pb2.FormComparison(
        original=_form_to_proto(forms.original),
        masked=_form_to_proto(forms.masked),
        compacted=_form_to_proto(forms.compacted),
        max_difference=forms.max_difference,
        held_layers=forms.held_layers,
        environment=environment_to_proto(forms.environment),
        operation=forms.operation,
    )


def forms_from_proto(message: forms_pb2.FormComparison) -> FormComparison:
    """Message to value."""
    return FormComparison(
        original=_form_from_proto(message.original),
        masked=_form_from_proto(message.masked),
        compacted=_form_from_proto(message.compacted),
        max_difference=message.max_difference,
        held_layers=tuple(message.held_layers),
        environment=environment_from_proto(message.environment),
        operation=message.operation,
    )


def _form_to_proto(form: FormCost) -> forms_pb2.FormCost:
    return forms_pb2.FormCost(
        stored_bytes=form.stored_bytes,
        parameters=form.parameters,
        macs_dense=form.macs_dense,
        latencies=_latencies_to_proto(form.latencies),
    )


def _form_from_proto(message: forms_pb2.FormCost) -> FormCost:
    return FormCost(
        stored_bytes=message.stored_bytes,
        parameters=message.parameters,
        macs_dense=message.macs_dense,
        latencies=_latencies_from_proto(message.latencies),
    )


def _latencies_to_proto(latencies: Iterable[Latency]) -> list[metrics_pb2.Latency]:
    return [
        metrics_pb2.Latency(batch_size=one.batch_size, median_ms=one.median_ms, p95_ms=one.p95_ms, passes=one.passes)
        for one in latencies
    ]


def _latencies_from_proto(messages: Iterable[metrics_pb2.Latency]) -> tuple[Latency, ...]:
    return tuple(Latency(one.batch_size, one.median_ms, one.p95_ms, one.passes) for one in messages)
