"""Version 4 of the module file: layers that something else takes the place of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
from torch import nn

from modelfoundry.core.channels import Bypass, Projection
from modelfoundry.core.modules import (
    ModuleArtifact,
    RewrittenTensors,
    kept_of_base,
    materialise,
    read_module,
    write_module,
)
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import MalformedFile, WeightsMismatch

STORED = Path(__file__).parent / "data" / "module-version-4.safetensors"
IMAGES = torch.randn(7, 2, 6, 6, generator=torch.Generator().manual_seed(9))


def test_the_first_file_with_operations_is_read_and_written_byte_for_byte(
    tmp_path: Path, network: nn.Module, operating_artifact: ModuleArtifact
) -> None:
    artifact = read_module(STORED)
    assert artifact == operating_artifact
    assert materialise(network, artifact)(IMAGES).shape == (7, 2)
    write_module(tmp_path / "again", artifact)
    assert (tmp_path / "again").read_bytes() == STORED.read_bytes()


def test_a_convolution_takes_a_layers_place(network: nn.Module, operating_artifact: ModuleArtifact) -> None:
    module = materialise(network, operating_artifact)
    assert torch.equal(module.network.get_parameter("2.weight").cpu(), operating_artifact.rewritten.tensors["2.weight"])
    assert module.operations == (Projection("2", 4, 4, 1),)
    assert isinstance(network.get_submodule("2"), nn.ReLU)


def test_a_block_that_is_left_out_keeps_nothing(network: nn.Module, rewriting_artifact: ModuleArtifact) -> None:
    nested = nn.Sequential(network, nn.Sequential(nn.Linear(5, 5))).eval()
    bypassing = replace(
        rewriting_artifact,
        masks=type(rewriting_artifact.masks)({}),
        rewritten=RewrittenTensors(),
        cuts=(),
        operations=(Bypass("1"),),
    )
    assert torch.equal(materialise(nested, bypassing).network(IMAGES), network(IMAGES))
    kept = kept_of_base(nested, bypassing).masks.bits
    assert not kept["1.0.weight"].any()
    assert kept["0.5.weight"].all()


def test_another_operation_makes_another_module(operating_artifact: ModuleArtifact) -> None:
    other = replace(operating_artifact, operations=(Projection("2", 4, 4, 2),))
    assert other != operating_artifact
    assert str(other.bits) != str(operating_artifact.bits)


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param((Bypass("2"), Bypass("2")), id="twice"),
        pytest.param((Projection("3", 4, 4, 1),), id="without weights"),
    ],
)
def test_operations_that_say_too_little_or_too_much_are_refused(
    operating_artifact: ModuleArtifact, operations: tuple[Bypass | Projection, ...]
) -> None:
    with pytest.raises(ValueError, match=r"replaced twice|no weights"):
        replace(operating_artifact, operations=operations)


@pytest.mark.parametrize("layer", ["9", "0"], ids=["missing", "with weights"])
def test_operations_that_do_not_fit_the_base_are_refused(
    network: nn.Module, operating_artifact: ModuleArtifact, layer: str
) -> None:
    rewritten = {**operating_artifact.rewritten.tensors, f"{layer}.weight": torch.zeros(3, 3, 1, 1)}
    misfit = replace(
        operating_artifact,
        masks=type(operating_artifact.masks)({}),
        rewritten=RewrittenTensors(rewritten),
        operations=(Projection(layer, 4, 4, 1),),
    )
    with pytest.raises(WeightsMismatch, match="cannot be replaced"):
        materialise(network, misfit)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: "{}", id="no list"),
        pytest.param(lambda _: "[[]]", id="no entry"),
        pytest.param(lambda found: json.dumps([["2", {"projection": [4, 4, "1"]}]]), id="no number"),
        pytest.param(lambda found: json.dumps([["2", {"projection": [4, 4, 0]}]]), id="no stride"),
        pytest.param(lambda found: json.dumps([["2", {"turn": {}}]]), id="something newer"),
        pytest.param(lambda found: found.replace(",", ", "), id="not canonical"),
        pytest.param(lambda _: "[" * 2000, id="deep"),
    ],
)
def test_descriptions_that_are_none_are_refused(tmp_path: Path, change: Callable[[str], Any]) -> None:
    with safetensors.safe_open(STORED, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    write_tensors(tmp_path / "m", tensors, {**metadata, "operations": change(metadata["operations"])})
    with pytest.raises(MalformedFile):
        read_module(tmp_path / "m")
