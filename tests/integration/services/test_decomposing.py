"""From a trained model to a module in the registry, through the running services."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from foundry import QUICK, Foundry

from modelfoundry import client as sdk
from modelfoundry import errors
from modelfoundry.client import BinaryProblem, JobState, ProgressMade, Relation, SeamRecipe, ValidationSplit
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec


def test_a_binary_module_is_searched_and_registered_with_everything_that_repeats_it(foundry: Foundry) -> None:
    job = foundry.client.decompose("digits-cnn", "digits", label="3", recipe=QUICK, seed=7)
    (module,) = job.wait(timeout=240)
    assert module.problem == BinaryProblem("3")
    assert module.outputs == ("3", "rest")
    assert module.base_digest == foundry.model.weights.digest
    assert module.retention is not None
    assert 0 < module.retention.weight_retention < 1
    assert module.retention.total_weights == 56_394
    assert module.record.seed == 7
    assert module.record.settings["epochs"] == 8
    assert module.record.settings["lr_head"] == 0.1
    assert module.record.dataset_digest == foundry.dataset.digest
    assert module.record.environment.libraries["torch"]
    assert module.record.environment.threads >= 1
    assert module.record.operation == job.name
    assert module.artifact.size_bytes < foundry.model.weights.size_bytes / 10


def test_provenance_leads_from_the_module_to_model_data_and_job(foundry: Foundry) -> None:
    job = foundry.client.decompose("digits-cnn", "digits", label="3", recipe=QUICK, seed=7)
    (module,) = job.wait(timeout=240)
    edges = {(edge.relation, edge.object) for edge in foundry.client.provenance(f'subject = "{module.name}"')}
    assert edges == {
        (Relation.MODULE_OF, foundry.model.name),
        (Relation.TRAINED_ON, foundry.dataset.name),
        (Relation.PRODUCED_BY, module.record.operation),
    }


def test_a_multi_class_module_answers_with_its_labels(foundry: Foundry) -> None:
    job = foundry.client.decompose("digits-cnn", "digits", labels=["8", "1", "4"], recipe=QUICK)
    (module,) = job.wait(timeout=240)
    assert module.outputs == ("8", "1", "4")


def test_equal_work_gives_the_module_that_is_there(foundry: Foundry) -> None:
    first = foundry.client.decompose("digits-cnn", "digits", label="5", recipe=QUICK)
    (module,) = first.wait(timeout=240)
    again = foundry.client.decompose("digits-cnn", "digits", label="5", recipe=QUICK)
    assert again.name == first.name
    assert again.status.state is JobState.SUCCEEDED
    assert again.wait(timeout=10) == (module,)


def test_a_deleted_module_is_searched_again_and_bit_identical(foundry: Foundry) -> None:
    first = foundry.client.decompose("digits-cnn", "digits", label="6", recipe=QUICK)
    (module,) = first.wait(timeout=240)
    foundry.client.modules.delete(module)
    second = foundry.client.decompose("digits-cnn", "digits", label="6", recipe=QUICK)
    (rebuilt,) = second.wait(timeout=240)
    assert second.name != first.name
    assert rebuilt.artifact.digest == module.artifact.digest


def test_a_forced_search_stands_beside_the_first_and_is_bit_identical(foundry: Foundry) -> None:
    (module,) = foundry.client.decompose("digits-cnn", "digits", label="5", recipe=QUICK).wait(timeout=240)
    (forced,) = foundry.client.decompose("digits-cnn", "digits", label="5", recipe=QUICK, force=True).wait(timeout=240)
    assert forced.name != module.name
    assert forced.artifact.digest == module.artifact.digest


def test_another_seed_gives_another_module(foundry: Foundry) -> None:
    (module,) = foundry.client.decompose("digits-cnn", "digits", label="5", recipe=QUICK).wait(timeout=240)
    (other,) = foundry.client.decompose("digits-cnn", "digits", label="5", recipe=QUICK, seed=1).wait(timeout=240)
    assert other.artifact.digest != module.artifact.digest


def test_progress_tells_phase_epoch_and_figures(foundry: Foundry) -> None:
    job = foundry.client.decompose("digits-cnn", "digits", label="9", recipe=replace(QUICK, epochs=9), seed=3)
    job.wait(timeout=240)
    told = [event.progress for event in job.events() if isinstance(event, ProgressMade)]
    assert told
    assert told[-1].total_units > 0
    assert {"accuracy", "weight_retention"} <= set(told[-1].metrics)


REFUSED: list[Any] = [
    pytest.param(
        {"label": "horse"}, errors.UnknownLabel, "seam.problem.binary.label", id="a label that the model lacks"
    ),
    pytest.param({"labels": ["1"]}, errors.InvalidField, "seam.problem.multi_class.labels", id="one label only"),
    pytest.param({"labels": ["1", "1"]}, errors.InvalidField, "seam.problem.multi_class.labels[1]", id="a label twice"),
    pytest.param({}, errors.InvalidField, "seam.problem", id="no problem"),
    pytest.param(
        {"label": "1", "validation": ValidationSplit(source_split="test")},
        errors.TestSplitSealed,
        "validation.source_split",
        id="validation data from the test split",
    ),
    pytest.param(
        {"label": "1", "validation": ValidationSplit(source_split="trian")},
        errors.InvalidField,
        "validation.source_split",
        id="a split that is not there",
    ),
    pytest.param(
        {"label": "1", "validation": ValidationSplit(fraction=0.9)},
        errors.InvalidField,
        "validation.fraction",
        id="too much validation data",
    ),
    pytest.param(
        {"label": "1", "recipe": SeamRecipe(recipe="papre")},
        errors.InvalidField,
        "seam.recipe.recipe",
        id="no such recipe",
    ),
    pytest.param(
        {"label": "1", "recipe": SeamRecipe(recipe="paper", lr_mask=-1.0)},
        errors.InvalidField,
        "seam.recipe.lr_mask",
        id="a rate below 0",
    ),
    pytest.param(
        {"label": "1", "recipe": SeamRecipe(recipe="paper", alpha=float("nan"))},
        errors.InvalidField,
        "seam.recipe.alpha",
        id="alpha NaN",
    ),
    pytest.param({"label": "1", "module_id": "No/Good"}, errors.InvalidField, "module_id", id="path characters"),
    pytest.param({"label": "x" * 100_000}, errors.ModelFoundryError, "seam.problem.binary.label", id="a huge label"),
    pytest.param({"label": "1", "request_id": "seven"}, errors.InvalidField, "request_id", id="no UUID"),
]


@pytest.mark.parametrize(("arguments", "error", "field"), REFUSED)
def test_a_bad_request_names_field_and_remedy_and_starts_nothing(
    foundry: Foundry, arguments: dict[str, Any], error: type[errors.ModelFoundryError], field: str
) -> None:
    before = [job.name for job in foundry.client.jobs.list()]
    with pytest.raises(error) as caught:
        foundry.client.decompose("digits-cnn", "digits", **arguments)
    assert caught.value.field == field
    assert caught.value.hint
    assert len(str(caught.value)) < 1000
    assert [job.name for job in foundry.client.jobs.list()] == before


def test_an_unknown_model_suggests_the_near_one(foundry: Foundry) -> None:
    with pytest.raises(errors.NotFound) as caught:
        foundry.client.decompose("digit-cnn", "digits", label="1")
    assert "digits-cnn" in caught.value.hint + str(caught.value.metadata)


def test_a_repeated_request_id_gives_the_first_job(foundry: Foundry) -> None:
    request_id = str(uuid.uuid4())
    arguments: dict[str, Any] = {"label": "2", "recipe": QUICK, "request_id": request_id}
    first = foundry.client.decompose("digits-cnn", "digits", **arguments)
    second = foundry.client.decompose("digits-cnn", "digits", **arguments)
    assert second.name == first.name
    with pytest.raises(errors.RequestIdReused):
        foundry.client.decompose("digits-cnn", "digits", label="4", recipe=QUICK, request_id=request_id)
    first.wait(timeout=240)


def test_a_cancelled_job_ends_as_cancelled_and_leaves_no_module(foundry: Foundry) -> None:
    job = foundry.client.decompose(
        "digits-cnn", "digits", label="0", recipe=SeamRecipe(recipe="paper", epochs=10_000), module_id="never-made"
    )
    for event in job.events():
        if isinstance(event, ProgressMade):
            break
    job.cancel()
    with pytest.raises(errors.Cancelled):
        job.wait(timeout=60)
    assert job.refresh().state is JobState.CANCELLED
    with pytest.raises(errors.NotFound):
        foundry.client.modules.get("never-made")


def test_a_data_set_that_does_not_fit_the_model_is_refused_with_both_shapes(foundry: Foundry, tmp_path: Path) -> None:
    network = build_network(Architecture("zoo:resnet20"), 10, InputSpec(3, 32, 32))
    weights = tmp_path / "resnet20.safetensors"
    safetensors.torch.save_file(network.state_dict(), weights)
    foundry.client.models.push(
        weights,
        architecture=sdk.Architecture("zoo:resnet20"),
        input=sdk.InputSpec(3, 32, 32),
        labels=[str(digit) for digit in range(10)],
        model_id="colour",
    )
    with pytest.raises(errors.DatasetMismatch) as caught:
        foundry.client.decompose("colour", "digits", label="1")
    assert caught.value.field == "dataset"
    assert "1x8x8" in str(caught.value)
    assert "3x32x32" in str(caught.value)
