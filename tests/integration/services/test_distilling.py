"""The recipe `distilled` through the running services: made, measured, exported, composed, repeated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import safetensors.numpy
import torch
from foundry import Foundry

from modelfoundry import errors
from modelfoundry.cli.main import run
from modelfoundry.client import (
    Augmentation,
    ExportFormat,
    JobState,
    Model,
    Module,
    NewLabel,
    OpenSetProblem,
    ProgressMade,
    SeamRecipe,
    TrainingRecipe,
    ValidationSplit,
)
from modelfoundry.core.export import load_exported
from modelfoundry.core.modules import read_module
from modelfoundry.decomposer.algorithms.distilling.precision import decided

DISTILLED = SeamRecipe(recipe="distilled", retention=0.2, steps=60, batch_size=32, augmentation=Augmentation.CROP)


@pytest.fixture(scope="module")
def module(foundry: Foundry) -> Module:
    return foundry.client.decompose("digits-cnn", "digits", label="3", recipe=DISTILLED).wait(timeout=240)[0]


@pytest.fixture(scope="module")
def images(foundry: Foundry, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    test = next(split for split in foundry.dataset.splits if split.split == "test")
    path = foundry.client.blobs.download(test.content, tmp_path_factory.mktemp("split") / "test.safetensors")
    return safetensors.numpy.load_file(path)["images"][:32]


def test_a_module_keeps_the_share_asked_for_and_its_record_says_how(foundry: Foundry, module: Module) -> None:
    assert module.retention is not None
    assert (module.retention.kept_weights, module.retention.total_weights) == (11_279, 56_394)
    assert (module.record.algorithm, module.record.settings["recipe"]) == ("seam", "distilled")
    assert module.record.settings["retention"] == 0.2
    assert module.record.settings["precision"] == decided("auto", torch.device("cpu"))
    assert "epochs" not in module.record.settings
    assert module.record.epochs_run == 0
    assert module.record.training_samples == 1170
    assert module.artifact.size_bytes < 10_000


def test_its_file_has_rewritten_norms_and_log_odds(foundry: Foundry, module: Module, tmp_path: Path) -> None:
    stored = read_module(foundry.client.blobs.download(module.artifact, tmp_path / "module.safetensors"))
    norms = {f"features.{place}.{part}" for place in (1, 4, 8) for part in ("weight", "bias")}
    assert set(stored.rewritten.tensors) == norms
    assert set(stored.head.tensors) == {"scale", "bias"}


def test_it_is_evaluated_beside_its_base(foundry: Foundry, module: Module) -> None:
    (measured,) = foundry.client.evaluate(module, "digits").wait(timeout=240)
    assert measured.classification is not None
    assert measured.classification.accuracy > 0.85


@pytest.mark.parametrize("format_", [ExportFormat.ONNX, ExportFormat.SAFETENSORS], ids=str)
def test_it_is_exported_and_answers_as_before(
    foundry: Foundry, module: Module, images: np.ndarray, format_: ExportFormat, tmp_path: Path
) -> None:
    answers = foundry.client.predict(module, list(images))
    foundry.client.modules.download(module, tmp_path, format_)
    inputs = images.astype(np.float32) / 255
    if format_ is ExportFormat.ONNX:
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
        outputs = session.run(None, {session.get_inputs()[0].name: inputs})[0]
    else:
        with torch.no_grad():
            outputs = load_exported(tmp_path)(torch.from_numpy(inputs)).numpy()
    found = [module.outputs[place] for place in outputs.argmax(axis=1)]
    assert found == [answer.labels[0].label for answer in answers]
    assert set(found) == {"3", "rest"}


def test_a_card_tells_of_settings_and_of_no_epoch(foundry: Foundry, module: Module) -> None:
    card = foundry.client.cards.get(module).markdown
    assert "distilled" in card
    assert "Epoch" not in card


def test_it_is_composed(foundry: Foundry, module: Module) -> None:
    (other,) = foundry.client.decompose("digits-cnn", "digits", label="8", recipe=DISTILLED).wait(timeout=240)
    labels = [NewLabel(label="3", sources=[module]), NewLabel(label="8", sources=[other])]
    made = foundry.client.compose_labels(labels, "digits").wait(timeout=240)
    (measured,) = foundry.client.evaluate(made.composition, "digits").wait(timeout=240)
    assert measured.classification is not None
    assert measured.classification.accuracy > 0.8


def test_it_is_repeated_bit_by_bit(foundry: Foundry, module: Module) -> None:
    found = foundry.client.statements.rebuild(module).wait(timeout=240)
    assert found.equal, found.differences
    assert found.mask_entries == 56_394


@pytest.mark.parametrize(
    "problem",
    [{"labels": ["8", "1", "4"]}, {"problem": OpenSetProblem(("8", "1"))}],
    ids=["multi-class", "open-set"],
)
def test_groups_of_labels_are_distilled_too(foundry: Foundry, problem: dict[str, Any]) -> None:
    (made,) = foundry.client.decompose("digits-cnn", "digits", recipe=DISTILLED, **problem).wait(timeout=240)
    assert made.record.validation_accuracy > made.record.validation_accuracy_base - 0.1
    (measured,) = foundry.client.evaluate(made, "digits").wait(timeout=240)
    assert measured.classification is not None
    assert measured.classification.accuracy > 0.7


@pytest.mark.parametrize(
    ("recipe", "field"),
    [
        (SeamRecipe(recipe="distilled", retention=0.0), "seam.recipe.retention"),
        (SeamRecipe(recipe="distilled", retention=1.5), "seam.recipe.retention"),
        (SeamRecipe(recipe="distilled", epochs=3), "seam.recipe.epochs"),
        (SeamRecipe(recipe="paper", retention=0.1), "seam.recipe.retention"),
        (SeamRecipe(epochs=3), "seam.recipe.epochs"),
    ],
    ids=[
        "a share of 0",
        "a share above 1",
        "a setting of the paper's",
        "a setting that the paper's lacks",
        "a setting of the paper's, unnamed",
    ],
)
def test_bad_settings_are_refused_before_a_job_is_there(foundry: Foundry, recipe: SeamRecipe, field: str) -> None:
    before = [job.name for job in foundry.client.jobs.list()]
    with pytest.raises(errors.InvalidField) as caught:
        foundry.client.decompose("digits-cnn", "digits", label="1", recipe=recipe)
    assert caught.value.field == field
    assert caught.value.hint
    assert [job.name for job in foundry.client.jobs.list()] == before


def test_too_few_images_of_the_label_are_refused_before_a_job_is_there(foundry: Foundry) -> None:
    before = [job.name for job in foundry.client.jobs.list()]
    few = ValidationSplit(fraction=0.02)  # 26 images, of ten digits
    with pytest.raises(errors.DatasetMismatch, match=r"3 validation images of '1', this search needs 20 and 5"):
        foundry.client.decompose("digits-cnn", "digits", label="1", recipe=DISTILLED, validation=few)
    assert [job.name for job in foundry.client.jobs.list()] == before


def test_a_base_that_guesses_the_label_is_refused_before_the_work(foundry: Foundry) -> None:
    blind = TrainingRecipe(epochs=1, lr=1e-9)
    made: Model = (
        foundry.client.train("zoo:digits_cnn", "digits", recipe=blind, model_id="blind").wait(timeout=240).model
    )
    job = foundry.client.decompose(made, "digits", label="2", recipe=DISTILLED)
    with pytest.raises(errors.UnsupportedModel, match="guesses '2'"):
        job.wait(timeout=240)


def test_a_cancelled_job_leaves_nothing(foundry: Foundry) -> None:
    endless = SeamRecipe(recipe="distilled", steps=100_000)
    job = foundry.client.decompose("digits-cnn", "digits", label="0", recipe=endless, module_id="never-distilled")
    for event in job.events():
        if isinstance(event, ProgressMade) and event.progress.phase == "masks and norms":
            break
    job.cancel()
    with pytest.raises(errors.Cancelled):
        job.wait(timeout=60)
    assert job.refresh().state is JobState.CANCELLED
    with pytest.raises(errors.NotFound):
        foundry.client.modules.get("never-distilled")


def test_the_command_takes_recipe_and_settings(
    foundry: Foundry, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for service in ("registry", "decomposer"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(foundry.stack.endpoints, service))
    arguments = ["decompose", "digits-cnn", "--dataset", "digits", "--label", "7", "--recipe", "distilled"]
    assert run([*arguments, "--retention", "0.1", "--steps", "20", "--augmentation", "crop", "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert made["record"]["settings"]["retention"] == 0.1
    assert made["retention"]["kept_weights"] == 5639
