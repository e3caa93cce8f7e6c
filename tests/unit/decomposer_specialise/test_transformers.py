"""Transformers: heads, neurons and blocks are cut away, what stays learns, and files of it answer alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.export import ExportSubject, export_onnx, export_safetensors, load_exported, onnx_program
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise, read_module, write_module
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult, SearchTask
from modelfoundry.decomposer.algorithms.specialise import SPECIALISE
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem

SPEC = InputSpec(3, 8, 8)
LABELS = ("ant", "bee", "cow", "dog")
DOG = BinaryProblem("dog")
ARCHITECTURE = Architecture(
    "timm:vit_tiny_patch16_224", {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 3, "num_heads": 2}
)


def bright(count: int, seed: int) -> ImageSet:
    """Images whose labels are their brightness, up to noise."""
    labels = torch.arange(4 * count) % 4
    noise = torch.randint(0, 30, (4 * count, 3, 8, 8), generator=torch.Generator().manual_seed(seed))
    return ImageSet((noise + 60 * labels[:, None, None, None]).to(torch.uint8), labels)


def built() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_network(ARCHITECTURE, len(LABELS), SPEC)


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    """A transformer that knows the labels."""
    network, data = built(), bright(32, seed=0)
    optimiser = torch.optim.Adam(network.parameters(), 0.003)
    for _ in range(80):
        optimiser.zero_grad()
        functional.cross_entropy(network(data.images.float() / 255), data.labels).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network.eval().requires_grad_(False)


def search(network: nn.Module, **settings: Any) -> SearchResult[FoundModule]:
    given = {"views": 64, "batch_size": 16, "precision": "float32", "compute": "fp32", **settings}
    return SPECIALISE.search(
        SearchTask(
            network=network,
            architecture=ARCHITECTURE,
            labels=LABELS,
            problems=(DOG,),
            train=bright(24, seed=1),
            validation=bright(10, seed=2),
            input_spec=SPEC,
            settings=SPECIALISE.resolve("", given),
            seed=0,
            device=torch.device("cpu"),
            monitor=Unwatched(),
        )
    )


def stored(network: nn.Module, found: FoundModule, path: Path) -> nn.Module:
    """The module's network, read back from its file."""
    parts = (found.masks, found.head, "specialise", RewrittenTensors(found.rewritten), found.cuts, found.operations)
    write_module(path, ModuleArtifact("sha256:" + "0" * 64, DOG, *parts))
    return materialise(network, read_module(path)).eval()


@pytest.fixture(scope="module")
def found(trained: nn.Module) -> SearchResult[FoundModule]:
    return search(trained, widths="1-24", left_out=1, steps=40)


def test_half_a_transformer_learns_to_answer(trained: nn.Module, found: SearchResult[FoundModule]) -> None:
    untaught = search(trained, widths="1-24", left_out=1, steps=0, seconds=0.0)
    assert found.validation_accuracy >= max(0.85, untaught.validation_accuracy)
    assert len(found.modules[0].operations) == 1
    assert found.settled["widths"] == "1-24"


def test_files_of_half_a_transformer_answer_alike(
    trained: nn.Module, found: SearchResult[FoundModule], tmp_path: Path
) -> None:
    module = stored(trained, found.modules[0], tmp_path / "module")
    assert not any(parameter.numel() > 1000 for parameter in module.parameters())
    subject = ExportSubject(module, DOG.outputs, ARCHITECTURE, len(LABELS), SPEC, "sha256:" + "0" * 64, DOG)
    for name, export in (("onnx", export_onnx), ("tensors", export_safetensors)):
        (tmp_path / name).mkdir()
        export(subject, tmp_path / name)
    images = bright(5, seed=3).images.float() / 255
    with torch.no_grad():
        right = module(images)
        torch.testing.assert_close(load_exported(tmp_path / "tensors")(images), right, atol=1e-4, rtol=1e-4)
    program = onnx_program((tmp_path / "onnx" / "model.onnx").read_bytes())
    torch.testing.assert_close(program(images), right, atol=1e-4, rtol=1e-4)


def test_a_transformer_without_any_block_is_no_candidate(trained: nn.Module) -> None:
    result = search(trained, max_macs=0.3, steps=2, seconds=0.0)
    assert 1 <= result.settled["left_out"] < 3
    assert result.frontier is not None
    assert all("3 blocks fewer" not in point.structure for point in result.frontier.points)
