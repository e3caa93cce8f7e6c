"""Exports of modules that rewrite tensors, have lost channels and answer with log-odds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import ChannelMasks, plan_channels, plan_cuts
from modelfoundry.core.composing import Calibration, Member, compose_network, readout_of
from modelfoundry.core.export import (
    CompositionSubject,
    Export,
    ExportSubject,
    export_onnx,
    export_safetensors,
    export_torch,
    load_exported,
)
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import (
    LogOdds,
    MaterialisedModule,
    ModuleArtifact,
    RewrittenTensors,
    compact_module,
    materialise,
)
from modelfoundry.core.networks import build_network
from modelfoundry.errors import MalformedFile
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

SPEC = InputSpec(1, 8, 8, mean=(0.3,), std=(0.25,))
IMAGES = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(1))
PROBLEMS: list[Problem] = [BinaryProblem("3"), MultiClassProblem(("3", "8")), OpenSetProblem(("8", "3"))]
IDS = ["binary", "multi-class", "open set"]
DIGEST = "sha256:" + "12" * 32


@pytest.fixture(scope="module")
def base() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = build_network(Architecture("zoo:digits_cnn"), 10, SPEC)
        network.train()(torch.rand(32, *SPEC.shape) * 2 - 1)
    return network.eval().requires_grad_(False)


def _subject(base: nn.Module, problem: Problem) -> ExportSubject:
    """A small network of its own: half of the channels, all tensors rewritten, some in half precision."""
    plan = plan_channels(base, SPEC)
    cuts = plan_cuts(plan, ChannelMasks({g.name: torch.arange(g.units) % 2 == 0 for g in plan.groups}))
    count = len(problem.labels)
    head = LogOddsHead(
        10,
        tuple(map(int, problem.labels)),
        len(problem.outputs) > count,
        torch.full((count,), 1.5),
        torch.full((count,), 0.25),
    )
    cut = ModuleArtifact(DIGEST, problem, WeightMasks({}), head, "tried", cuts=cuts)
    generator = torch.Generator().manual_seed(6)
    tensors = {
        name: value * (torch.rand(value.shape, generator=generator) + 0.5)
        for name, value in materialise(base, cut).network.state_dict().items()
        if value.is_floating_point()
    }
    tensors["linear.weight"] *= 30  # so that images differ
    halved = {name: value.half() if value.dim() == 1 else value for name, value in tensors.items()}
    network = materialise(base, replace(cut, rewritten=RewrittenTensors(halved)))
    return ExportSubject(network, problem.outputs, Architecture("zoo:digits_cnn"), 10, SPEC, DIGEST, problem)


def _run_onnx(folder: Path, images: Tensor) -> Tensor:
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])


FORMATS = [
    (export_safetensors, lambda folder, images: load_exported(folder)(images)),
    (export_torch, lambda folder, images: torch.export.load(folder / "model.pt2").module()(images)),
    (export_onnx, _run_onnx),
]


@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
@pytest.mark.parametrize(("export", "run"), FORMATS, ids=["safetensors", "torch", "onnx"])
def test_a_small_network_of_its_own_exports_with_its_log_odds(
    base: nn.Module,
    tmp_path: Path,
    problem: Problem,
    export: Callable[[ExportSubject, Path], Export],
    run: Callable[[Path, Tensor], Tensor],
) -> None:
    subject = _subject(base, problem)
    assert export(subject, tmp_path).max_difference <= 1e-4
    with torch.no_grad():
        expected = subject.network((IMAGES - 0.3) / 0.25)
    assert expected.shape == (7, len(problem.outputs))
    assert float(expected[:, 0].std()) > 0.01
    torch.testing.assert_close(run(tmp_path, IMAGES), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("problem", PROBLEMS, ids=IDS)
def test_the_description_says_which_log_odds_and_which_widths(
    base: nn.Module, tmp_path: Path, problem: Problem
) -> None:
    export_safetensors(_subject(base, problem), tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    rest = problem.outputs[-1] == "rest"
    assert described["head"] == {"log_odds": {"columns": [int(label) for label in problem.labels], "rest": rest}}
    assert described["widths"]["features.0"] == {"inputs": None, "outputs": 16}
    rebuilt = load_exported(tmp_path).network
    assert isinstance(rebuilt, MaterialisedModule)
    assert isinstance(rebuilt.head, LogOdds)
    assert rebuilt.head.scale.tolist() == [1.5] * len(problem.labels)


def test_a_module_that_was_cut_is_compacted_further(base: nn.Module, tmp_path: Path) -> None:
    subject = _subject(base, BinaryProblem("3"))
    module = subject.network
    assert isinstance(module, MaterialisedModule)
    module.network.get_parameter("features.3.weight")[:, :4] = 0  # nothing reads 4 of the 16 channels
    found = compact_module(module, plan_channels(module.network, SPEC))
    export_safetensors(replace(subject, network=found.module), tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    assert described["widths"]["features.0"] == {"inputs": None, "outputs": 12}
    assert described["widths"].keys() == {cut.layer for cut in module.cuts}
    with torch.no_grad():
        expected = module((IMAGES - 0.3) / 0.25)
    torch.testing.assert_close(load_exported(tmp_path)(IMAGES), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("export", "run"), [FORMATS[0], FORMATS[2]], ids=["safetensors", "onnx"])
def test_a_composition_of_such_modules_exports_with_what_no_output_stands_for(
    base: nn.Module,
    tmp_path: Path,
    export: Callable[[CompositionSubject, Path], Export],
    run: Callable[[Path, Tensor], Tensor],
) -> None:
    sources = [_subject(base, problem) for problem in PROBLEMS]
    members = tuple(
        Member(place, readout_of(p.outputs, label, p, against_rest=True), Calibration(2.0, -0.5))
        for place, (p, label) in enumerate(zip(PROBLEMS, ("3", "8", "8"), strict=True))
    )
    network, spec = compose_network([(s.network, s.input_spec) for s in sources], members, ("a", "b", "c"))
    subject = CompositionSubject(network, network.labels, spec, tuple(sources), members)
    export(subject, tmp_path)
    described = json.loads((tmp_path / "module.json").read_text())
    assert [member.get("outside") for member in described["members"]] == [None, True, None]
    with torch.no_grad():
        torch.testing.assert_close(run(tmp_path, IMAGES), network(IMAGES), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    "head",
    [
        {"log_odds": {"columns": [10], "rest": True}},
        {"log_odds": {"columns": [3, 3], "rest": False}},
        {"log_odds": {"columns": [3], "rest": False}},
        {"log_odds": {"columns": ["3"], "rest": True}},
        {"log_odds": {"columns": 3, "rest": True}},
        {"log_odds": {"columns": [3]}},
        {"cubic": {}},
    ],
    ids=["no such label", "a label twice", "another problem", "a text", "no list", "no rest", "another kind"],
)
def test_a_head_that_cannot_be_is_refused(base: nn.Module, tmp_path: Path, head: dict[str, Any]) -> None:
    export_safetensors(_subject(base, BinaryProblem("3")), tmp_path)
    file = tmp_path / "module.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"head": head}))
    with pytest.raises(MalformedFile):
        load_exported(tmp_path)
