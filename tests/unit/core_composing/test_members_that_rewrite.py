"""Members whose modules rewrite tensors, cut channels and speak in log-odds: what they share, and what they do not."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from modelfoundry.core.channels import ChannelMasks, plan_channels, plan_cuts
from modelfoundry.core.composing import Calibration, Member, compose_network, fit_calibration, log_odds, readout_of
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.metrics import cost
from modelfoundry.core.modules import LogOdds, ModuleArtifact, RewrittenTensors, materialise
from modelfoundry.core.networks import build_network
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem

SPEC = InputSpec(3, 32, 32, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
IMAGES = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(4))
PLAIN = ModuleArtifact(
    "sha256:" + "0" * 64,
    BinaryProblem("b"),
    WeightMasks({}),
    LogOddsHead(4, (1,), True, torch.ones(1), torch.zeros(1)),
    "tried",
)


@pytest.fixture(scope="module")
def base() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = build_network(Architecture("zoo:resnet20"), 4, SPEC)
        network.train()(torch.rand(8, *SPEC.shape) * 2 - 1)
    return network.eval().requires_grad_(False)


def _of(label: str, **parts: object) -> ModuleArtifact:
    head = replace(PLAIN.head, columns=("abcd".index(label),))
    return replace(PLAIN, problem=BinaryProblem(label), head=head, **parts)


def _joined(base: nn.Module, *artifacts: ModuleArtifact) -> tuple[nn.Module, torch.Tensor, InputSpec]:
    """The composition, and what its members say one by one."""
    modules = [materialise(base, artifact) for artifact in artifacts]
    problems = [artifact.problem for artifact in artifacts]
    members = [
        Member(place, readout_of(p.outputs, p.label, p, against_rest=True), Calibration(1.5, 0.5))
        for place, p in enumerate(problems)
    ]
    normalised = (IMAGES - torch.tensor(SPEC.mean).view(-1, 1, 1)) / torch.tensor(SPEC.std).view(-1, 1, 1)
    with torch.inference_mode():
        columns = [
            member.calibration(log_odds(copy.deepcopy(module)(normalised), member.readout))
            for module, member in zip(modules, members, strict=True)
        ]
    labels = [artifact.problem.label for artifact in artifacts]
    composed, whole = compose_network([(module, SPEC) for module in modules], members, labels)
    return composed, torch.stack(columns, 1), whole


def test_modules_that_keep_all_of_one_base_run_it_once_and_say_what_it_says(base: nn.Module) -> None:
    composed, expected, whole = _joined(base, *(_of(label) for label in "abcd"))
    with torch.inference_mode():
        torch.testing.assert_close(composed(IMAGES), expected, atol=1e-5, rtol=1e-5)
    assert cost(composed, whole).macs_dense == cost(base, SPEC).macs_dense


def test_a_layer_that_is_rewritten_and_all_behind_it_is_run_for_each(base: nn.Module) -> None:
    whole_cost = cost(base, SPEC).macs_dense
    early = RewrittenTensors({"bn1.bias": base.bn1.bias + 0.5})
    late = RewrittenTensors({"linear.bias": base.linear.bias + torch.tensor([0.5, 0.0, -0.5, 1.0])})
    for rewritten, factor in ((early, 1.9), (late, 1.001)):
        composed, expected, whole = _joined(base, _of("a"), _of("b", rewritten=rewritten))
        assert not torch.equal(*_joined(base, _of("b"), _of("b", rewritten=rewritten))[1].T)
        with torch.inference_mode():
            torch.testing.assert_close(composed(IMAGES), expected, atol=1e-5, rtol=1e-5)
        macs = cost(composed, whole).macs_dense
        assert macs / whole_cost == pytest.approx(factor, abs=0.11)


def test_a_member_that_was_cut_shares_no_narrower_layer(base: nn.Module) -> None:
    plan = plan_channels(base, SPEC)
    cuts = plan_cuts(plan, ChannelMasks({g.name: torch.arange(g.units) % 2 == 0 for g in plan.groups}))
    composed, expected, _ = _joined(base, _of("a"), _of("c", cuts=cuts), _of("d", cuts=cuts))
    with torch.inference_mode():
        torch.testing.assert_close(composed(IMAGES), expected, atol=1e-5, rtol=1e-5)


def test_a_composition_calibrates_away_what_a_head_scales_and_shifts() -> None:
    logits = torch.randn(400, 4, generator=torch.Generator().manual_seed(3)) * 2
    positive = torch.rand(400, generator=torch.Generator().manual_seed(7)) < logits.softmax(1)[:, 1]
    readout = readout_of(("b", "rest"), "b", BinaryProblem("b"), against_rest=True)
    plain, off = LogOdds(4, (1,), rest=True), LogOdds(4, (1,), rest=True)
    off.load_state_dict({"scale": torch.tensor([4.0]), "bias": torch.tensor([-3.0])})
    said = [log_odds(head(logits).detach(), readout) for head in (plain, off)]
    calibrated = [fit_calibration(each, positive)(each) for each in said]
    assert float((said[0] - said[1]).abs().max()) > 1
    torch.testing.assert_close(calibrated[1], calibrated[0], atol=1e-2, rtol=1e-2)
