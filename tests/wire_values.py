"""Values as hypothesis draws them, for tests of what becomes of them on the wire."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message
from hypothesis import strategies as st

from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.compositions import Baseline, CompositionMember, CompositionRecord, LabelChange, StrategyReport
from modelfoundry.values.computing import Environment, TrainingSubset, ValidationSplit
from modelfoundry.values.figures import (
    BaseComparison,
    ClassificationMetrics,
    ConfusionMatrix,
    CostMetrics,
    Difference,
    DiscriminationMetrics,
    FormCost,
    Interval,
    LabelMetrics,
    Latency,
    LayerRetention,
    ModularityMetrics,
    PriorThreshold,
    RetentionMetrics,
)
from modelfoundry.values.file_forms import Compute, WeightFormat
from modelfoundry.values.frontiers import Frontier, FrontierPoint
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem
from modelfoundry.values.resources import BlobRef, DecompositionRecord, JointValidation, TrainingRecord

text = st.text(max_size=20)
whole = st.integers(0, 2**40)
small = st.integers(0, 2**31 - 1)
real = st.floats(allow_nan=False, allow_infinity=False)
names = st.lists(text, max_size=4).map(tuple)
tags = st.dictionaries(text, text, max_size=3)
setting = st.one_of(text, st.integers(-(2**50), 2**50), st.booleans(), st.floats(0.1, 0.9), st.lists(st.booleans()))

blobs = st.builds(BlobRef, text, whole, text)
problems = st.one_of(
    st.builds(BinaryProblem, text), st.builds(MultiClassProblem, names), st.builds(OpenSetProblem, names)
)
validations = st.builds(
    ValidationSplit, source_split=st.text(min_size=1, max_size=9), fraction=st.floats(0.01, 0.5), seed=whole
)
environments = st.builds(Environment, python=text, libraries=tags, platform=text, device=text, threads=small)
inputs = st.builds(
    InputSpec, small, small, small, st.lists(real, max_size=3).map(tuple), st.lists(real, max_size=3).map(tuple)
)
builders = st.builds(
    Architecture, text, st.dictionaries(text, st.one_of(text, st.integers(-(2**50), 2**50), st.booleans()), max_size=3)
)
retentions = st.builds(
    RetentionMetrics,
    weight_retention=real,
    kept_weights=whole,
    total_weights=whole,
    nonzero_weights=whole,
    kernel_retention=real,
    kept_kernels=whole,
    total_kernels=whole,
    layers=st.lists(st.builds(LayerRetention, text, real, whole, whole), max_size=3).map(tuple),
)
classifications = st.builds(
    ClassificationMetrics,
    accuracy=real,
    accuracy_interval=st.none() | st.builds(Interval, real, real, real),
    precision=real,
    recall=real,
    f1=real,
    per_label=st.lists(st.builds(LabelMetrics, text, real, real, real, whole), max_size=3).map(tuple),
    confusion=st.none()
    | st.builds(ConfusionMatrix, names, st.lists(st.lists(whole, max_size=3).map(tuple), max_size=3).map(tuple)),
)
intervals = st.builds(Interval, real, real, real)
discriminations = st.builds(
    DiscriminationMetrics,
    sample_count=whole,
    positive_count=whole,
    auc=st.none() | real,
    auc_interval=st.none() | intervals,
    balanced_accuracy=st.none() | real,
    balanced_accuracy_interval=st.none() | intervals,
    at_prior=st.none()
    | st.builds(
        PriorThreshold,
        log_odds=real,
        accuracy=real,
        accuracy_interval=intervals,
        balanced_accuracy=real,
        balanced_accuracy_interval=intervals,
    ),
)
differences = st.builds(Difference, real, intervals)
base_comparisons = st.builds(
    BaseComparison,
    accuracy=differences,
    accuracy_restricted=st.none() | differences,
    accuracy_at_prior=st.none() | differences,
    balanced_accuracy=st.none() | differences,
    balanced_accuracy_at_prior=st.none() | differences,
    auc=st.none() | differences,
)
costs = st.builds(
    CostMetrics,
    macs_dense=whole,
    macs_sparse=whole,
    parameter_bytes=whole,
    artifact_bytes=whole,
    latencies=st.lists(st.builds(Latency, small, real, real, small), max_size=3).map(tuple),
)
positive = small.filter(bool)
subsets = st.builds(
    TrainingSubset,
    concentration=st.none() | st.floats(0.01, 1000),
    minimum_samples=st.none() | positive,
    seed=st.none() | whole,
)
trainings = st.builds(
    TrainingRecord,
    recipe=text,
    settings=st.dictionaries(text, setting, max_size=4),
    seed=whole,
    validation=validations,
    subset=st.none() | subsets,
    dataset_digest=text,
    label_counts=st.lists(whole, max_size=4).map(tuple),
    validation_accuracy=real,
    validation_samples=whole,
    chosen_epoch=small,
    epochs_run=small,
    environment=environments,
)
modularities = st.builds(
    ModularityMetrics,
    cohesion=real,
    cohesion_samples=small,
    coupling=st.none() | real,
    coupled_modules=small,
    kernel_retention=real,
    reuse_gain=real,
)
frontiers = st.builds(
    Frontier,
    weights=st.sampled_from(WeightFormat),
    compute=st.sampled_from(Compute),
    points=st.lists(
        st.builds(
            FrontierPoint,
            structure=text,
            macs=real,
            lost=real,
            bytes=whole,
            latency=real,
            accuracy=st.none() | real,
            taken=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    reason=text,
)
joint_validations = st.builds(JointValidation, accuracy=real, accuracy_base=real, samples=whole)
records = st.builds(
    DecompositionRecord,
    algorithm=text,
    settings=st.dictionaries(text, setting, max_size=4),
    seed=whole,
    validation=validations,
    dataset_digest=text,
    operation=text,
    environment=environments,
    validation_accuracy=real,
    validation_accuracy_base=real,
    validation_samples=whole,
    chosen_epoch=small,
    epochs_run=small,
    fell_back=st.booleans(),
    cache_key=text,
    training_samples=whole,
    empty_layers=names,
    subset=st.none() | subsets,
    calibration_split=text,
    frontier=st.none() | frontiers,
    joint=st.none() | joint_validations,
)
composition_records = st.builds(
    CompositionRecord,
    strategy=text,
    score=text,
    settings=st.dictionaries(text, setting, max_size=4),
    calibrated=st.booleans(),
    validation=validations,
    seed=whole,
    validation_samples=whole,
    validation_accuracy=real,
    strategies=st.lists(
        st.builds(StrategyReport, strategy=text, validation_accuracy=real, sources=names), max_size=2
    ).map(tuple),
    baselines=st.lists(
        st.builds(Baseline, name=text, validation_accuracy=real, parameters=whole, macs=whole), max_size=2
    ).map(tuple),
    parameters=whole,
    macs=whole,
    label_changes=st.lists(st.builds(LabelChange, text, real, real), max_size=2).map(tuple),
    operation=text,
    environment=environments,
    dataset_digests=names,
    cache_key=text,
)
members = st.builds(
    CompositionMember,
    label=text,
    source=text,
    source_label=text,
    source_digest=text,
    scale=real,
    bias=real,
    validation_score=real,
)
written = {"display_name": text, "description": text, "license": text, "tags": tags}


form_costs = st.builds(
    FormCost,
    stored_bytes=whole,
    parameters=whole,
    macs_dense=whole,
    latencies=st.lists(st.builds(Latency, small, real, real, small), max_size=2).map(tuple),
)


def over_the_wire(message: Message) -> Any:
    """The message as the other side gets it."""
    return type(message).FromString(message.SerializeToString())
