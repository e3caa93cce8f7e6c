"""Folders of the Hub through real services: written, run without ModelFoundry, and read into another registry."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from composing_stock import push_digits, push_model, some_digits
from huggingface_hub import ModelCard
from PIL import Image
from service_stack import INLINE, ServiceStack, running_stack
from timm.models import save_for_hf
from torch import nn

from modelfoundry import errors
from modelfoundry.cli.main import run
from modelfoundry.client import (
    BinaryProblem,
    BlobRef,
    Client,
    Composition,
    CompositionMember,
    CompositionRecord,
    CompositionTask,
    DecompositionRecord,
    LimitKind,
    Model,
    Module,
    Prediction,
)
from modelfoundry.core.channels import ChannelMasks, kernel_weight_masks, plan_channels
from modelfoundry.core.export import ImageClassifier
from modelfoundry.core.heads import LinearHead
from modelfoundry.core.modules import ModuleArtifact, write_module
from modelfoundry.core.networks import load_network
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.networks import load_model

FILES = ["README.md", "config.json", "example.py", "model.onnx", "model.safetensors", "picture.py"]
DESCRIPTION = "Knows *threes*.\n---\nlicense: gpl-3.0\n"
NUMBERS = (3, 5, 7)
IMAGES = some_digits("test", NUMBERS).images[::9]


@dataclass(frozen=True)
class Stock:
    """Services with a small model, a module of it and a composition of both in them."""

    stack: ServiceStack
    client: Client
    model: Model
    module: Module
    composition: Composition


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    folder = tmp_path_factory.mktemp("stock")
    names = ("registry", "evaluator", "reuser")
    with running_stack(folder, INLINE, names=names) as stack, Client(stack.endpoints) as client:
        dataset = push_digits(client, folder, "digits", NUMBERS)
        model = push_model(client, folder, "net", NUMBERS, epochs=1)
        record = DecompositionRecord(algorithm="by_hand", dataset_digest=dataset.digest)
        module = client.modules.create(
            Module(
                base_model=model.name,
                problem=BinaryProblem("3"),
                artifact=_half_of(client, model, folder),
                dataset=dataset.name,
                record=record,
                description=DESCRIPTION,
                license="MIT",
                tags={"team": "vision"},
            ),
            module_id="three",
        )
        module = client.modules.update(module, intended_use="Counting.")
        yield Stock(stack, client, model, module, _composition(client, model, module, dataset.name))


def _half_of(client: Client, model: Model, folder: Path) -> BlobRef:
    """A module without every second kernel, so that compacting removes channels."""
    weights = client.blobs.download(model.weights, folder / "base.safetensors")
    spec = InputSpec(1, 8, 8, model.input.mean, model.input.std)
    network = load_network(Architecture("zoo:digits_cnn"), len(NUMBERS), spec, weights)
    plan = plan_channels(network, spec)
    kept = ChannelMasks({group.name: torch.arange(group.units) % 2 == 0 for group in plan.kernel_groups})
    masks = kernel_weight_masks(network, plan, kept)
    head = LinearHead.of(torch.tensor([[1.0, -1.0, -1.0], [-1.0, 1.0, 1.0]]), torch.zeros(2))
    path = folder / "three.safetensors"
    write_module(path, ModuleArtifact(model.weights.digest, BinaryProblem("3"), masks, head, "by_hand"))
    return client.blobs.upload(path, media_type="application/vnd.modelfoundry.module")


def _composition(client: Client, model: Model, module: Module, dataset: str) -> Composition:
    """One label from the module, one from its base model."""
    members = tuple(
        CompositionMember(label=label, source=source, source_label=label, scale=1.0)
        for label, source in (("3", module.name), ("5", model.name))
    )
    drafted = Composition(
        task=CompositionTask.NEW_TASK,
        members=members,
        input=replace(model.input, mean=(), std=()),
        datasets=(dataset,),
        record=CompositionRecord(strategy="by_hand"),
    )
    return client.compositions.create(drafted, composition_id="three-five")


@pytest.fixture(scope="module")
def elsewhere(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """An empty registry; the evaluator, which checks weights, keeps nothing and serves both."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with running_stack(folder, names=("registry",)) as stack:
        endpoints = replace(stack.endpoints, evaluator=stock.stack.endpoints.evaluator)
        with Client(endpoints) as client:
            yield client


