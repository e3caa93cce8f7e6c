"""Files of every version, which stand in `data`: they are read for ever, and written as they were."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors
import torch
from torch import nn

from modelfoundry.core.heads import LinearHead, LogOddsHead
from modelfoundry.core.modules import materialise, read_module, write_module
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem, Problem

DATA = Path(__file__).parent / "data"
VERSIONS = [
    ("1", BinaryProblem("horse"), (2,), "seam"),
    ("2", OpenSetProblem(("horse", "Pferdé")), (3, 3), "gradsplitter"),
]


@pytest.mark.parametrize(("version", "problem", "widths", "algorithm"), VERSIONS, ids=["1", "2"])
def test_a_file_of_an_earlier_version_is_read_and_written_byte_for_byte(
    tmp_path: Path, network: nn.Module, version: str, problem: Problem, widths: tuple[int, ...], algorithm: str
) -> None:
    old = DATA / f"module-version-{version}.safetensors"
    with safetensors.safe_open(old, framework="pt") as file:
        assert file.metadata()["format_version"] == version
    artifact = read_module(old)
    assert (artifact.problem, artifact.algorithm) == (problem, algorithm)
    assert isinstance(artifact.head, LinearHead)
    assert (artifact.head.labels, artifact.head.widths) == (5, widths)
    assert (artifact.masks.kept, artifact.masks.total) == (364, 1273)
    assert not artifact.rewritten.tensors
    assert not artifact.cuts
    assert materialise(network, artifact)(torch.zeros(1, 2, 6, 6)).shape == (1, len(problem.outputs))
    write_module(tmp_path / "again", artifact)
    assert (tmp_path / "again").read_bytes() == old.read_bytes()


def test_the_first_file_with_all_parts_is_read_and_written_byte_for_byte(tmp_path: Path, network: nn.Module) -> None:
    old = DATA / "module-version-3.safetensors"
    artifact = read_module(old)
    assert artifact.head == LogOddsHead(5, (3,), True, torch.tensor([0.5]), torch.tensor([-0.25]))
    assert {name: str(tensor.dtype) for name, tensor in artifact.rewritten.tensors.items()} == {
        **dict.fromkeys(("1.running_var", "1.weight", "5.weight"), "torch.float32"),
        "1.bias": "torch.float16",
    }
    assert [str(cut) for cut in artifact.cuts] == [
        "0: outputs 3 of 4",
        "1: outputs 3 of 4",
        "4: inputs 108 of 144, outputs 7 of 8",
        "5: inputs 7 of 8",
    ]
    assert artifact.masks.total == 3 * 18 + 3 + 7 * 108 + 35 + 5
    assert materialise(network, artifact)(torch.zeros(1, 2, 6, 6)).shape == (1, 2)
    write_module(tmp_path / "again", artifact)
    assert (tmp_path / "again").read_bytes() == old.read_bytes()
