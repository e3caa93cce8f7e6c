"""Exports with smaller weights, or computed in int8: measured, described, and read again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.export import (
    ExportImages,
    ExportSubject,
    classifier_of,
    export_onnx,
    export_safetensors,
    load_exported,
    onnx_program,
)
from modelfoundry.core.export.measuring import measured_beside
from modelfoundry.errors import ExportMismatch
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.file_forms import Compute, ExportForm, WeightFormat

Make = Callable[[str, InputSpec], ExportSubject]
DIGITS = InputSpec(1, 8, 8, mean=(0.3,), std=(0.25,))
PIXELS = torch.randint(0, 256, (64, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))
INT8 = ExportForm(weights=WeightFormat.INT8, compute=Compute.INT8)


@pytest.fixture(scope="module")
def digits(model_subject: Make) -> ExportSubject:
    return model_subject("zoo:digits_cnn", DIGITS)


@pytest.fixture(scope="module")
def images(digits: ExportSubject) -> ExportImages:
    """Validation images that the network answers as they are labelled."""
    with torch.no_grad():
        answers = classifier_of(digits)(PIXELS / 255).argmax(dim=1)
    return ExportImages(PIXELS, ImageSet(PIXELS, answers), "projects/p/datasets/digits", "train")


@pytest.mark.parametrize(
    ("form", "most_bytes"),
    [(ExportForm(weights=WeightFormat.FP16), 0.55), (ExportForm(weights=WeightFormat.INT8), 0.35), (INT8, 0.35)],
    ids=str,
)
def test_a_file_says_how_it_is_kept_and_how_it_answers(
    digits: ExportSubject, images: ExportImages, tmp_path: Path, form: ExportForm, most_bytes: float
) -> None:
    done = export_onnx(digits, tmp_path, form, images)
    content = (tmp_path / "model.onnx").read_bytes()
    numbers = sum(parameter.numel() for parameter in digits.network.parameters())
    assert len(content) < most_bytes * 4 * numbers
    described = json.loads((tmp_path / "module.json").read_text())
    assert (described["weights"], described["compute"]) == (form.weights, form.compute)
    measured = done.measured
    assert measured is not None
    assert described["measured"]["accuracy"] == measured.accuracy
    answers = onnx_program(content)(PIXELS / 255).argmax(dim=1)
    assert measured.accuracy == float((answers == images.validation.labels).double().mean()) == measured.agreement
    assert (measured.accuracy_fp32, measured.sample_count, measured.split) == (1.0, 64, "train")
    assert measured.calibration_samples == (64 if form == INT8 else 0)
    assert done.max_difference > 0


def test_without_images_weights_are_kept_smaller_and_nothing_is_said_of_answers(
    digits: ExportSubject, tmp_path: Path
) -> None:
    done = export_onnx(digits, tmp_path, ExportForm(weights=WeightFormat.FP16))
    assert done.measured is None
    assert "measured" not in json.loads((tmp_path / "module.json").read_text())
    with pytest.raises(ValueError, match="calibrated on images"):
        export_onnx(digits, tmp_path, INT8)


def test_float16_tensors_are_read_again(digits: ExportSubject, images: ExportImages, tmp_path: Path) -> None:
    done = export_safetensors(digits, tmp_path, ExportForm(weights=WeightFormat.FP16), images)
    kept = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert kept["features.0.weight"].dtype is torch.float16
    assert {tensor.dtype for name, tensor in kept.items() if name.endswith(("bias", "running_var"))} == {torch.float32}
    rebuilt = load_exported(tmp_path)
    assert {parameter.dtype for parameter in rebuilt.parameters()} == {torch.float32}
    expected = digits.network.state_dict()["features.0.weight"].half().float()
    assert torch.equal(rebuilt.network.state_dict()["features.0.weight"], expected)
    assert done.measured is not None
    assert done.measured.accuracy > 0.9
    assert json.loads((tmp_path / "module.json").read_text())["measured"]["accuracy"] == done.measured.accuracy


def test_files_without_another_form_say_nothing_of_one(digits: ExportSubject, tmp_path: Path) -> None:
    assert export_onnx(digits, tmp_path).measured is None
    assert not {"weights", "compute", "measured"} & json.loads((tmp_path / "module.json").read_text()).keys()


def test_a_file_that_answers_much_worse_is_none(images: ExportImages) -> None:
    def exact(batch: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(images.validation.labels, 10).float()[: len(batch)]

    def forgetful(share: int) -> Callable[[Tensor], Tensor]:
        def program(batch: Tensor) -> Tensor:
            logits = exact(batch).clone()
            logits[:share] = logits[:share].roll(1, dims=1)
            return logits

        return program

    assert measured_beside(forgetful(6), exact, images, 0).accuracy == 58 / 64
    with pytest.raises(ExportMismatch, match="89") as caught:
        measured_beside(forgetful(7), exact, images, 0)
    assert "fp16" in caught.value.hint