def _answers(client: Client, model: Model, folder: Path, images: torch.Tensor = IMAGES) -> list[list[float]]:
    """Probabilities of the labels, as the services compute them."""
    loaded = load_model(client, BlobCache(folder / "cache", limit_bytes=2**30), model)
    classifier = ImageClassifier(loaded.network, loaded.input_spec, model.labels)
    with torch.inference_mode():
        found: list[list[float]] = classifier(images / 255).softmax(dim=1).tolist()
    return found


def _in_order(predictions: tuple[Prediction, ...], labels: tuple[str, ...]) -> list[list[float]]:
    answers = [{each.label: each.probability for each in answer.labels} for answer in predictions]
    return [[answer[label] for label in labels] for answer in answers]


def _answered_by_example(folder: Path, image: torch.Tensor, path: Path) -> str:
    file = io.BytesIO()
    Image.fromarray(image[0].numpy(), "L").save(file, "PNG")
    path.write_bytes(file.getvalue())
    done = subprocess.run(
        [sys.executable, str(folder / "example.py"), str(path)], capture_output=True, text=True, check=True
    )
    return done.stdout.split()[0]


@pytest.mark.parametrize("form", ["masked", "compacted"])
def test_a_module_is_published_and_comes_back_as_a_model(
    stock: Stock, elsewhere: Client, tmp_path: Path, form: str
) -> None:
    module = stock.module
    folder = stock.client.hub.export(module, tmp_path / "hub", compact=form == "compacted")

    assert sorted(path.name for path in folder.iterdir()) == FILES
    card = ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.base_model, card.data.datasets) == ("mit", ["net"], ["digits"])
    assert "> Knows *threes*.\n> ---\n> license: gpl-3.0\n" in card.text
    expected = stock.client.predict(module, list(IMAGES.numpy()))
    assert {answer.label for answer in expected} == {"3", "rest"}
    assert _answered_by_example(folder, IMAGES[-1], tmp_path / "image.png") == expected[-1].label

    model = elsewhere.hub.import_folder(folder, model_id=f"three-{form}")

    assert (model.architecture.builder, model.labels) == ("exported:module", ("3", "rest"))
    assert model.architecture.parameters["problem"] == {"binary": {"label": "3"}}
    assert bool(model.architecture.parameters["widths"]) == (form == "compacted")
    assert model.origin is not None
    assert (model.origin.resource, model.origin.digest) == (module.name, module.artifact.digest)
    assert (model.description, model.intended_use) == (DESCRIPTION, "Counting.")
    assert (model.license, model.tags) == ("MIT", {"team": "vision"})
    for found, wanted in zip(_answers(elsewhere, model, tmp_path), _in_order(expected, model.labels), strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)
    assert module.name in elsewhere.cards.get(model).markdown


def test_a_composition_is_published_and_comes_back_as_a_model(stock: Stock, elsewhere: Client, tmp_path: Path) -> None:
    folder = stock.client.hub.export(stock.composition, tmp_path / "hub")
    expected = stock.client.predict(stock.composition, list(IMAGES.numpy()))

    model = elsewhere.hub.import_folder(folder)

    assert (model.architecture.builder, model.labels) == ("exported:composition", ("3", "5"))
    for found, wanted in zip(_answers(elsewhere, model, tmp_path), _in_order(expected, model.labels), strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)
    assert _answered_by_example(folder, IMAGES[0], tmp_path / "image.png") == expected[0].label


def test_weights_that_are_not_those_of_the_config_are_refused(stock: Stock, elsewhere: Client, tmp_path: Path) -> None:
    folder = stock.client.hub.export(stock.module, tmp_path / "hub")
    config = json.loads((folder / "config.json").read_text())

    for change, error, field in (
        ({"base": {**config["base"], "label_count": 9}}, errors.WeightsMismatch, "weights"),
        ({"output": {"labels": ["3", "4", "rest"]}}, errors.InvalidField, "architecture.parameters"),
        ({"head": [5, 2]}, errors.WeightsMismatch, "weights"),
    ):
        (folder / "config.json").write_text(json.dumps({**config, **change}))
        with pytest.raises(error) as caught:
            elsewhere.hub.import_folder(folder)
        assert caught.value.field == field


def test_nothing_is_left_of_an_export_that_fails(stock: Stock, tmp_path: Path) -> None:
    with pytest.raises(errors.NotFound):
        stock.client.hub.export("thre", tmp_path / "hub")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("mine")
    with pytest.raises(errors.AlreadyExists):
        stock.client.hub.export(stock.module, tmp_path / "mine")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["mine", "notes"]


