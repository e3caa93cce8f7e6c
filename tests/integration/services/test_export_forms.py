"""Exports with smaller weights and in int8, through the running services and the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import safetensors.numpy
from foundry import QUICK, Foundry

from modelfoundry import errors
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.main import run
from modelfoundry.client import Compute, Scoring, WeightFormat


@pytest.fixture(scope="module")
def held_out(foundry: Foundry, tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    test = next(split for split in foundry.dataset.splits if split.split == "test")
    path = foundry.client.blobs.download(test.content, tmp_path_factory.mktemp("split") / "test.safetensors")
    stored = safetensors.numpy.load_file(path)
    return stored["images"].astype(np.float32) / 255, stored["labels"]


def test_a_model_in_int8_answers_nearly_as_well_and_says_so(
    foundry: Foundry, held_out: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    client, images = foundry.client, held_out[0]
    export = client.hub.export_files(foundry.model, tmp_path / "int8", "onnx", compute="int8")
    assert (export.weights, export.compute) == (WeightFormat.INT8, Compute.INT8)
    measured = export.measured
    assert measured is not None
    assert (measured.dataset, measured.split, measured.calibration_samples) == (foundry.dataset.name, "train", 256)
    assert measured.sample_count == foundry.model.training.validation_samples
    assert measured.accuracy_fp32 == pytest.approx(foundry.model.training.validation_accuracy)
    assert measured.accuracy > measured.accuracy_fp32 - 0.05
    described = json.loads((tmp_path / "int8" / "module.json").read_text())
    assert described["measured"]["accuracy"] == measured.accuracy
    session = onnxruntime.InferenceSession(tmp_path / "int8" / "model.onnx")
    labels = [described["output"]["labels"][best] for best in session.run(None, {"images": images})[0].argmax(axis=1)]
    expected = [
        answer.labels[0].label for answer in client.predict(foundry.model, list((images * 255).astype("uint8")))
    ]
    assert np.mean([a == b for a, b in zip(labels, expected, strict=True)]) > 0.95


def test_modules_and_what_is_got_take_the_same_choices(foundry: Foundry, tmp_path: Path) -> None:
    client = foundry.client
    (module,) = client.decompose("digits-cnn", "digits", label="3", recipe=QUICK).wait(timeout=240)
    whole = client.export(module, "onnx").wait(timeout=240)
    for weights, compute in (("fp16", None), ("int8", None), (None, "int8")):
        export = client.export(module, "onnx", weights=weights, compute=compute).wait(timeout=240)
        assert export.files[0].content.size_bytes < whole.files[0].content.size_bytes
        assert export.measured is not None
        assert export.measured.agreement > 0.9
    assert whole.measured is None
    delivered = client.request(["3"], format="onnx", compute="int8").wait(timeout=240)
    assert delivered.exports[0].compute is Compute.INT8
    assert delivered.exports[0].files[0].content == export.files[0].content
    folder = client.hub.export(module, tmp_path / "hub", compute="int8")
    assert "answers" in (folder / "README.md").read_text()
    assert json.loads((folder / "config.json").read_text())["model.onnx"]["compute"] == "int8"
    assert client.hub.import_folder(folder).labels == ("3", "rest")


def test_what_the_file_in_int8_answers_stands_on_the_card_beside_float32(foundry: Foundry) -> None:
    client = foundry.client
    job = client.evaluate(foundry.model, "digits", compute="int8", latency_batch_sizes=[1])
    whole, in_int8 = job.wait(timeout=240)
    assert (whole.scoring, in_int8.scoring) == (Scoring.ALL_OUTPUTS, Scoring.IN_INT8)
    assert whole.subject == in_int8.subject == foundry.model.name
    assert whole.sample_count == in_int8.sample_count
    assert abs(whole.classification.accuracy - in_int8.classification.accuracy) < 0.03
    assert in_int8.cost.artifact_bytes < 0.5 * whole.cost.artifact_bytes
    assert [each.batch_size for each in in_int8.cost.latencies] == [1]
    assert "this, computed in int8" in client.cards.get(foundry.model).markdown
    with pytest.raises(errors.InvalidField, match="own task") as caught:
        client.evaluate(foundry.model, "digits", compute="int8", label="3")
    assert caught.value.field == "problem"


def test_what_does_not_fit_is_refused_and_leaves_nothing(
    foundry: Foundry, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for service in ("registry", "reuser"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service.upper()}", getattr(foundry.stack.endpoints, service))
    imported = foundry.client.models.push(
        foundry.client.blobs.download(foundry.model.weights, tmp_path / "weights.safetensors"),
        architecture=foundry.model.architecture,
        input=foundry.model.input,
        labels=foundry.model.labels,
        model_id="imported",
    )
    with pytest.raises(errors.InvalidField, match="no data set is recorded") as caught:
        foundry.client.hub.export_files(imported, tmp_path / "out", "onnx", compute="int8")
    assert caught.value.field == "dataset"
    assert (
        run(["model", "export", "imported", str(tmp_path / "out"), "--format", "onnx", "--compute", "int8"])
        == ExitCode.USAGE
    )
    assert "--dataset" in capsys.readouterr().err
    command = ["model", "export", "imported", str(tmp_path / "out"), "--format", "safetensors", "--weights", "int8"]
    assert run(command) != ExitCode.OK
    assert "onnx" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    command = ["model", "export", "imported", str(tmp_path / "out"), "--format", "onnx", "--compute", "int8"]
    assert run([*command, "--dataset", "digits"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "weights in int8, computed in int8" in shown
    assert "calibrated on 256 training images" in shown
