"""The same values as the client and the core spell them."""

from __future__ import annotations

from modelfoundry import client as sdk
from modelfoundry.core import devices, metrics, problems
from modelfoundry.core.architectures import Architecture, InputSpec, TensorSpec
from modelfoundry.core.datasets import TrainingSubset


def architecture_from(architecture: sdk.Architecture) -> Architecture:
    """The core's architecture."""
    return Architecture(architecture.builder, architecture.parameters)


def input_spec_from(spec: sdk.InputSpec) -> InputSpec:
    """The core's input description."""
    return InputSpec(spec.channels, spec.height, spec.width, spec.mean, spec.std)


def tensors_from(tensors: tuple[sdk.TensorSpec, ...]) -> tuple[TensorSpec, ...]:
    """The core's tensor descriptions."""
    return tuple(TensorSpec(tensor.name, tensor.dtype, tensor.shape) for tensor in tensors)


def problem_from(problem: sdk.Problem) -> problems.Problem:
    """The core's problem."""
    match problem:
        case sdk.BinaryProblem(label):
            return problems.BinaryProblem(label)
        case sdk.MultiClassProblem(labels):
            return problems.MultiClassProblem(labels)
        case sdk.OpenSetProblem(labels):
            return problems.OpenSetProblem(labels)


def problem_to(problem: problems.Problem) -> sdk.Problem:
    """The client's problem."""
    match problem:
        case problems.BinaryProblem(label):
            return sdk.BinaryProblem(label)
        case problems.MultiClassProblem(labels):
            return sdk.MultiClassProblem(labels)
        case problems.OpenSetProblem(labels):
            return sdk.OpenSetProblem(labels)


def subset_from(subset: sdk.TrainingSubset) -> TrainingSubset:
    """The core's subset; what a record does not say takes its default."""
    given = {"concentration": subset.concentration, "minimum_samples": subset.minimum_samples, "seed": subset.seed}
    return TrainingSubset(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


def subset_to(subset: TrainingSubset) -> sdk.TrainingSubset:
    """The client's subset."""
    return sdk.TrainingSubset(
        concentration=subset.concentration, minimum_samples=subset.minimum_samples or None, seed=subset.seed
    )


def environment_to(environment: devices.Environment) -> sdk.Environment:
    """The client's environment."""
    return sdk.Environment(
        python=environment.python,
        libraries=environment.libraries,
        platform=environment.platform,
        device=environment.device,
        threads=environment.threads,
    )


def architecture_to(architecture: Architecture) -> sdk.Architecture:
    """The client's architecture."""
    return sdk.Architecture(architecture.builder, architecture.parameters)


def input_spec_to(spec: InputSpec) -> sdk.InputSpec:
    """The client's input description."""
    return sdk.InputSpec(spec.channels, spec.height, spec.width, spec.mean, spec.std)


def interval_to(interval: metrics.Interval) -> sdk.Interval:
    """The client's interval."""
    return sdk.Interval(interval.lower, interval.upper, interval.level)


def classification_to(found: metrics.ClassificationMetrics) -> sdk.ClassificationMetrics:
    """The client's classification metrics."""
    return sdk.ClassificationMetrics(
        accuracy=found.accuracy,
        accuracy_interval=interval_to(found.accuracy_interval),
        precision=found.precision,
        recall=found.recall,
        f1=found.f1,
        per_label=tuple(
            sdk.LabelMetrics(each.label, each.precision, each.recall, each.f1, each.support) for each in found.per_label
        ),
        confusion=sdk.ConfusionMatrix(found.confusion.labels, found.confusion.rows),
    )


def retention_to(found: metrics.RetentionMetrics) -> sdk.RetentionMetrics:
    """The client's retention metrics."""
    return sdk.RetentionMetrics(
        weight_retention=found.weight_retention,
        kept_weights=found.kept_weights,
        total_weights=found.total_weights,
        nonzero_weights=found.nonzero_weights,
        kernel_retention=found.kernel_retention,
        kept_kernels=found.kept_kernels,
        total_kernels=found.total_kernels,
        layers=tuple(
            sdk.LayerRetention(each.layer, each.weight_retention, each.kept_weights, each.total_weights)
            for each in found.layers
        ),
    )


def modularity_to(found: metrics.ModularityMetrics) -> sdk.ModularityMetrics:
    """The client's modularity metrics."""
    return sdk.ModularityMetrics(
        cohesion=found.cohesion,
        cohesion_samples=found.cohesion_samples,
        coupling=found.coupling,
        coupled_modules=found.coupled_modules,
        kernel_retention=found.kernel_retention,
        reuse_gain=found.reuse_gain,
    )


def form_to(found: metrics.Cost, stored_bytes: int, latencies: tuple[metrics.Latency, ...]) -> sdk.FormCost:
    """The client's costs of one form."""
    return sdk.FormCost(
        stored_bytes=stored_bytes,
        parameters=found.parameters,
        macs_dense=found.macs_dense,
        latencies=_latencies_to(latencies),
    )


def cost_to(found: metrics.Cost, artifact_bytes: int, latencies: tuple[metrics.Latency, ...]) -> sdk.CostMetrics:
    """The client's cost metrics."""
    return sdk.CostMetrics(
        macs_dense=found.macs_dense,
        macs_sparse=found.macs_sparse,
        parameter_bytes=found.parameter_bytes,
        artifact_bytes=artifact_bytes,
        latencies=_latencies_to(latencies),
    )


def _latencies_to(latencies: tuple[metrics.Latency, ...]) -> tuple[sdk.Latency, ...]:
    return tuple(sdk.Latency(each.batch_size, each.median_ms, each.p95_ms, each.passes) for each in latencies)