@pytest.fixture(scope="module")
def timm_folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nn.Module]:
    """As `push_to_hf_hub` writes it before it uploads, and the network."""
    folder = tmp_path_factory.mktemp("timm")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = timm.create_model("test_vit", num_classes=3, img_size=32).eval()
    save_for_hf(network, str(folder), model_config={"label_names": ["cat", "dog", "cow"]}, safe_serialization=True)
    (folder / "README.md").write_text("---\nlicense: bsd-3-clause\ntags: [farm]\n---\n# Farm\n")
    return folder, network


def test_a_folder_of_timm_becomes_a_model(
    elsewhere: Client, timm_folder: tuple[Path, nn.Module], tmp_path: Path
) -> None:
    folder, network = timm_folder

    model = elsewhere.hub.import_folder(folder, model_id="farm")

    assert (model.architecture.builder, model.labels) == ("timm:test_vit", ("cat", "dog", "cow"))
    assert (model.license, model.tags, model.description) == ("BSD-3-Clause", {"farm": ""}, "# Farm")
    assert model.origin is not None
    assert model.origin.format == "timm"
    pixels = torch.randint(0, 256, (4, 3, 32, 32), generator=torch.Generator().manual_seed(2))
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.input.mean, model.input.std))
    with torch.inference_mode():
        expected = network((pixels / 255 - mean) / std).softmax(dim=1)
    for found, wanted in zip(_answers(elsewhere, model, tmp_path, pixels), expected.tolist(), strict=True):
        assert found == pytest.approx(wanted, abs=1e-5)
    limits = {limit.kind for limit in elsewhere.cards.get(model).limits}
    assert {LimitKind.ORIGIN_UNKNOWN, LimitKind.NOT_TESTED} <= limits


def test_a_folder_of_timm_that_is_wrong_is_refused(
    elsewhere: Client, timm_folder: tuple[Path, nn.Module], tmp_path: Path
) -> None:
    folder, _ = timm_folder
    config = json.loads((folder / "config.json").read_text())
    state = safetensors.torch.load_file(folder / "model.safetensors")

    def importing(changed: dict[str, object], weights: dict[str, torch.Tensor]) -> Model:
        (tmp_path / "config.json").write_text(json.dumps({**config, **changed}))
        safetensors.torch.save_file(weights, tmp_path / "model.safetensors")
        return elsewhere.hub.import_folder(tmp_path)

    with pytest.raises(errors.UnknownArchitecture, match="timm:test_vitt") as unknown:
        importing({"architecture": "test_vitt"}, state)
    assert "timm:test_vit" in unknown.value.hint
    with pytest.raises(errors.WeightsMismatch) as mismatch:
        importing({}, {**state, "head.weight": torch.zeros(4, 64)})
    assert [violation.field for violation in mismatch.value.violations] == ["weights.head.weight"]
    with pytest.raises(errors.NonFiniteWeights, match=r"head\.bias"):
        importing({}, {**state, "head.bias": torch.tensor([0.0, float("nan"), 0.0])})
    with pytest.raises(errors.InvalidField, match="depths"):
        importing({"model_args": {"global_pool": "token", "depths": [1, 2]}}, state)


def test_cards_and_folders_on_the_command_line(
    stock: Stock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, port in stock.stack.ports.items():
        monkeypatch.setenv(f"MODELFOUNDRY_{name.upper()}", f"127.0.0.1:{port}")

    def answered(*arguments: str) -> str:
        assert run(arguments) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    assert "\nlicense: mit\n" in answered("card", "three").partition("\n---\n")[0]
    described = answered("describe", "datasets/digits", "--intended-use", "Learning.", "--tag", "size=small")
    assert "> Learning." in described
    assert json.loads(answered("card", "digits", "--json"))["intended_use"] == "Learning."
    shown = answered("module", "show", "three")
    assert "It was not measured on a test split." in shown
    listed = answered("module", "export", "three", "--format", "hub", str(tmp_path / "hub"))
    assert sorted(Path(line).name for line in listed.split()) == FILES
    imported = answered("import", str(tmp_path / "hub"), "--name", "three-again")
    assert imported.startswith("imported three-again: exported:module, 2 labels")
    assert "imported from" in answered("model", "show", "three-again")
