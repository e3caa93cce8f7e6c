"""Steps in bfloat16: decided by the processor, repeatable, and of no consequence for how a module is run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from distilling import BEE, CPU, GREY, LABELS, QUICK, Keeping, accuracy, images, same, task

from modelfoundry.core.datasets import normalise
from modelfoundry.core.evaluation import pose
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.core.modules import ModuleArtifact, RewrittenTensors, materialise
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.decomposer.algorithms.distilling.precision import decided
from modelfoundry.decomposer.algorithms.seam.distilled.search import Distillation, distil


def test_the_processor_decides_where_nothing_is_said(able: bool) -> None:
    assert decided("auto", CPU) == ("bfloat16" if able else "float32")
    assert decided("float32", CPU) == "float32"


def test_a_step_s_numbers_are_narrow_and_those_that_are_kept_are_not(network: torch.nn.Module) -> None:
    narrow, wide = (Distillation(task(network, precision=precision)) for precision in ("bfloat16", "float32"))
    for run in (narrow, wide):
        run.fill_pool()
        run.run_step()
    assert narrow.scores.dtype == torch.float32
    assert not torch.equal(narrow.scores, wide.scores)
    # Adam's first step is the rate in the direction of the gradient, whatever its size.
    moved = narrow.scores - wide.scores
    assert float((moved.abs() < 1e-4).float().mean()) > 0.9


def test_narrow_searches_are_the_same_again_and_from_any_checkpoint(network: torch.nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    whole = distil(task(network, monitor=keeping, precision="bfloat16"))
    assert same(distil(task(network, precision="bfloat16")), whole)
    for path in keeping.paths[::3]:
        assert same(distil(task(network, resume=path, precision="bfloat16")), whole)


def test_a_search_that_goes_on_where_another_precision_is_used_begins_again(
    network: torch.nn.Module, tmp_path: Path
) -> None:
    keeping = Keeping(tmp_path)
    distil(task(network, monitor=keeping, precision="bfloat16"))
    run = Distillation(task(network, precision="float32"))
    run.restore(keeping.paths[5])
    assert run.step == 0
    assert torch.equal(run.scores, Distillation(task(network)).scores)


def test_a_module_of_a_narrow_search_answers_in_full_precision(network: torch.nn.Module) -> None:
    settings = dataclasses.replace(QUICK, steps=60, batch_size=32)
    found = distil(task(network, settings, precision="bfloat16"))
    assert accuracy(network, found, BEE, images(60, seed=2)) == pytest.approx(found.validation_accuracy)
    artifact = ModuleArtifact(
        f"sha256:{'0' * 64}", BEE, found.masks, found.head, "seam", RewrittenTensors(found.rewritten)
    )
    inputs = normalise(pose(images(60, seed=4), BEE, LABELS).images, GREY)
    state = masked_state(network, found.masks) | {name: value.float() for name, value in found.rewritten.items()}
    with torch.no_grad():
        masked = network_of_head(found.head)(masked_forward(network, state, inputs))
        torch.testing.assert_close(materialise(network, artifact)(inputs), masked)
