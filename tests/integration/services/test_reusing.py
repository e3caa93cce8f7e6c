"""Predictions and exports through the running services."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import safetensors.numpy
import torch
from foundry import QUICK, Foundry
from PIL import Image

from modelfoundry import errors
from modelfoundry.client import ExportFormat, Module
from modelfoundry.core.export import load_exported


@pytest.fixture(scope="module")
def module(foundry: Foundry) -> Module:
    return foundry.client.decompose("digits-cnn", "digits", label="3", recipe=QUICK).wait(timeout=240)[0]


@pytest.fixture(scope="module")
def images(foundry: Foundry, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    test = next(split for split in foundry.dataset.splits if split.split == "test")
    path = foundry.client.blobs.download(test.content, tmp_path_factory.mktemp("split") / "test.safetensors")
    return safetensors.numpy.load_file(path)["images"][:32]


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image[0], "L").save(file, "PNG")
    return file.getvalue()


def test_a_png_and_its_pixels_get_the_same_answer(foundry: Foundry, module: Module, images: np.ndarray) -> None:
    as_pixels = foundry.client.predict(module, list(images[:4]))
    as_files = foundry.client.predict(module, [png(image) for image in images[:4]])
    assert as_files == as_pixels
    assert {each.label for each in as_pixels[0].labels} == {"3", "rest"}
    assert sum(each.probability for each in as_pixels[0].labels) == pytest.approx(1)
    assert as_pixels[0].subject_digest == module.artifact.digest


def test_a_model_answers_with_its_most_probable_labels_first(foundry: Foundry, images: np.ndarray) -> None:
    (answer,) = foundry.client.predict("models/digits-cnn", images[:1], top_k=3)
    probabilities = [each.probability for each in answer.labels]
    assert len(probabilities) == 3
    assert probabilities == sorted(probabilities, reverse=True)


def test_an_alias_is_used_as_what_it_stands_for(foundry: Foundry, module: Module, images: np.ndarray) -> None:
    client = foundry.client
    client.aliases.set("three@champion", module)
    client.aliases.set("models/net@live", foundry.model)
    assert client.predict("three@champion", images[:2]) == client.predict(module, images[:2])
    assert client.predict("models/net@1", images[:1])[0].subject_digest == foundry.model.weights.digest
    assert client.export("three@champion").wait(timeout=240).subject == module.name
    (measured,) = client.evaluate("three@champion", "digits").wait(timeout=240)
    assert measured.subject == module.name
    (made,) = client.decompose("net@live", "digits", label="3", recipe=QUICK).wait(timeout=240)
    assert made.base_model == foundry.model.name
    client.aliases.delete("three@champion")


def test_a_deleted_module_does_not_go_on_answering(foundry: Foundry, images: np.ndarray) -> None:
    job = foundry.client.decompose("digits-cnn", "digits", label="8", recipe=QUICK, module_id="short-lived")
    (module,) = job.wait(timeout=240)
    foundry.client.predict(module, images[:1])
    foundry.client.modules.delete(module)
    with pytest.raises(errors.NotFound):
        foundry.client.predict("short-lived", images[:1])


@pytest.mark.parametrize(
    ("image", "field"),
    [
        pytest.param(b"not an image", "images[1].encoded", id="no image"),
        pytest.param(png(np.zeros((1, 8, 8), np.uint8))[:40], "images[1].encoded", id="a truncated PNG"),
        pytest.param(np.zeros((3, 8, 8), np.uint8), "images[1].pixels.shape", id="another shape"),
    ],
)
def test_a_bad_image_is_named(
    foundry: Foundry, module: Module, images: np.ndarray, image: bytes | np.ndarray, field: str
) -> None:
    with pytest.raises(errors.InvalidImage) as caught:
        foundry.client.predict(module, [png(images[0]) if isinstance(image, bytes) else images[0], image])
    assert caught.value.field == field
    assert caught.value.hint


@pytest.mark.parametrize("export_format", list(ExportFormat), ids=str)
def test_every_export_gives_the_outputs_of_predict(
    foundry: Foundry, module: Module, images: np.ndarray, tmp_path: Path, export_format: ExportFormat
) -> None:
    files = foundry.client.modules.download(module, tmp_path, export_format)
    assert "module.json" in {path.name for path in files}
    logits = run_exported(tmp_path, export_format, images.astype(np.float32) / 255)
    described = json.loads((tmp_path / "module.json").read_text())
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = exponents / exponents.sum(axis=1, keepdims=True)
    for answer, row in zip(foundry.client.predict(module, list(images)), expected, strict=True):
        found = {each.label: each.probability for each in answer.labels}
        assert [found[label] for label in described["output"]["labels"]] == pytest.approx(row.tolist(), abs=1e-4)


def run_exported(folder: Path, export_format: ExportFormat, images: np.ndarray) -> np.ndarray:
    if export_format is ExportFormat.ONNX:
        return np.asarray(onnxruntime.InferenceSession(folder / "model.onnx").run(None, {"images": images})[0])
    if export_format is ExportFormat.TORCH_EXPORT:
        program = torch.export.load(folder / "model.pt2").module()
    else:
        program = load_exported(folder)
    with torch.inference_mode():
        return program(torch.from_numpy(images)).numpy()


def test_the_same_export_is_not_made_twice(foundry: Foundry, module: Module) -> None:
    first = foundry.client.export(module, "safetensors")
    first.wait(timeout=240)
    assert foundry.client.export(module, "safetensors").name == first.name
