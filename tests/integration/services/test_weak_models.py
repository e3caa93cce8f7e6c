"""Weak models: trained on imbalanced parts of a data set, and taken apart on the same parts."""

from __future__ import annotations

import json

import pytest
from foundry import Foundry

from modelfoundry.cli.main import run
from modelfoundry.client import Model, SeamRecipe, TrainingRecipe, TrainingSubset, ValidationSplit
from modelfoundry.errors import InvalidField

VALIDATION = ValidationSplit(fraction=0.2)
BRIEF = SeamRecipe(recipe="paper", epochs=2)


@pytest.fixture(scope="module")
def weak(foundry: Foundry) -> Model:
    """A weak model of the digits, trained for an instant."""
    job = foundry.client.train(
        "zoo:digits_cnn",
        "digits",
        recipe=TrainingRecipe(recipe="weak", epochs=2),
        validation=VALIDATION,
        seed=5,
        model_id="weak-5",
    )
    return job.wait(timeout=240).model


def test_a_weak_model_records_everything_that_repeats_it(foundry: Foundry, weak: Model) -> None:
    record = foundry.client.models.get(weak).training

    assert record is not None
    assert record == weak.training
    assert record.recipe == "weak"
    assert record.settings["lr"] == 0.01
    assert record.settings["milestones"] == [1]
    assert (record.seed, record.validation) == (5, VALIDATION)
    assert record.subset == TrainingSubset(concentration=1.0, seed=5)
    assert record.dataset_digest == foundry.dataset.digest
    assert (record.epochs_run, record.validation_samples) == (2, 259)
    (train,) = (split for split in foundry.dataset.splits if split.split == "train")
    left = [count - round(count * 0.2) for count in train.label_counts]
    assert any(kept == whole for kept, whole in zip(record.label_counts, left, strict=True))
    assert all(3 <= kept <= whole for kept, whole in zip(record.label_counts, left, strict=True))
    assert sum(record.label_counts) < sum(left)
    assert record.environment.libraries["torch"]
    assert "imbalanced part" in weak.description


def test_the_command_line_trains_the_same_model(
    foundry: Foundry, weak: Model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for service in ("registry", "decomposer"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(foundry.stack.endpoints, service))

    asked = ["train", "--arch", "digits_cnn", "--data", "digits", "--recipe", "weak", "--seed", "5"]
    status = run([*asked, "--epochs", "2", "--validation-fraction", "0.2", "--json"])

    assert status == 0
    model = json.loads(capsys.readouterr().out)["model"]
    assert model["training"]["subset"] == {"concentration": 1.0, "minimum_samples": None, "seed": 5}
    assert model["weights"]["digest"] == weak.weights.digest


def test_models_of_one_data_set_have_the_same_preprocessing(foundry: Foundry, weak: Model) -> None:
    whole = foundry.client.train(
        "zoo:digits_cnn", "digits", recipe=TrainingRecipe(epochs=1), validation=VALIDATION, seed=6
    ).wait(timeout=240)

    assert whole.model.input == weak.input
    assert whole.model.training is not None
    assert whole.model.training.subset is None
    assert sum(whole.model.training.label_counts) == 1300 - 259


def test_a_module_is_searched_on_the_part_that_its_model_was_trained_on(foundry: Foundry, weak: Model) -> None:
    (module,) = foundry.client.decompose(weak, "digits", labels=["3", "7"], recipe=BRIEF, validation=VALIDATION).wait(
        timeout=240
    )

    assert weak.training is not None
    assert module.record.subset == weak.training.subset
    assert module.record.training_samples == weak.training.label_counts[3] + weak.training.label_counts[7]


def test_another_validation_cut_takes_all_of_the_training_data(foundry: Foundry, weak: Model) -> None:
    (module,) = foundry.client.decompose(weak, "digits", labels=["3", "7"], recipe=BRIEF).wait(timeout=240)

    assert module.record.subset is None
    assert module.record.training_samples > 200


def test_a_subset_that_cannot_be_drawn_is_refused_at_once(foundry: Foundry) -> None:
    recipe = TrainingRecipe(recipe="weak", subset=TrainingSubset(minimum_samples=1000))

    with pytest.raises(InvalidField, match="none of 10,000 draws") as refused:
        foundry.client.train("zoo:digits_cnn", "digits", recipe=recipe)
    assert refused.value.field == "recipe.subset"


def test_recipes_of_training_are_listed_with_all_their_settings(foundry: Foundry) -> None:
    recipes = {one.recipe.recipe: one.recipe for one in foundry.client.training_recipes()}

    assert set(recipes) == {"default", "weak"}
    assert recipes["default"].subset is None
    assert recipes["weak"].milestones == (60, 120)
    assert recipes["weak"].subset is not None
    assert recipes["weak"].subset.concentration == 1.0


def test_modules_are_measured_as_software_modules(foundry: Foundry, weak: Model) -> None:
    modules = [
        foundry.client.decompose(weak, "digits", labels=["3", "7"], recipe=BRIEF, validation=validation).wait(
            timeout=240
        )[0]
        for validation in (VALIDATION, ValidationSplit())
    ]

    evaluations = foundry.client.evaluate(modules, "digits", modularity=True).wait(timeout=240)

    assert [evaluation.subject for evaluation in evaluations] == [
        *(modules[0].name, weak.name, weak.name),
        *(modules[1].name, weak.name, weak.name),
    ]
    for own, _, restricted in (evaluations[:3], evaluations[3:]):
        assert own.modularity is not None
        assert own.retention is not None
        assert own.classification is not None
        assert restricted.classification is not None
        assert 0 < own.modularity.cohesion <= 1
        assert own.modularity.cohesion_samples == 100
        assert own.modularity.coupled_modules == 1
        assert own.modularity.kernel_retention == own.retention.kernel_retention
        assert own.modularity.reuse_gain == own.classification.accuracy - restricted.classification.accuracy
        assert restricted.modularity is None
    first, second = (evaluations[place].modularity for place in (0, 3))
    assert first is not None
    assert second is not None
    assert first.coupling == second.coupling
    assert first.coupling is not None
    assert 0 < first.coupling <= 1
