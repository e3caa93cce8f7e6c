"""Values survive the way to protobuf and back."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from modelfoundry.api.decomposer.v1 import recipe_pb2
from modelfoundry.api.operations.v1 import operation_pb2
from modelfoundry.api.registry.v1 import (
    composition_pb2,
    dataset_pb2,
    evaluation_pb2,
    model_pb2,
    module_pb2,
    provenance_pb2,
)
from modelfoundry.api.reuser.v1 import reuser_service_pb2
from modelfoundry.api.types.v1 import compute_pb2
from modelfoundry.client import (
    Architecture,
    Augmentation,
    Baseline,
    BinaryProblem,
    BlobRef,
    ClassificationMetrics,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    ConfusionMatrix,
    CostMetrics,
    Dataset,
    DatasetSplit,
    DecompositionRecord,
    Device,
    Environment,
    Evaluation,
    ExportFormat,
    FormComparison,
    FormCost,
    GradSplitterRecipe,
    InitialMasks,
    InputSpec,
    Interval,
    JobState,
    LabelChange,
    LabelMetrics,
    Latency,
    LayerRetention,
    Model,
    ModularityMetrics,
    Module,
    MultiClassProblem,
    OpenSetProblem,
    Relation,
    RetentionMetrics,
    Scoring,
    SeamRecipe,
    Severity,
    StrategyReport,
    TensorSpec,
    TrainingRecipe,
    TrainingRecord,
    TrainingSubset,
    ValidationSplit,
)
from modelfoundry.errors import Internal
from modelfoundry.wire import architectures, compositions, computing, figures, modules, recipes, resources

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


def over_the_wire(message: Message) -> Any:
    return type(message).FromString(message.SerializeToString())


@given(
    st.builds(
        Model,
        architecture=builders,
        input=inputs,
        labels=names,
        weights=blobs,
        training_dataset=text,
        operation=text,
        training=st.none() | trainings,
        **written,
    )
)
def test_models(model: Model) -> None:
    assert resources.model_from_proto(over_the_wire(resources.model_to_request(model))) == model


@given(
    st.builds(
        Dataset,
        labels=names,
        splits=st.lists(st.builds(DatasetSplit, split=text, content=blobs), max_size=3).map(tuple),
        **written,
    )
)
def test_datasets(dataset: Dataset) -> None:
    assert resources.dataset_from_proto(over_the_wire(resources.dataset_to_request(dataset))) == dataset


form_costs = st.builds(
    FormCost,
    stored_bytes=whole,
    parameters=whole,
    macs_dense=whole,
    latencies=st.lists(st.builds(Latency, small, real, real, small), max_size=2).map(tuple),
)


@given(
    st.builds(
        FormComparison,
        original=form_costs,
        masked=form_costs,
        compacted=form_costs,
        max_difference=real,
        held_layers=names,
        environment=environments,
        operation=text,
    )
)
def test_forms(forms: FormComparison) -> None:
    assert figures.forms_from_proto(over_the_wire(figures.forms_to_proto(forms))) == forms


@given(
    st.builds(
        Module,
        base_model=text,
        problem=problems,
        artifact=blobs,
        dataset=text,
        record=records,
        retention=st.none() | retentions,
        **written,
    )
)
def test_modules(module: Module) -> None:
    assert modules.module_from_proto(over_the_wire(modules.module_to_request(module))) == module


@given(
    st.builds(
        Composition,
        task=st.sampled_from(CompositionTask),
        members=st.lists(members, max_size=3).map(tuple),
        input=inputs,
        datasets=names,
        record=composition_records,
        base_model=text,
        **written,
    )
)
def test_compositions(composition: Composition) -> None:
    message = over_the_wire(compositions.composition_to_request(composition))
    assert compositions.composition_from_proto(message) == composition


def test_a_task_that_a_newer_registry_knows_is_no_silent_guess() -> None:
    with pytest.raises(Internal, match="unknown kind") as caught:
        compositions.composition_from_proto(composition_pb2.Composition(name="c", task=99))  # type: ignore[arg-type]
    assert "upgrade" in caught.value.hint


@given(
    st.builds(
        Evaluation,
        subject=text,
        subject_digest=text,
        dataset=text,
        dataset_digest=text,
        split=text,
        scoring=st.sampled_from(Scoring),
        module=text,
        problem=st.none() | problems,
        sample_count=whole,
        classification=st.none() | classifications,
        retention=st.none() | retentions,
        cost=st.none() | costs,
        modularity=st.none() | modularities,
        operation=text,
        environment=environments,
    )
)
def test_evaluations(evaluation: Evaluation) -> None:
    assert modules.evaluation_from_proto(over_the_wire(modules.evaluation_to_request(evaluation))) == evaluation


@given(
    st.builds(
        SeamRecipe,
        recipe=text,
        initial_masks=st.none() | st.sampled_from(InitialMasks),
        epochs=st.none() | small,
        head_epoch_every=st.none() | small,
        batch_size=st.none() | small,
        lr_head=st.none() | real,
        lr_mask=st.none() | real,
        alpha=st.none() | real,
        patience=st.none() | small,
        augmentation=st.none() | st.sampled_from(Augmentation),
    )
)
def test_recipes_keep_what_is_unset(recipe: SeamRecipe) -> None:
    assert recipes.seam_recipe_from_proto(over_the_wire(recipes.seam_recipe_to_proto(recipe))) == recipe


@given(
    st.builds(
        GradSplitterRecipe,
        recipe=text,
        **dict.fromkeys(("warmup_epochs", "cycles", "mask_epochs", "head_epochs"), st.none() | small),
        **dict.fromkeys(("batch_size", "head_width"), st.none() | small),
        **dict.fromkeys(("lr_warmup", "lr_head", "lr_mask", "alpha", "accuracy_loss"), st.none() | real),
    )
)
def test_recipes_of_gradsplitter_keep_what_is_unset(recipe: GradSplitterRecipe) -> None:
    message = over_the_wire(recipes.gradsplitter_recipe_to_proto(recipe))
    assert recipes.gradsplitter_recipe_from_proto(message) == recipe


@given(
    st.builds(
        TrainingRecipe,
        recipe=text,
        epochs=st.none() | small,
        batch_size=st.none() | small,
        lr=st.none() | real,
        momentum=st.none() | real,
        weight_decay=st.none() | real,
        milestones=st.lists(small, max_size=3).map(tuple),
        augmentation=st.none() | st.sampled_from(Augmentation),
        subset=st.none() | subsets,
    )
)
def test_recipes_of_training_keep_what_is_unset(recipe: TrainingRecipe) -> None:
    assert recipes.training_recipe_from_proto(over_the_wire(recipes.training_recipe_to_proto(recipe))) == recipe


@given(st.builds(TensorSpec, text, text, st.lists(whole, max_size=4).map(tuple)))
def test_tensor_specs(spec: TensorSpec) -> None:
    assert architectures.tensor_spec_from_proto(over_the_wire(architectures.tensor_spec_to_proto(spec))) == spec


def test_whole_numbers_stay_whole_and_others_do_not_become_so() -> None:
    architecture = Architecture("zoo:x", {"width": 8, "rate": 0.5, "deep": True, "kind": "a"})
    back = architectures.architecture_from_proto(architectures.architecture_to_proto(architecture))
    assert back == architecture
    assert {name: type(value) for name, value in back.parameters.items()} == {
        "width": int,
        "rate": float,
        "deep": bool,
        "kind": str,
    }


def test_a_validation_cut_without_values_has_the_contracts_defaults() -> None:
    assert computing.validation_from_proto(compute_pb2.ValidationSplit()) == ValidationSplit()


@pytest.mark.parametrize(
    ("wire", "prefix", "members"),
    [
        (compute_pb2.Device, "DEVICE", Device),
        (recipe_pb2.Augmentation, "AUGMENTATION", Augmentation),
        (recipe_pb2.InitialMasks, "INITIAL_MASKS", InitialMasks),
        (evaluation_pb2.Scoring, "SCORING", Scoring),
        (provenance_pb2.Relation, "RELATION", Relation),
        (composition_pb2.Composition.Task, "TASK", CompositionTask),
        (operation_pb2.OperationState, "OPERATION_STATE", JobState),
        (operation_pb2.Severity, "SEVERITY", Severity),
        (reuser_service_pb2.ExportFormat, "EXPORT_FORMAT", ExportFormat),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_enums_have_the_members_of_the_contract(wire: Any, prefix: str, members: Any) -> None:
    in_contract = {name.removeprefix(f"{prefix}_") for name in wire.keys()} - {"UNSPECIFIED"}  # noqa: SIM118
    assert in_contract == {member.name for member in members}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Model, model_pb2.Model),
        (Dataset, dataset_pb2.Dataset),
        (DatasetSplit, dataset_pb2.DatasetSplit),
        (Module, module_pb2.Module),
        (DecompositionRecord, module_pb2.DecompositionRecord),
        (Composition, composition_pb2.Composition),
        (CompositionMember, composition_pb2.CompositionMember),
        (CompositionRecord, composition_pb2.CompositionRecord),
        (StrategyReport, composition_pb2.StrategyReport),
        (Baseline, composition_pb2.Baseline),
        (LabelChange, composition_pb2.LabelChange),
        (Evaluation, evaluation_pb2.Evaluation),
        (RetentionMetrics, figures.metrics_pb2.RetentionMetrics),
        (ClassificationMetrics, figures.metrics_pb2.ClassificationMetrics),
        (CostMetrics, figures.metrics_pb2.CostMetrics),
        (SeamRecipe, recipe_pb2.SeamRecipe),
        (GradSplitterRecipe, recipe_pb2.GradSplitterRecipe),
    ],
    ids=lambda value: value.__name__ if is_dataclass(value) else "",
)
def test_values_have_the_fields_of_the_contract(value: Any, message: Any) -> None:
    assert {field.name for field in fields(value)} == {field.name for field in message.DESCRIPTOR.fields}
