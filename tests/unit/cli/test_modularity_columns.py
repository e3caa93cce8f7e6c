"""What people see of a module as a software module, and of how a model was trained."""

from __future__ import annotations

import pytest

from modelfoundry.cli.rendering.evaluation_table import modularity_text, print_evaluations
from modelfoundry.cli.rendering.training_text import training_facts
from modelfoundry.client import (
    Architecture,
    BinaryProblem,
    BlobRef,
    Evaluation,
    InputSpec,
    Model,
    ModularityMetrics,
    TrainingRecord,
    TrainingSubset,
)

PARENT = "projects/default"
FOUND = ModularityMetrics(
    cohesion=0.625, cohesion_samples=100, coupling=0.25, coupled_modules=2, kernel_retention=0.5, reuse_gain=0.0321
)


def measured(name: str, modularity: ModularityMetrics | None) -> Evaluation:
    return Evaluation(
        subject=f"{PARENT}/modules/{name}",
        subject_digest="",
        module=f"{PARENT}/modules/{name}",
        problem=BinaryProblem("3"),
        dataset=f"{PARENT}/datasets/digits",
        dataset_digest="",
        split="test",
        modularity=modularity,
    )


def test_columns_appear_where_a_module_was_measured_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluations([measured("three", FOUND), measured("four", None)], PARENT)

    header, _, three, four = capsys.readouterr().out.splitlines()
    assert header.split()[-5:] == ["SPLIT", "COHESION", "COUPLING", "REUSE", "GAIN"]
    assert three.split()[-6:] == ["62.5", "%", "25.0", "%", "+3.21", "points"]
    assert four.split()[-1] == "test"


def test_columns_stay_away_where_none_was(capsys: pytest.CaptureFixture[str]) -> None:
    print_evaluations([measured("four", None)], PARENT)

    assert "COHESION" not in capsys.readouterr().out


def test_a_measured_module_is_said_in_words() -> None:
    assert modularity_text(measured("three", FOUND)) == (
        "cohesion 62.5 % on 100 samples, coupling 25.0 % with 2 other modules, kernels kept 50.0 %, "
        "reuse gain +3.21 points"
    )


def test_a_recorded_training_is_shown_with_its_part_of_the_data() -> None:
    record = TrainingRecord(
        recipe="weak",
        settings={"lr": 0.01, "milestones": [60, 120]},
        seed=4,
        subset=TrainingSubset(concentration=0.5, seed=4),
        label_counts=(12, 90),
        validation_accuracy=0.75,
        validation_samples=130,
        chosen_epoch=7,
        epochs_run=9,
    )
    model = Model(
        architecture=Architecture("zoo:simcnn"),
        input=InputSpec(1, 8, 8, (), ()),
        labels=("a", "b"),
        weights=BlobRef(""),
        training=record,
    )

    facts = dict(training_facts(model))

    assert facts["recipe"] == "weak, seed 4: lr 0.01, milestones 60/120"
    assert facts["training data"] == "102 samples, imbalanced (Dirichlet, concentration 0.5, seed 4)"
    assert facts["per label"] == "a: 12, b: 90"
    assert (
        facts["validation"]
        == "75.0 % [67.3, 82.0] of 130 samples, 10.0 % of train by seed 0; the epoch was chosen on them"
    )
    assert facts["epoch"] == "7 of 9"
