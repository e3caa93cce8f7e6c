"""Modules as networks: a file that does not fit its base model is refused before anything is computed with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from modelfoundry.client import BlobRef, DecompositionRecord, Model, Module
from modelfoundry.core.channels import ChannelMasks, LayerCut, plan_channels, plan_cuts
from modelfoundry.core.composing import Readout
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.masking import WeightMasks
from modelfoundry.core.modules import ModuleArtifact, write_module
from modelfoundry.core.networks import build_network
from modelfoundry.core.tensorfile import write_tensors
from modelfoundry.errors import WeightsMismatch
from modelfoundry.values.architectures import Architecture, InputSpec
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, Problem
from modelfoundry.workbench.cache import BlobCache
from modelfoundry.workbench.networks import load_model, load_module, load_module_network

WEIGHTS, FILE = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SPEC = InputSpec(1, 8, 8)
MODEL = Model(
    name="projects/p/models/net",
    architecture=Architecture("zoo:digits_cnn"),
    input=SPEC,
    labels=("a", "b", "c"),
    weights=BlobRef(WEIGHTS),
)
CLIENT: Any = None
"""Nobody asks for what is in the cache."""


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return build_network(MODEL.architecture, 3, SPEC).eval()


@pytest.fixture(scope="module")
def cuts(network: torch.nn.Module) -> tuple[LayerCut, ...]:
    plan = plan_channels(network, SPEC)
    return plan_cuts(plan, ChannelMasks({g.name: torch.arange(g.units) % 2 == 0 for g in plan.groups}))


@pytest.fixture
def cached(network: torch.nn.Module, tmp_path: Path) -> Callable[..., tuple[BlobCache, Module]]:
    """Puts the model and a module of it into a cache."""

    def put(problem: Problem, columns: tuple[int, ...], cuts: tuple[LayerCut, ...] = ()) -> tuple[BlobCache, Module]:
        write_tensors(tmp_path / WEIGHTS.removeprefix("sha256:"), network.state_dict())
        ones = torch.ones(len(columns))
        head = LogOddsHead(3, columns, len(problem.outputs) > len(columns), ones, ones)
        artifact = ModuleArtifact(WEIGHTS, problem, WeightMasks({}), head, "tried", cuts=cuts)
        write_module(tmp_path / FILE.removeprefix("sha256:"), artifact)
        module = Module(
            name="projects/p/modules/m",
            base_model=MODEL.name,
            problem=problem,
            artifact=BlobRef(FILE),
            dataset="projects/p/datasets/d",
            record=DecompositionRecord(algorithm="tried"),
        )
        return BlobCache(tmp_path, 2**30), module

    return put


def test_a_module_that_was_cut_is_loaded_both_ways(
    cached: Callable[..., tuple[BlobCache, Module]], cuts: tuple[LayerCut, ...]
) -> None:
    cache, module = cached(BinaryProblem("b"), (1,), cuts)
    loaded = load_module(CLIENT, cache, module, load_model(CLIENT, cache, MODEL))
    alone = load_module_network(CLIENT, cache, module, MODEL)
    images = torch.rand(2, *SPEC.shape)
    with torch.no_grad():
        assert torch.equal(loaded.network(images), alone.network(images))
    assert loaded.network.cuts == alone.network.cuts == cuts
    assert loaded.readout("b") == Readout(0)


def test_labels_of_a_module_without_a_rest_stand_against_what_it_has_no_output_for(
    cached: Callable[..., tuple[BlobCache, Module]],
) -> None:
    cache, module = cached(MultiClassProblem(("c", "a")), (2, 0))
    loaded = load_module(CLIENT, cache, module, load_model(CLIENT, cache, MODEL))
    assert loaded.readout("a") == Readout(1, outside=True)


def test_layers_that_do_not_fit_together_after_the_cut_are_refused(
    cached: Callable[..., tuple[BlobCache, Module]], cuts: tuple[LayerCut, ...]
) -> None:
    torn = tuple(replace(cut, inputs=None) for cut in cuts if cut.outputs)
    cache, module = cached(BinaryProblem("b"), (1,), torn)
    with pytest.raises(WeightsMismatch, match="do not fit together") as caught:
        load_module(CLIENT, cache, module, load_model(CLIENT, cache, MODEL))
    assert caught.value.hint
    with pytest.raises(WeightsMismatch, match="do not fit together"):
        load_module_network(CLIENT, cache, module, MODEL)
