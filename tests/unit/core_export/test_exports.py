from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import normalise
from modelfoundry.core.export import (
    Export,
    ExportSubject,
    ImageClassifier,
    export_onnx,
    export_safetensors,
    export_torch,
    load_exported,
    max_difference,
)
from modelfoundry.core.modules import MaterialisedModule, head_network
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import ExportMismatch, MalformedFile, UnsupportedModel, WeightsMismatch
from modelfoundry.values.architectures import Architecture, InputSpec

Make = Callable[[str, InputSpec], ExportSubject]
ExportFunction = Callable[[ExportSubject, Path], Export]
Run = Callable[[Path, Tensor], Tensor]

DIGITS = InputSpec(1, 8, 8, mean=(0.3,), std=(0.25,))
CIFAR = InputSpec(3, 32, 32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
PIXELS = torch.randint(0, 256, (7, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _run_safetensors(folder: Path, images: Tensor) -> Tensor:
    return load_exported(folder)(images)


def _run_torch(folder: Path, images: Tensor) -> Tensor:
    return torch.export.load(folder / "model.pt2").module()(images)


def _run_onnx(folder: Path, images: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    described = session.get_inputs()[0]
    assert (described.name, described.type, described.shape) == ("images", "tensor(float)", ["n", *images.shape[1:]])
    return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


FORMATS = [(export_safetensors, _run_safetensors), (export_torch, _run_torch), (export_onnx, _run_onnx)]
IDS = ["safetensors", "torch", "onnx"]


@dataclass(frozen=True)
class _Exported:
    subject: ExportSubject
    folder: Path
    done: Export
    run: Run


@pytest.fixture(scope="module", params=FORMATS, ids=IDS)
def exported(
    request: pytest.FixtureRequest, module_subject: Make, tmp_path_factory: pytest.TempPathFactory
) -> _Exported:
    """A module of the digits network in each format."""
    export, run = request.param
    subject, folder = module_subject("zoo:digits_cnn", DIGITS), tmp_path_factory.mktemp("export")
    return _Exported(subject, folder, export(subject, folder), run)


def test_an_export_takes_plain_images_in_any_number_and_gives_the_modules_logits(exported: _Exported) -> None:
    assert exported.done.max_difference <= 1e-4
    for count in (1, 2, 7):
        with torch.no_grad():
            expected = exported.subject.network(normalise(PIXELS[:count], DIGITS))
            actual = exported.run(exported.folder, PIXELS[:count] / 255)
        assert float(expected.std()) > 0.01
        torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


def test_all_files_are_reported_and_none_tells_where_it_was_made(exported: _Exported) -> None:
    files = exported.done.files
    assert json.loads((exported.folder / "module.json").read_text())["file"] == files[0].name
    assert sorted(file.name for file in files) == sorted(path.name for path in exported.folder.iterdir())
    checkout = str(Path(__file__).parents[3]).encode()
    for file in files:
        content = file.path.read_bytes()
        assert checkout not in content
        assert b"site-packages" not in content
        assert str(exported.folder).encode() not in content


@pytest.mark.parametrize("exported", FORMATS[2:], ids=IDS[2:], indirect=True)
def test_a_person_with_the_onnx_file_alone_runs_it_as_described(exported: _Exported) -> None:
    described = json.loads((exported.folder / "module.json").read_text())
    session = onnxruntime.InferenceSession(exported.folder / described["file"], providers=["CPUExecutionProvider"])
    images = (PIXELS.numpy() / np.float32(255)).astype(described["input"]["dtype"])
    logits = session.run([described["output"]["name"]], {described["input"]["name"]: images})[0]
    labels = [described["output"]["labels"][index] for index in logits.argmax(axis=1)]
    expected = exported.subject.network(normalise(PIXELS, DIGITS)).argmax(dim=1)
    assert labels == [exported.subject.outputs[index] for index in expected.tolist()]


@pytest.mark.slow
@pytest.mark.parametrize(("export", "run"), FORMATS, ids=IDS)
@pytest.mark.parametrize(
    ("builder", "spec"),
    [
        ("zoo:resnet20", CIFAR),
        ("zoo:simcnn", CIFAR),
        ("torchvision:resnet18", InputSpec(3, 64, 64)),
        ("timm:vit_tiny_patch16_224", InputSpec(3, 224, 224)),
    ],
    ids=["resnet20", "simcnn", "resnet18", "vit"],
)
def test_modules_of_other_networks_export(
    module_subject: Make, tmp_path: Path, export: ExportFunction, run: Run, builder: str, spec: InputSpec
) -> None:
    subject = module_subject(builder, spec)
    images = torch.randint(0, 256, (3, *spec.shape), dtype=torch.uint8)
    done = export(subject, tmp_path)
    with torch.no_grad():
        expected, actual = subject.network(normalise(images, spec)), run(tmp_path, images / 255)
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
    assert 0 <= done.max_difference <= 1e-4


def test_a_whole_model_exports_under_the_names_of_its_own_weights(model_subject: Make, tmp_path: Path) -> None:
    subject = model_subject("zoo:digits_cnn", DIGITS)
    export_safetensors(subject, tmp_path)
    state = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert state.keys() == subject.network.state_dict().keys()
    classifier = load_exported(tmp_path)
    assert classifier.outputs == subject.outputs
    assert torch.equal(classifier(PIXELS / 255), subject.network(normalise(PIXELS, DIGITS)))


def test_a_network_that_asks_for_the_version_of_its_state_loads(model_subject: Make, tmp_path: Path) -> None:
    subject = model_subject("torchvision:mnasnet0_5", InputSpec(3, 32, 32))
    export_safetensors(subject, tmp_path)
    images = torch.rand(2, 3, 32, 32)
    expected = subject.network(normalise((images * 255).to(torch.uint8), subject.input_spec))
    torch.testing.assert_close(load_exported(tmp_path)((images * 255).floor() / 255), expected, atol=1e-4, rtol=0)


def test_the_description_says_how_the_file_is_used(module_subject: Make, tmp_path: Path) -> None:
    export_safetensors(module_subject("zoo:digits_cnn", DIGITS), tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    assert described["file"] == "model.safetensors"
    assert described["kind"] == "module"
    assert described["input"]["shape"] == ["n", 1, 8, 8]
    assert described["input"]["range"] == [0, 1]
    assert described["normalisation"]["mean"] == [0.3]
    assert described["output"]["labels"] == ["3", "rest"]
    assert described["problem"] == {"binary": {"label": "3"}}
    assert described["base"]["architecture"] == {"builder": "zoo:digits_cnn", "parameters": {}}
    assert described["base"]["weights_digest"] == "sha256:" + "12" * 32


def test_an_exported_module_holds_masked_weights_only(module_subject: Make, tmp_path: Path) -> None:
    subject = module_subject("zoo:digits_cnn", DIGITS)
    export_safetensors(subject, tmp_path)
    state = safetensors.torch.load_file(tmp_path / "model.safetensors")
    convolution = state["network.features.3.weight"]
    assert 0.6 < float((convolution == 0).float().mean()) < 0.72


def test_loading_rebuilds_the_classifier_and_draws_no_random_numbers(module_subject: Make, tmp_path: Path) -> None:
    export_safetensors(module_subject("zoo:digits_cnn", DIGITS), tmp_path)
    before = torch.random.get_rng_state()
    classifier = load_exported(tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert classifier.outputs == ("3", "rest")
    assert not classifier.training
    assert not any(parameter.requires_grad for parameter in classifier.parameters())


def _change(folder: Path, path: tuple[str, ...], value: object) -> None:
    file = folder / "module.json"
    description = json.loads(file.read_text())
    inner = description
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    file.write_text(json.dumps(description))


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (("format",), "other", MalformedFile),
        (("format_version",), 3, MalformedFile),
        (("kind",), "person", MalformedFile),
        (("base",), [], MalformedFile),
        (("base", "label_count"), 9, WeightsMismatch),
        (("kind",), "model", WeightsMismatch),
        (("output", "labels"), ["a", "b", "c"], MalformedFile),
    ],
    ids=lambda value: ".".join(value) if isinstance(value, tuple) else str(value)[:12],
)
def test_a_description_that_does_not_fit_is_refused(
    module_subject: Make, tmp_path: Path, path: tuple[str, ...], value: object, error: type[Exception]
) -> None:
    export_safetensors(module_subject("zoo:digits_cnn", DIGITS), tmp_path)
    _change(tmp_path, path, value)
    with pytest.raises(error):
        load_exported(tmp_path)


def test_a_deeper_head_is_rebuilt_from_its_files(module_subject: Make, tmp_path: Path) -> None:
    subject = module_subject("zoo:digits_cnn", DIGITS)
    masked = subject.network
    assert isinstance(masked, MaterialisedModule)
    head = head_network(10, (6, 2), "cpu")
    deep = replace(subject, network=MaterialisedModule(masked.network, head, subject.outputs))
    assert export_safetensors(deep, tmp_path).max_difference < 1e-5
    rebuilt = load_exported(tmp_path).network
    assert isinstance(rebuilt, MaterialisedModule)
    assert rebuilt.head[0].weight.shape == (6, 10)


def test_an_export_of_before_heads_were_described_is_read(module_subject: Make, tmp_path: Path) -> None:
    subject = module_subject("zoo:digits_cnn", DIGITS)
    masked = subject.network
    assert isinstance(masked, MaterialisedModule)
    head = head_network(10, (6, 2), "cpu")
    export_safetensors(replace(subject, network=MaterialisedModule(masked.network, head, subject.outputs)), tmp_path)
    file = tmp_path / "module.json"
    description = json.loads(file.read_text())
    del description["head"]
    file.write_text(json.dumps(description))
    rebuilt = load_exported(tmp_path).network
    assert isinstance(rebuilt, MaterialisedModule)
    assert rebuilt.head[0].weight.shape == (6, 10)
    _change(tmp_path, ("output", "labels"), ["a", "b", "c"])
    with pytest.raises(WeightsMismatch):
        load_exported(tmp_path)


def test_missing_and_extra_tensors_are_named(module_subject: Make, tmp_path: Path) -> None:
    export_safetensors(module_subject("zoo:digits_cnn", DIGITS), tmp_path)
    state = safetensors.torch.load_file(tmp_path / "model.safetensors")
    state["stranger"] = state.pop("head.bias").clone()
    write_tensors(tmp_path / "model.safetensors", state)
    with pytest.raises(WeightsMismatch) as caught:
        load_exported(tmp_path)
    assert [(v.field, v.description.split(",")[0]) for v in caught.value.violations] == [
        ("head.bias", "shape missing"),
        ("stranger", "left over"),
    ]


@pytest.mark.parametrize(("name", "content"), [("module.json", b"{"), ("model.safetensors", b"\x80\x04pickle")])
def test_damaged_files_are_refused(module_subject: Make, tmp_path: Path, name: str, content: bytes) -> None:
    export_safetensors(module_subject("zoo:digits_cnn", DIGITS), tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MalformedFile, match="no export"):
        load_exported(tmp_path)


class _DependsOnPixels(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images if images.sum().item() > 0 else -images


class _Eigenvalues(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.linalg.eigvals(images[:, 0]).real


class _TwoImages(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.reshape(2, -1)


def _subject(*layers: nn.Module) -> ExportSubject:
    network = nn.Sequential(*layers).eval()
    return ExportSubject(network, ("a",), Architecture("zoo:digits_cnn"), 2, DIGITS, "sha256:" + "0" * 64)


@pytest.mark.parametrize("export", [export_torch, export_onnx], ids=["torch", "onnx"])
def test_the_layer_that_cannot_be_traced_is_named(tmp_path: Path, export: ExportFunction) -> None:
    subject = _subject(nn.ReLU(), nn.Sequential(nn.Identity(), _DependsOnPixels()), nn.Flatten())
    with pytest.raises(UnsupportedModel, match=r"layer 1\.1 \(_DependsOnPixels\) cannot be traced") as caught:
        export(subject, tmp_path)
    assert caught.value.metadata["layer"] == "1.1"
    assert "safetensors" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_an_operation_without_an_onnx_form_is_named_with_its_layer(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"aten\.linalg_eig\w* in layer 1") as caught:
        export_onnx(_subject(nn.ReLU(), _Eigenvalues()), tmp_path)
    assert caught.value.metadata["layer"] == "1"


def test_a_network_for_a_fixed_number_of_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="cannot be traced"):
        export_torch(_subject(nn.ReLU(), _TwoImages()), tmp_path)


def test_other_outputs_are_a_mismatch_that_states_the_difference() -> None:
    classifier = ImageClassifier(nn.Flatten(), DIGITS, tuple("a" * 64))
    assert max_difference(lambda images: classifier(images) + 5e-5, classifier) == pytest.approx(5e-5, rel=0.05)
    with pytest.raises(ExportMismatch) as caught:
        max_difference(lambda images: classifier(images) + 0.01, classifier)
    assert float(caught.value.metadata["max_difference"]) == pytest.approx(0.01, rel=0.05)
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ExportMismatch):
            max_difference(lambda images, wrong=wrong: classifier(images) + wrong, classifier)
    with pytest.raises(ExportMismatch, match="shape"):
        max_difference(lambda images: classifier(images)[:1], classifier)


def test_exporting_changes_no_weight_and_leaves_no_hook(module_subject: Make, tmp_path: Path) -> None:
    subject = module_subject("zoo:digits_cnn", DIGITS)
    before = {name: tensor.clone() for name, tensor in subject.network.state_dict().items()}
    export_torch(subject, tmp_path)
    with pytest.raises(UnsupportedModel):
        export_torch(replace(subject, network=nn.Sequential(subject.network, _DependsOnPixels())), tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in subject.network.state_dict().items())
    layers = list(subject.network.modules())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in layers)
