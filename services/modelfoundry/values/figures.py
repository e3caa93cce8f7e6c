"""What was measured. All ratios lie in [0, 1]; a ratio with an empty denominator is 0."""

from __future__ import annotations

from dataclasses import dataclass

from modelfoundry.values.computing import Environment


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure between two bounds, at a confidence level such as 0.95."""

    lower: float
    upper: float
    level: float


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """Scores of one label against the rest; `support` is its number of samples."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Counts of true (rows) against predicted labels.

    A last column more than labels counts predictions of a label that is not in the problem.
    """

    labels: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationMetrics:
    """How well labels are told apart; precision, recall and F1 are macro averages.

    `accuracy_interval` is the Wilson score interval.
    """

    accuracy: float
    accuracy_interval: Interval | None
    precision: float
    recall: float
    f1: float
    per_label: tuple[LabelMetrics, ...]
    confusion: ConfusionMatrix | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorThreshold:
    """A base model that answers a problem with a rest by its log-odds, at the threshold of the prior.

    Args:
        log_odds: The threshold: minus the logarithm of the odds of the rest, counted in labels. Never fitted.
        accuracy: Share of the posed samples that are answered right.
        accuracy_interval: Wilson score interval.
        balanced_accuracy: As in `DiscriminationMetrics`.
        balanced_accuracy_interval: As there.
    """

    log_odds: float
    accuracy: float
    accuracy_interval: Interval
    balanced_accuracy: float
    balanced_accuracy_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscriminationMetrics:
    """How well a problem is told apart on all samples of a split that belong to it, not only on those posed.

    Args:
        sample_count: Number of these samples.
        positive_count: How many have a label of the problem.
        auc: Area under the ROC curve of the log-odds; without a rest the mean over labels, each against the others.
            None when there is no curve: samples of one side only.
        auc_interval: By DeLong's variance.
        balanced_accuracy: Mean share of right answers over the problem's labels together and the rest, or, without a
            rest, over its labels. None when one of these has no sample.
        balanced_accuracy_interval: Joined from Wilson score intervals.
        at_prior: The same of a base model at the threshold of the prior. None for others, and without a rest.
    """

    sample_count: int
    positive_count: int
    auc: float | None = None
    auc_interval: Interval | None = None
    balanced_accuracy: float | None = None
    balanced_accuracy_interval: Interval | None = None
    at_prior: PriorThreshold | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure of a module minus that of its base model, paired by sample: in [-1, 1], with its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseComparison:
    """A module minus its base model on the same samples. None where the base does not answer so (`metrics.proto`).

    Args:
        accuracy: On the samples posed, the base predicting over all labels.
        accuracy_restricted: The same, the base restricted to the problem's labels. None with a rest: the same again.
        accuracy_at_prior: The same, the base at the threshold of the prior. None without a rest.
        balanced_accuracy: On all samples, the base predicting over all labels.
        balanced_accuracy_at_prior: The same, the base at the threshold of the prior. None without a rest.
        auc: Of the log-odds on all samples; without a rest those of the base restricted to the problem's labels.
    """

    accuracy: Difference
    accuracy_restricted: Difference | None = None
    accuracy_at_prior: Difference | None = None
    balanced_accuracy: Difference | None = None
    balanced_accuracy_at_prior: Difference | None = None
    auc: Difference | None = None


@dataclass(frozen=True, slots=True)
class LayerRetention:
    """What one layer kept of its mask entries."""

    layer: str
    weight_retention: float
    kept_weights: int
    total_weights: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionMetrics:
    """What a module kept of its base model (SeaM's weight retention rate), whole and per layer.

    What lies in a channel that was cut is not kept; what is rewritten is.
    """

    weight_retention: float
    kept_weights: int
    total_weights: int
    nonzero_weights: int = 0
    kernel_retention: float = 0.0
    kept_kernels: int = 0
    total_kernels: int = 0
    layers: tuple[LayerRetention, ...] = ()


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one forward pass in milliseconds at one batch size. Compare only inside one evaluation."""

    batch_size: int
    median_ms: float
    p95_ms: float
    passes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMetrics:
    """What it costs to keep and to run: multiply-accumulates of one image, bytes, times by batch size."""

    macs_dense: int
    macs_sparse: int
    parameter_bytes: int
    artifact_bytes: int
    latencies: tuple[Latency, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModularityMetrics:
    """A module as a software module, over sets of convolution kernels (`metrics.proto`).

    Args:
        cohesion: Mean Jaccard index of the kernels that two samples of the module's labels use.
        cohesion_samples: Number of samples that it was measured on.
        coupling: Mean Jaccard index of the module's kernels and those of every other module. None without others.
        coupled_modules: Number of other modules.
        kernel_retention: Kept kernels over all.
        reuse_gain: Accuracy of the module minus that of its base restricted to the module's labels, in [-1, 1].
    """

    cohesion: float
    cohesion_samples: int
    coupling: float | None
    coupled_modules: int
    kernel_retention: float
    reuse_gain: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FormCost:
    """What one form of a module costs: bytes of its file, parameters, multiply-accumulates and times of one image."""

    stored_bytes: int
    parameters: int
    macs_dense: int
    latencies: tuple[Latency, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormComparison:
    """Base model, masked module and compacted module side by side, measured in turns on one machine.

    `max_difference` is the largest between logits of the masked and the compacted form; in `held_layers` every channel
    was dead, so that one had to stay. The masked form's file needs the base model's weights besides.
    """

    original: FormCost
    masked: FormCost
    compacted: FormCost
    max_difference: float
    held_layers: tuple[str, ...] = ()
    environment: Environment
    operation: str = ""
