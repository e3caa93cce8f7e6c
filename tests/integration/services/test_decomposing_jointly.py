"""From a trained model to kernel-level modules of all its labels, through the running services."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from foundry import Foundry
from torch import nn

from modelfoundry import client as sdk
from modelfoundry import errors
from modelfoundry.client import BinaryProblem, GradSplitterRecipe, Module, OpenSetProblem, ProgressMade, ValidationSplit
from modelfoundry.core.datasets import read_split, write_split
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec

QUICK = GradSplitterRecipe(
    warmup_epochs=2, cycles=1, mask_epochs=3, head_epochs=1, lr_warmup=0.05, lr_mask=0.03, accuracy_loss=1.0
)
"""Enough steps to drop kernels; not enough to be good."""
GROUPS = (("3", "8"), ("7",))


@pytest.fixture(scope="module")
def modules(foundry: Foundry) -> Sequence[Module]:
    """Nine modules: two labels share one."""
    job = foundry.client.decompose_all("digits-cnn", "digits", label_groups=GROUPS, recipe=QUICK, seed=7)
    return job.wait(timeout=280)


def test_every_label_gets_a_module_and_groups_share_one(foundry: Foundry, modules: Sequence[Module]) -> None:
    assert [module.problem for module in modules] == [
        *(BinaryProblem(label) for label in "012"),
        OpenSetProblem(("3", "8")),
        *(BinaryProblem(label) for label in "45679"),
    ]
    assert modules[3].outputs == ("3", "8", "rest")
    assert all(module.base_digest == foundry.model.weights.digest for module in modules)
    assert modules[0].id.startswith("digits-cnn-0-")
    assert modules[3].id.startswith("digits-cnn-3-8-")


def test_each_record_repeats_the_search_and_says_what_it_saw(foundry: Foundry, modules: Sequence[Module]) -> None:
    for record in (module.record for module in modules):
        assert record.algorithm == "gradsplitter"
        assert (record.seed, record.epochs_run) == (7, 6)
        assert record.settings["cycles"] == 1
        assert record.settings["alpha"] == 0.1
        assert record.dataset_digest == foundry.dataset.digest
        assert 0 < record.validation_accuracy <= 1
        assert record.validation_accuracy_base > 0.5
        assert record.joint is not None
        assert 0 < record.joint.accuracy <= 1
        assert record.joint.accuracy_base > 0.5
        assert record.joint.samples == 130
        assert 0 < record.validation_samples < 130  # of its own problem, half of them of the rest
        assert not record.holds_joint
        assert record.training_samples == 1170
    kept = [module.retention.kernel_retention for module in modules if module.retention]
    assert len(kept) == len(modules)
    assert all(0 < share <= 1 for share in kept)
    assert min(kept) < 1


def test_the_modules_answer_and_are_measured_like_any_other(foundry: Foundry, modules: Sequence[Module]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    (first, *_) = foundry.client.predict(modules[3], images)
    assert {answer.label for answer in first.labels} == {"3", "8", "rest"}
    found = foundry.client.evaluate([modules[0], modules[3]], "digits", baselines=True).wait(timeout=200)
    assert [evaluation.problem for evaluation in found[::3]] == [modules[0].problem, modules[3].problem]
    assert found[3].classification is not None
    assert found[3].classification.confusion.labels == ("3", "8", "rest")


def test_modules_of_one_base_are_distilled_together(foundry: Foundry) -> None:
    quick = GradSplitterRecipe(recipe="distilled", steps=4, batch_size=32, retention=0.6, shared=0.4)
    found = foundry.client.decompose_all("digits-cnn", "digits", recipe=quick, seed=3).wait(timeout=280)
    assert [module.problem for module in found] == [BinaryProblem(label) for label in "0123456789"]
    kept = [module.retention.kernel_retention for module in found if module.retention]
    assert sum(kept) / 10 == pytest.approx(0.6, abs=0.02)
    record = found[0].record
    assert (record.settings["recipe"], record.settings["shared"], record.epochs_run) == ("distilled", 0.4, 0)
    assert record.joint is not None
    assert record.joint.accuracy > 0.5
    assert record.validation_accuracy > 0.5


def test_an_export_of_a_module_with_a_deep_head_runs(
    foundry: Foundry, modules: Sequence[Module], tmp_path: Path
) -> None:
    paths = foundry.client.modules.download(modules[3], tmp_path, "safetensors")
    assert {path.name for path in paths} == {"model.safetensors", "module.json"}


def test_progress_tells_phase_and_figures(foundry: Foundry, modules: Sequence[Module]) -> None:
    told = [
        event.progress
        for event in foundry.client.jobs.get(modules[0].record.operation).events()
        if isinstance(event, ProgressMade)
    ]
    assert {"accuracy", "kernel_retention", "loss"} <= set(told[-1].metrics)


def test_the_same_request_gives_the_same_modules_at_once(foundry: Foundry, modules: Sequence[Module]) -> None:
    job = foundry.client.decompose_all("digits-cnn", "digits", label_groups=GROUPS, recipe=QUICK, seed=7)
    assert job.status.cache_hit
    assert [module.name for module in job.wait(timeout=60)] == [module.name for module in modules]


def test_a_forced_search_finds_the_same_bits_beside_the_first(foundry: Foundry, modules: Sequence[Module]) -> None:
    job = foundry.client.decompose_all("digits-cnn", "digits", label_groups=GROUPS, recipe=QUICK, seed=7, force=True)
    again = job.wait(timeout=280)
    assert [module.artifact.digest for module in again] == [module.artifact.digest for module in modules]
    assert not {module.name for module in again} & {module.name for module in modules}


def test_a_name_that_is_taken_in_the_middle_leaves_nothing(foundry: Foundry, modules: Sequence[Module]) -> None:
    taken = foundry.client.modules.get(modules[0])
    foundry.client.modules.create(taken, module_id="mine-5")
    quicker = replace(QUICK, warmup_epochs=1, mask_epochs=1, head_epochs=0)  # whatever is found is registered
    job = foundry.client.decompose_all("digits-cnn", "digits", recipe=quicker, module_id="mine")
    with pytest.raises(errors.AlreadyExists) as caught:
        job.wait(timeout=280)
    assert caught.value.field == "module_id"
    ids = [module.id for module in foundry.client.modules.list() if module.id.startswith("mine")]
    assert ids == ["mine-5"]


def test_the_recipe_is_listed_with_all_settings(foundry: Foundry) -> None:
    paper, distilled = foundry.client.gradsplitter_recipes()
    assert paper.recipe == GradSplitterRecipe(
        recipe="paper",
        warmup_epochs=5,
        cycles=20,
        mask_epochs=5,
        head_epochs=2,
        batch_size=64,
        lr_warmup=0.01,
        lr_head=0.001,
        lr_mask=0.001,
        alpha=0.1,
        head_width=10,
        accuracy_loss=0.01,
    )
    assert paper.description
    assert distilled.recipe.recipe == "distilled"
    assert [one.recipe.recipe for one in foundry.client.recipes()] == ["distilled", "paper"]


PATH = "gradsplitter.label_groups"
REFUSED: list[Any] = [
    pytest.param({"label_groups": [["3", "horse"]]}, errors.UnknownLabel, f"{PATH}[0].labels[1]", id="unknown label"),
    pytest.param(
        {"label_groups": [["1", "2"], ["4", "2"]]}, errors.InvalidField, f"{PATH}[1].labels[1]", id="in two groups"
    ),
    pytest.param({"label_groups": [["1", "1"]]}, errors.InvalidField, f"{PATH}[0].labels[1]", id="twice in one"),
    pytest.param({"label_groups": [["1"], []]}, errors.InvalidField, f"{PATH}[1].labels", id="empty group"),
    pytest.param({"label_groups": [list("0123456789")]}, errors.InvalidField, f"{PATH}[0].labels", id="all labels"),
    pytest.param(
        {"recipe": GradSplitterRecipe(recipe="papre")}, errors.InvalidField, "gradsplitter.recipe.recipe", id="recipe"
    ),
    pytest.param(
        {"recipe": GradSplitterRecipe(lr_mask=0.0)}, errors.InvalidField, "gradsplitter.recipe.lr_mask", id="rate of 0"
    ),
    pytest.param({"module_id": "m" * 41}, errors.InvalidField, "module_id", id="long beginning of ids"),
    pytest.param({"module_id": "No/Good"}, errors.InvalidField, "module_id", id="path characters"),
    pytest.param(
        {"validation": ValidationSplit(source_split="test")},
        errors.TestSplitSealed,
        "validation.source_split",
        id="test split",
    ),
]


@pytest.mark.parametrize(("arguments", "error", "field"), REFUSED)
def test_a_bad_request_names_field_and_remedy_and_starts_nothing(
    foundry: Foundry, arguments: dict[str, Any], error: type[errors.ModelFoundryError], field: str
) -> None:
    before = [job.name for job in foundry.client.jobs.list()]
    with pytest.raises(error) as caught:
        foundry.client.decompose_all("digits-cnn", "digits", **arguments)
    assert caught.value.field == field
    assert caught.value.hint
    assert [job.name for job in foundry.client.jobs.list()] == before


def test_a_data_set_that_lacks_a_label_of_the_model_is_refused(foundry: Foundry, tmp_path: Path) -> None:
    (tmp_path / "cut").mkdir()
    train = foundry.client.blobs.download(foundry.dataset.splits[0].content.digest, tmp_path / "whole")
    split = read_split(train)
    write_split(tmp_path / "cut" / "train.safetensors", split.subset((split.labels != 4).nonzero().flatten()))
    foundry.client.datasets.push(tmp_path / "cut", labels=[str(label) for label in range(10)], dataset_id="no-four")
    with pytest.raises(errors.DatasetMismatch, match="0 images of '4'"):
        foundry.client.decompose_all("digits-cnn", "no-four")


def test_a_model_without_kernels_to_cut_is_refused_before_any_work(foundry: Foundry, tmp_path: Path) -> None:
    architecture = sdk.Architecture("timm:vit_tiny_patch16_224", {"img_size": 8, "patch_size": 4, "depth": 0})
    network: nn.Module = build_network(
        Architecture(architecture.builder, architecture.parameters), 10, InputSpec(1, 8, 8)
    )
    path = tmp_path / "vit.safetensors"
    safetensors.torch.save_file({name: torch.clone(value) for name, value in network.state_dict().items()}, path)
    foundry.client.models.push(
        path,
        architecture=architecture,
        input=sdk.InputSpec(1, 8, 8),
        labels=[str(digit) for digit in range(10)],
        model_id="vit",
    )
    before = [job.name for job in foundry.client.jobs.list()]
    with pytest.raises(errors.UnsupportedModel) as caught:
        foundry.client.decompose_all("vit", "digits", request_id=str(uuid.uuid4()))
    assert f"{caught.value.metadata['layer']} cannot be cut" in str(caught.value)
    assert caught.value.hint
    assert [job.name for job in foundry.client.jobs.list()] == before
