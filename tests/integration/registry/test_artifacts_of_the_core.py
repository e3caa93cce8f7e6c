"""What the core writes is what the registry takes, though one knows torch and the other does not."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from modelfoundry.core.channels import KeptChannels, LayerCut
from modelfoundry.core.heads import HeadLayer, LinearHead, LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, write_module
from modelfoundry.errors import InvalidField, MalformedFile, WeightsMismatch
from modelfoundry.registry.catalog.artifact_file import check_artifact
from modelfoundry.registry.catalog.safetensors_file import SafetensorsFile, open_safetensors
from modelfoundry.registry.records.tables import ModelRow
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem

DIGEST = "sha256:" + "a" * 64


class OneFile:
    """A blob store with one blob."""

    def __init__(self, path: Path) -> None:
        self._content = path.read_bytes()

    @property
    def size_bytes(self) -> int:
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


@pytest.mark.parametrize(
    "problem",
    [BinaryProblem("horse"), MultiClassProblem(("dog", "cat")), OpenSetProblem(("dog", "cat"))],
    ids=["binary", "multi", "open"],
)
@pytest.mark.parametrize("cut", [False, True], ids=["whole", "cut"])
def test_an_artifact_that_rewrites_tensors_is_taken(tmp_path: Path, problem: Problem, cut: bool) -> None:
    file = _stored(tmp_path, _rewriting(problem, cut=cut))

    check_artifact(file, _base(), problem)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"columns": (0,)}, MalformedFile, "compares other labels"),
        ({"labels": 4}, MalformedFile, "compares other labels"),
        ({"rewritten": {"conv.weight": torch.ones(3, 1, 3, 3)}}, WeightsMismatch, "rewritten as"),
        ({"rewritten": {"conv.scale": torch.ones(4)}}, WeightsMismatch, "is not there"),
        ({"cut": True, "rewritten": {"conv.bias": torch.ones(5)}}, WeightsMismatch, "rewritten as"),
        ({"cut": True, "rewritten": {"fc.weight": torch.ones(3, 3)}}, WeightsMismatch, "rewritten as"),
        ({"cut": True, "layer": "stranger"}, MalformedFile, "its cuts have the entry"),
    ],
    ids=["other label", "other count", "other shape", "no tensor", "wider than the base", "not cut", "no layer"],
)
def test_an_artifact_that_rewrites_what_the_base_has_not_is_refused(
    tmp_path: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    file = _stored(tmp_path, _rewriting(BinaryProblem("horse"), **change))

    with pytest.raises(error, match=said):
        check_artifact(file, _base(), BinaryProblem("horse"))


def _rewriting(
    problem: Problem,
    *,
    cut: bool = False,
    layer: str = "conv",
    labels: int = 3,
    columns: tuple[int, ...] | None = None,
    rewritten: dict[str, torch.Tensor] | None = None,
) -> ModuleArtifact:
    """A module without masks; of the convolution three channels of four stay, where it is cut."""
    places = tuple(["cat", "dog", "horse"].index(label) for label in problem.labels) if columns is None else columns
    ones = torch.ones(len(places))
    return ModuleArtifact(
        DIGEST,
        problem,
        WeightMasks({}),
        LogOddsHead(labels, places, len(problem.outputs) > len(places), ones, ones),
        "tried",
        RewrittenTensors(rewritten or {"conv.bias": torch.ones(3 if cut else 4).half(), "fc.weight": torch.ones(3, 4)}),
        (LayerCut(layer, None, KeptChannels(4, (0, 1, 3))),) if cut else (),
    )


def _file(folder: Path, problem: Problem, widths: tuple[int, ...]) -> SafetensorsFile:
    shapes = {"conv.weight": (4, 1, 3, 3), "conv.bias": (4,), "fc.weight": (3, 4)}
    masks = WeightMasks({name: torch.rand(shape) > 0.5 for name, shape in shapes.items()})
    layers = [HeadLayer(torch.ones(outputs, inputs), torch.zeros(outputs)) for inputs, outputs in pairwise(widths)]
    head = LinearHead(tuple(layers))
    return _stored(folder, ModuleArtifact(DIGEST, problem, masks, head, "seam"))


def _stored(folder: Path, artifact: ModuleArtifact) -> SafetensorsFile:
    path = folder / "module.safetensors"
    write_module(path, artifact)

    return open_safetensors(OneFile(path), DIGEST, field="module.artifact")


def test_the_registry_starts_without_torch() -> None:
    program = "import sys, modelfoundry.registry.__main__; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
