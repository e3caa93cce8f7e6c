"""What the core writes is what the registry takes, though one knows torch and the other does not."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from modelfoundry.core.heads import HeadLayer, LinearHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, write_module
from modelfoundry.errors import InvalidField, MalformedFile
from modelfoundry.registry.catalog.artifact_file import check_artifact
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile, open_safetensors
from modelfoundry.registry.catalog.tables import ModelRow
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

DIGEST = "sha256:" + "a" * 64


class OneFile:
    """A blob store with one blob."""

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()

    @property
    def size(self) -> int:
        return len(self._content)

    def find(self, digest: str) -> OneFile:
        return self

    def read(self, digest: str, offset: int = 0, limit: int = 0):  # type: ignore[no-untyped-def]
        yield self._content[offset : offset + limit if limit else None]


def _base() -> ModelRow:
    return ModelRow(
        name="projects/default/models/net",
        labels=["cat", "dog", "horse"],
        weights_digest=DIGEST,
        tensors=[("conv.weight", "F32", [4, 1, 3, 3]), ("conv.bias", "F32", [4]), ("fc.weight", "F32", [3, 4])],
    )


@pytest.mark.parametrize(
    "problem",
    [BinaryProblem("horse"), MultiClassProblem(("dog", "cat")), OpenSetProblem(("dog", "cat"))],
    ids=["binary", "multi", "open"],
)
@pytest.mark.parametrize("hidden", [(), (5,), (5, 4)], ids=["one layer", "two layers", "three layers"])
def test_an_artifact_of_the_core_is_taken(tmp_path: Path, problem: Problem, hidden: tuple[int, ...]) -> None:
    file = _file(tmp_path, problem, (3, *hidden, len(problem.outputs)))

    check_artifact(file, _base(), problem)
    with pytest.raises(InvalidField):
        check_artifact(file, _base(), BinaryProblem("cat"))


def test_a_deep_head_for_other_labels_is_refused(tmp_path: Path) -> None:
    file = _file(tmp_path, BinaryProblem("horse"), (4, 5, 2))

    with pytest.raises(MalformedFile, match=r"head\.0\.weight is F32 \[5, 4\], not F32 \[5, 3\]"):
        check_artifact(file, _base(), BinaryProblem("horse"))


def _file(folder: Path, problem: Problem, widths: tuple[int, ...]) -> SafetensorsFile:
    shapes = {"conv.weight": (4, 1, 3, 3), "conv.bias": (4,), "fc.weight": (3, 4)}
    masks = WeightMasks({name: torch.rand(shape) > 0.5 for name, shape in shapes.items()})
    layers = [HeadLayer(torch.ones(outputs, inputs), torch.zeros(outputs)) for inputs, outputs in pairwise(widths)]
    head = LinearHead(tuple(layers))
    path = folder / "module.safetensors"
    write_module(path, ModuleArtifact(DIGEST, problem, masks, head, "seam"))

    return open_safetensors(OneFile(path), DIGEST, field="module.artifact")


def test_the_registry_starts_without_torch() -> None:
    program = "import sys, modelfoundry.registry.__main__; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
