"""Compositions without the dead channels of their modules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from modelfoundry.core.channels import ChannelMasks, kernel_weight_masks, plan_channels, plan_cuts
from modelfoundry.core.composing import Member, Readout, compose_network
from modelfoundry.core.export import CompositionSubject, ExportSubject
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import MaterialisedModule, ModuleArtifact, materialise
from modelfoundry.core.networks import build_network
from modelfoundry.reuser.subjects import LoadedSubject, compacted_composition, without_dead_channels
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem

SPEC = InputSpec(1, 8, 8)
DIGEST = "sha256:" + "1" * 64
IMAGES = torch.rand(4, *SPEC.shape, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def base() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = build_network(Architecture("zoo:digits_cnn"), 10, SPEC)
        for parameter in network.parameters():  # no two layers of a trained network have the same
            nn.init.normal_(parameter, std=0.2)
        network.train()(torch.rand(16, *SPEC.shape))
    return network.eval().requires_grad_(False)


def test_modules_of_one_base_are_each_compacted_from_what_they_have_left(base: nn.Module) -> None:
    plan = plan_channels(base, SPEC)
    alive = ChannelMasks({g.name: torch.arange(g.units) % 2 == 0 for g in plan.groups})
    problem = BinaryProblem("3")
    head = LogOddsHead(10, (3,), True, torch.ones(1), torch.zeros(1))
    whole = ModuleArtifact(DIGEST, problem, kernel_weight_masks(base, plan, alive), head, "tried")
    cut = ModuleArtifact(DIGEST, problem, WeightMasks({}), head, "tried", cuts=plan_cuts(plan, alive))
    sources = tuple(
        ExportSubject(
            materialise(base, each), problem.outputs, Architecture("zoo:digits_cnn"), 10, SPEC, DIGEST, problem
        )
        for each in (whole, cut)
    )
    members = (Member(0, Readout(0)), Member(1, Readout(0)))
    network, spec = compose_network([(s.network, s.input_spec) for s in sources], members, ("a", "b"))
    masked = CompositionSubject(network, network.labels, spec, sources, members)
    served = without_dead_channels(LoadedSubject(masked, DIGEST))
    assert served.digest == DIGEST
    compacted = served.classifier
    assert isinstance(compacted, CompositionSubject)
    first, second = (source.network for source in compacted.sources)
    assert isinstance(first, MaterialisedModule)
    assert isinstance(second, MaterialisedModule)
    assert {cut.layer: cut for cut in first.cuts} == {cut.layer: cut for cut in second.cuts}
    with torch.no_grad():
        torch.testing.assert_close(compacted.network(IMAGES), masked.network(IMAGES), atol=1e-5, rtol=1e-5)


def test_a_model_stays_as_it_is_also_one_that_was_imported_from_a_module(base: nn.Module) -> None:
    plan = plan_channels(base, SPEC)
    alive = ChannelMasks({g.name: torch.arange(g.units) % 2 == 0 for g in plan.groups})
    head = LogOddsHead(10, (3,), True, torch.ones(1), torch.zeros(1))
    artifact = ModuleArtifact(DIGEST, BinaryProblem("3"), kernel_weight_masks(base, plan, alive), head, "tried")
    imported = materialise(base, artifact)
    model = ExportSubject(imported, ("3", "rest"), Architecture("exported:module"), 2, SPEC, DIGEST)
    members = (Member(0, Readout(0)), Member(0, Readout(1)))
    network, spec = compose_network([(imported, SPEC)], members, ("a", "b"))
    compacted = compacted_composition(CompositionSubject(network, network.labels, spec, (model,), members))
    assert compacted.sources == (model,)
