"""The reader that stands in `docs/module-format.md`, beside ours: with torch and no program of ours at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.channels import Bypass, ChannelMasks, plan_channels, plan_cuts
from modelfoundry.core.heads import HeadLayer, LinearHead, LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise, read_module, write_module
from modelfoundry.core.modules.format.metadata import VERSIONS
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem

PAGE = (Path(__file__).parents[3] / "docs" / "module-format.md").read_text(encoding="utf-8")
DATA = Path(__file__).parent / "data"
IMAGES = torch.randn(7, 2, 6, 6, generator=torch.Generator().manual_seed(9))
Read = Callable[[Path, nn.Module], Callable[[Tensor], Tensor]]


@pytest.fixture(scope="module")
def described() -> Read:
    """The page's `read`."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert "modelfoundry" not in code
    names: dict[str, Any] = {}
    exec(compile(code, "docs/module-format.md", "exec"), names)
    return names["read"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_stored_file_of_every_version_is_read_as_the_page_says(
    described: Read, network: nn.Module, version: str
) -> None:
    path = DATA / f"module-version-{version}.safetensors"
    with torch.no_grad():
        torch.testing.assert_close(described(path, network)(IMAGES), materialise(network, read_module(path))(IMAGES))


def _kinds(
    artifact: ModuleArtifact, rewriting: ModuleArtifact, operating: ModuleArtifact
) -> Iterator[tuple[str, ModuleArtifact]]:
    ones = torch.ones(2)
    pair = LogOddsHead(5, (4, 1), False, ones * 0.5, ones)
    scales, variances = torch.tensor([1.0, -2.0, 0.5, 3.0]).half(), torch.tensor([0.5, 1.0, 2.0, 4.0])
    norms = {"1.weight": scales, "1.running_var": variances}
    layers = (HeadLayer(torch.eye(3, 5), torch.zeros(3)), HeadLayer(torch.ones(2, 3), torch.ones(2)))
    yield "masks", artifact
    yield "deep head", replace(artifact, head=LinearHead(layers))
    yield "nothing but log-odds", replace(rewriting, masks=WeightMasks({}), rewritten=RewrittenTensors(), cuts=())
    yield "two labels", replace(artifact, problem=MultiClassProblem(("a", "b")), head=pair)
    yield "open set", replace(artifact, problem=OpenSetProblem(("a", "b")), head=replace(pair, rest=True))
    yield "norms beside masks", replace(artifact, rewritten=RewrittenTensors(norms))
    yield "cut alone", replace(rewriting, masks=WeightMasks({}), rewritten=RewrittenTensors())
    yield "a convolution in place of a layer", operating
    yield "nothing in place of a layer", replace(rewriting, operations=(Bypass("2"),))
    yield "all at once", rewriting


def test_a_module_of_every_kind_is_rebuilt_in_plain_torch(
    described: Read,
    network: nn.Module,
    artifact: ModuleArtifact,
    rewriting_artifact: ModuleArtifact,
    operating_artifact: ModuleArtifact,
    tmp_path: Path,
) -> None:
    before = network(IMAGES)
    for kind, module in _kinds(artifact, rewriting_artifact, operating_artifact):
        write_module(tmp_path / "m", module)
        with torch.no_grad():
            found, expected = described(tmp_path / "m", network)(IMAGES), materialise(network, module)(IMAGES)
        torch.testing.assert_close(found, expected, msg=lambda text, kind=kind: f"{kind}: {text}")
    assert torch.equal(network(IMAGES), before)


class _EveryLayer(nn.Module):
    """One of each kind of layer that can be cut: with groups, depthwise, transposed, PReLU, a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.act = nn.PReLU(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 12, 1, groups=4)
        self.up = nn.ConvTranspose2d(12, 6, 2, stride=2)
        self.scale = nn.Parameter(torch.rand(1, 6, 1, 1) + 0.5)
        self.last = nn.Linear(6, 5)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.grouped(self.depthwise(self.act(self.norm(self.stem(images)))))
        return self.last((self.up(maps) * self.scale).mean((2, 3)))


@pytest.mark.parametrize("builder", ["every layer", "torchvision:mobilenet_v2"])
def test_every_kind_of_layer_is_cut_as_the_page_says(
    described: Read, builder: str, rewriting_artifact: ModuleArtifact, tmp_path: Path
) -> None:
    spec = InputSpec(3, 32, 32)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        base = _EveryLayer() if builder == "every layer" else build_network(Architecture(builder), 5, spec)
        images = torch.rand(4, *spec.shape)
        base.train()(images)
    base.eval().requires_grad_(False)
    plan = plan_channels(base, spec)
    alive = {g.name: torch.arange(g.units) % 3 != 1 for g in plan.groups}
    cuts = plan_cuts(plan, ChannelMasks(alive))
    module = replace(
        rewriting_artifact,
        problem=BinaryProblem("a"),
        masks=WeightMasks({}),
        rewritten=RewrittenTensors(),
        cuts=cuts,
    )
    write_module(tmp_path / "m", module)
    if builder == "every layer":
        assert {cut.layer for cut in cuts} == {name for name, _ in base.named_children()} | {"scale"}
    expected = materialise(base, module)(images)
    assert sum(p.numel() for p in materialise(base, module).parameters()) < sum(p.numel() for p in base.parameters())
    torch.testing.assert_close(described(tmp_path / "m", base)(images), expected)
