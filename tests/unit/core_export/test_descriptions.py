"""What leaves can be computed again from its description alone: in plain PyTorch (`plain_rebuild`), for every kind."""

from __future__ import annotations

import ast
import copy
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import plain_rebuild
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from modelfoundry.core.channels import Bypass, ChannelMasks, Projection, plan_channels, plan_cuts
from modelfoundry.core.composing import Calibration, Member, Readout, compose_network, readout_of
from modelfoundry.core.export import (
    CompositionSubject,
    Exportable,
    ExportSubject,
    export_onnx,
    export_safetensors,
    export_torch,
    load_exported,
)
from modelfoundry.core.heads import Head, HeadLayer, LinearHead, LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import MaterialisedModule, ModuleArtifact, RewrittenTensors, materialise
from modelfoundry.core.networks import build_network
from modelfoundry.pictures.decoding import decode
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.file_forms import ExportForm, WeightFormat
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

GREY = InputSpec(1, 8, 8, mean=(0.3,), std=(0.25,))
OTHER = InputSpec(1, 8, 8, mean=(0.1,), std=(0.5,))
COLOURS = InputSpec(3, 16, 16, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3))
DIGEST = "sha256:" + "12" * 32
DRAW = torch.Generator().manual_seed(2)


def trained_alike(builder: str, spec: InputSpec) -> nn.Module:
    """Statistics that are not the initial ones."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = build_network(Architecture(builder), 10, spec)
        with torch.no_grad():
            network.train()(torch.rand(16, *spec.shape) * 2 - 1)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def digits() -> nn.Module:
    return trained_alike("zoo:digits_cnn", GREY)


def log_odds(columns: tuple[int, ...], *, rest: bool) -> LogOddsHead:
    numbers = torch.arange(1, len(columns) + 1, dtype=torch.float32)
    return LogOddsHead(10, columns, rest, numbers, numbers - 2.5)


def linear(*widths: int) -> LinearHead:
    sizes = (10, *widths)
    return LinearHead(
        tuple(
            HeadLayer(torch.randn(b, a, generator=DRAW) * 3, torch.randn(b, generator=DRAW)) for a, b in pairwise(sizes)
        )
    )


def module(base: nn.Module, problem: Problem, head: Head, builder: str, spec: InputSpec, **more: Any) -> ExportSubject:
    masks = WeightMasks({})
    if not more:
        masks = WeightMasks(
            {
                f"{name}.weight": torch.rand(layer.weight.shape, generator=DRAW) < 0.6
                for name, layer in base.named_modules()
                if isinstance(layer, nn.Conv2d)
            }
        )
    made = materialise(base, ModuleArtifact(DIGEST, problem, masks, head, "tried", **more))
    return ExportSubject(made, problem.outputs, Architecture(builder), 10, spec, DIGEST, problem)


def cut_subject(digits: nn.Module) -> ExportSubject:
    plan = plan_channels(digits, GREY)
    cuts = plan_cuts(plan, ChannelMasks({g.name: torch.arange(g.units) % 2 == 0 for g in plan.groups}))
    return module(digits, BinaryProblem("3"), log_odds((3,), rest=True), "zoo:digits_cnn", GREY, cuts=cuts)


def operated_subject() -> ExportSubject:
    """What `specialise` makes: a block left out, a padded shortcut as a convolution, norms rewritten in halves."""
    base = trained_alike("zoo:resnet20", COLOURS)
    rewritten = {
        "layer2.0.shortcut.weight": torch.randn(32, 16, 1, 1, generator=DRAW),
        "bn1.weight": torch.ones(16) / 3,
    }
    return module(
        base,
        MultiClassProblem(("3", "8")),
        log_odds((3, 8), rest=False),
        "zoo:resnet20",
        COLOURS,
        operations=(Bypass("layer1.1"), Projection("layer2.0.shortcut", 16, 32, 2)),
        rewritten=RewrittenTensors({name: value.half() for name, value in rewritten.items()}),
    )


def composition(digits: nn.Module) -> CompositionSubject:
    digits = copy.deepcopy(digits)  # composing makes equal tensors one
    whole = ExportSubject(digits, tuple("abcdefghij"), Architecture("zoo:digits_cnn"), 10, GREY, DIGEST)
    parts = (
        whole,
        module(digits, BinaryProblem("3"), linear(2), "zoo:digits_cnn", OTHER),
        module(digits, MultiClassProblem(("3", "8")), log_odds((3, 8), rest=False), "zoo:digits_cnn", GREY),
        module(digits, OpenSetProblem(("1", "7")), log_odds((1, 7), rest=True), "zoo:digits_cnn", GREY),
    )
    seven = readout_of(parts[3].outputs, "7", parts[3].problem, against_rest=True)
    members = (
        Member(0, Readout(4)),
        Member(1, Readout(0, rest=1), Calibration(1.5, -0.25)),
        Member(2, readout_of(parts[2].outputs, "8", parts[2].problem, against_rest=True), Calibration(0.5, 1.0)),
        Member(3, seven),
    )
    network, spec = compose_network([(part.network, part.input_spec) for part in parts], members, ("e", "3", "8", "7"))
    return CompositionSubject(network, network.labels, spec, parts, members)


ON_DIGITS: dict[str, tuple[Problem, Head]] = {
    "SeaM's paper, binary": (BinaryProblem("3"), linear(2)),
    "SeaM's paper, several labels": (MultiClassProblem(("3", "8", "1")), linear(3)),
    "GradSplitter's paper": (BinaryProblem("3"), linear(10, 2)),
    "distilled, binary": (BinaryProblem("3"), log_odds((3,), rest=True)),
    "distilled, several labels": (MultiClassProblem(("3", "8")), log_odds((3, 8), rest=False)),
    "distilled, with a rest": (OpenSetProblem(("8", "3")), log_odds((8, 3), rest=True)),
}


def on_digits(name: str, digits: nn.Module) -> ExportSubject:
    problem, head = ON_DIGITS[name]
    return module(digits, problem, head, "zoo:digits_cnn", GREY)


SUBJECTS: dict[str, Callable[[nn.Module], Exportable]] = {
    "model": lambda digits: ExportSubject(
        digits, tuple("abcdefghij"), Architecture("zoo:digits_cnn"), 10, GREY, DIGEST
    ),
    "compacted": cut_subject,
    "specialised": lambda _: operated_subject(),
    "composition": composition,
    **{name: partial(on_digits, name) for name in ON_DIGITS},
}


def images_of(subject: Exportable) -> Tensor:
    return torch.rand(5, *subject.input_spec.shape, generator=torch.Generator().manual_seed(1))


def expected_of(subject: Exportable) -> Tensor:
    spec = subject.input_spec
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (spec.means, spec.deviations))
    with torch.no_grad():
        logits: Tensor = subject.network((images_of(subject) - mean) / std)
    assert float(logits.std()) > 0.01
    return logits


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_program_gives_the_networks_probabilities(digits: nn.Module, tmp_path: Path, name: str) -> None:
    subject = SUBJECTS[name](digits)
    export_safetensors(subject, tmp_path)
    with torch.no_grad():
        logits, probabilities = plain_rebuild.run(tmp_path, images_of(subject))
    torch.testing.assert_close(logits, expected_of(subject), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(probabilities, expected_of(subject).softmax(dim=1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(load_exported(tmp_path)(images_of(subject)), logits, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ON_DIGITS)
def test_the_steps_spell_the_head_out(digits: nn.Module, tmp_path: Path, name: str) -> None:
    subject = on_digits(name, digits)
    export_safetensors(subject, tmp_path)
    computation = json.loads((tmp_path / "module.json").read_text())["computation"]
    normalise, network, head, softmax = computation["steps"]
    assert (computation["version"], softmax["step"]) == (1, "softmax")
    mean, std = (torch.tensor(normalise[key]).view(-1, 1, 1) for key in ("mean", "std"))
    assert isinstance(subject.network, MaterialisedModule)
    stored = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert {each.partition(".")[0] for each in stored} == {network["tensors"].rstrip("."), "head"}
    with torch.no_grad():
        z = subject.network.network((images_of(subject) - mean) / std)
    found = plain_rebuild.head(head["operations"], stored, z)
    torch.testing.assert_close(found, expected_of(subject), atol=1e-4, rtol=1e-4)


def test_the_steps_of_a_composition_join_its_sources(digits: nn.Module, tmp_path: Path) -> None:
    subject = composition(digits)
    export_safetensors(subject, tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    stored = safetensors.torch.load_file(tmp_path / "model.safetensors")
    stored |= {name: stored[first] for name, first in described["shared_tensors"].items()}
    sources, members, _ = described["computation"]["steps"]
    logits = []
    for source, part in zip(sources["sources"], subject.sources, strict=True):
        normalise, _, *heads = source["steps"]
        mean, std = (torch.tensor(normalise[key]).view(-1, 1, 1) for key in ("mean", "std"))
        network = part.network.network if isinstance(part.network, MaterialisedModule) else part.network
        with torch.no_grad():
            z = network((images_of(subject) - mean) / std)
        logits.append(plain_rebuild.head(heads[0]["operations"], stored, z) if heads else z)
    found = plain_rebuild.members(members["members"], logits)
    torch.testing.assert_close(found, expected_of(subject), atol=1e-4, rtol=1e-4)


def test_tensors_that_a_network_shares_are_found_under_both_names(digits: nn.Module, tmp_path: Path) -> None:
    tied = copy.deepcopy(digits)
    first, second = (tied.get_submodule(f"features.{place}") for place in (4, 8))
    second.weight = first.weight
    assert tied.get_parameter("features.4.weight") is tied.get_parameter("features.8.weight")
    subject = ExportSubject(tied, tuple("abcdefghij"), Architecture("zoo:digits_cnn"), 10, GREY, DIGEST)
    export_safetensors(subject, tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    assert described["shared_tensors"] == {"features.8.weight": "features.4.weight"}
    with torch.no_grad():
        logits, _ = plain_rebuild.run(tmp_path, images_of(subject))
    torch.testing.assert_close(logits, expected_of(subject), atol=1e-4, rtol=1e-4)


def test_a_file_kept_as_float16_says_how_it_is_read(digits: nn.Module, tmp_path: Path) -> None:
    subject = SUBJECTS["distilled, binary"](digits)
    export_safetensors(subject, tmp_path, replace(ExportForm(), weights=WeightFormat.FP16))
    with torch.no_grad():
        logits, _ = plain_rebuild.run(tmp_path, images_of(subject))
        loaded = load_exported(tmp_path)(images_of(subject))
    torch.testing.assert_close(logits, loaded, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("export", [export_onnx, export_torch])
def test_programs_say_what_goes_in_and_what_comes_out(
    digits: nn.Module, tmp_path: Path, export: Callable[[Exportable, Path], object]
) -> None:
    subject = SUBJECTS["SeaM's paper, binary"](digits)
    export(subject, tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    if export is export_onnx:
        session = onnxruntime.InferenceSession(tmp_path / described["file"], providers=["CPUExecutionProvider"])
        logits = torch.from_numpy(session.run(None, {described["input"]["name"]: images_of(subject).numpy()})[0])
    else:
        logits = torch.export.load(tmp_path / described["file"]).module()(images_of(subject))
    softmax = described["computation"]["steps"][-1]
    probabilities = torch.softmax(logits / softmax["temperature"], dim=softmax["axis"])
    torch.testing.assert_close(probabilities, expected_of(subject).softmax(dim=1), atol=1e-4, rtol=1e-4)
    assert described["output"]["labels"] == ["3", "rest"]


@pytest.mark.parametrize("spec", [GREY, COLOURS])
def test_the_preprocessing_gives_the_pixels_that_every_door_gives(
    digits: nn.Module, tmp_path: Path, spec: InputSpec
) -> None:
    labels = tuple("abcdefghij")
    network = digits if spec is GREY else trained_alike("zoo:resnet20", spec)
    builder = "zoo:digits_cnn" if spec is GREY else "zoo:resnet20"
    export_onnx(ExportSubject(network, labels, Architecture(builder), 10, spec, DIGEST), tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())["computation"]["preprocessing"]
    noise = np.random.default_rng(0).integers(0, 256, (23, 37, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    size = described["resize"]
    picture = Image.fromarray(noise).convert("L" if "grey" in described["colours"] else "RGB")
    assert (size["filter"], size["antialias"], size["keeps_aspect_ratio"]) == ("bilinear", True, False)
    small = np.asarray(picture.resize((size["width"], size["height"]), Image.Resampling.BILINEAR))
    assert described["layout"] == "[image, channel, row, column]"
    pixels = small[None] if spec is GREY else small.transpose(2, 0, 1)
    (tmp_path / "picture.png").write_bytes(file.getvalue())
    np.testing.assert_array_equal(decode(tmp_path / "picture.png", *spec.shape).pixels, pixels)


def test_a_network_that_cannot_be_followed_says_so_and_is_exported_all_the_same(tmp_path: Path) -> None:
    class Choosing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(64, 2)

        def forward(self, images: Tensor) -> Tensor:
            found: Tensor = self.linear(images.flatten(1))
            return found if float(found.sum()) > 0 else -found

    from modelfoundry.core.export.computation import program_of
    from modelfoundry.core.exported import ImageClassifier

    network = Choosing().eval()
    found = program_of(ImageClassifier(network, GREY, ("a", "b")), {name: name for name in network.state_dict()})
    assert found.keys() == {"missing"}
    assert "cannot be traced" in found["missing"]


def test_a_program_that_is_too_long_is_left_out_with_the_reason(
    digits: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelfoundry.core.export.computation.MOST_LINES", 3)
    subject = SUBJECTS["model"](digits)
    export_safetensors(subject, tmp_path)
    program = json.loads((tmp_path / "module.json").read_text())["computation"]["program"]
    assert "operations, more than a description carries" in program["missing"]
    torch.testing.assert_close(load_exported(tmp_path)(images_of(subject)), expected_of(subject), atol=1e-4, rtol=1e-4)


def test_the_rebuilding_program_knows_nothing_of_modelfoundry(digits: nn.Module, tmp_path: Path) -> None:
    source = Path(plain_rebuild.__file__)
    imported = [
        node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    names = {alias.name if isinstance(node, ast.Import) else node.module for node in imported for alias in node.names}
    assert names == {"json", "operator", "sys", "pathlib", "safetensors.torch", "torch"}
    subject = SUBJECTS["distilled, with a rest"](digits)
    export_safetensors(subject, tmp_path)
    safetensors.torch.save_file({"images": images_of(subject)}, tmp_path / "images.safetensors")
    files = [str(tmp_path), str(tmp_path / "images.safetensors"), str(tmp_path / "answer.safetensors")]
    subprocess.run([sys.executable, str(source), *files], check=True, cwd=tmp_path)
    answer = safetensors.torch.load_file(tmp_path / "answer.safetensors")
    torch.testing.assert_close(answer["logits"], expected_of(subject), atol=1e-4, rtol=1e-4)


def test_the_page_shows_the_program_that_is_tested() -> None:
    source = Path(plain_rebuild.__file__).read_text(encoding="utf-8")
    shown = source[source.index("import json") : source.index("def head(")].rstrip()
    assert f"```python\n{shown}\n```" in (Path(__file__).parents[3] / "docs" / "exports.md").read_text(encoding="utf-8")
