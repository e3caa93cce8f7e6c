"""The distillation: the same bits again, from any checkpoint, until it is cancelled; on networks of several kinds."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from distilling import BEE, CPU, GREY, LABELS, QUICK, DroppingOut, Keeping, accuracy, images, same, task, trained
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.datasets import normalise
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.seam.distilled.masks import RankedMasks
from modelfoundry.decomposer.algorithms.seam.distilled.search import Distillation, Distilled, distil
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.errors import Cancelled, MalformedFile
from modelfoundry.values.architectures import Architecture
from modelfoundry.values.problems import BinaryProblem, MultiClassProblem, OpenSetProblem, Problem


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(network: nn.Module) -> None:
    torch.manual_seed(11)
    first = distil(task(network))
    torch.manual_seed(12)
    assert same(distil(task(network)), first)
    assert not same(distil(task(network, seed=4)), first)


def test_exactly_the_share_asked_for_is_kept(network: nn.Module) -> None:
    found = distil(task(network)).masks
    assert found.total == 8 * 9 + 8 + 8 * 4 + 4 + 9 + 3
    assert found.kept == round(found.total * 0.25)


def test_a_search_leaves_network_random_numbers_and_flags_as_they_were(network: nn.Module) -> None:
    before, random_state = copy.deepcopy(network.state_dict()), torch.get_rng_state()
    distil(task(network))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert not network.training
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_search_stopped_after_any_step_goes_on_to_the_same_end(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    whole = distil(task(network, monitor=keeping))
    assert len(keeping.paths) == QUICK.steps
    for path in keeping.paths:
        assert same(distil(task(network, resume=path)), whole)


def test_a_search_is_taken_up_with_another_number_of_threads(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    distil(task(network, monitor=keeping))
    torch.set_num_threads(2)
    found = distil(task(network, resume=keeping.paths[3]))
    assert found.masks.retention == pytest.approx(0.25, abs=0.005)
    assert found.threads == {1, 2}


@pytest.mark.parametrize("change", [{"lr_mask": 0.1}, {"steps": 7}, {"retention": 0.3}], ids=["rate", "steps", "share"])
def test_checkpoints_of_another_search_are_refused(
    network: nn.Module, tmp_path: Path, change: dict[str, float]
) -> None:
    keeping = Keeping(tmp_path)
    distil(task(network, monitor=keeping))
    with pytest.raises(MalformedFile):
        distil(task(network, dataclasses.replace(QUICK, **change), resume=keeping.paths[0]))  # type: ignore[arg-type]
    with pytest.raises(MalformedFile):
        distil(task(network, problem=BinaryProblem("cow"), resume=keeping.paths[0]))


@pytest.mark.parametrize("asked", [1, 2, 3, 5, 10, 11, 12])
def test_a_search_is_cancelled_in_the_pool_between_steps_and_at_the_end(
    network: nn.Module, tmp_path: Path, asked: int
) -> None:
    keeping = Keeping(tmp_path, cancel_at=asked)
    with pytest.raises(Cancelled):
        distil(task(network, monitor=keeping))
    assert len(keeping.paths) == min(max(0, asked - 3), QUICK.steps)
    assert not torch.are_deterministic_algorithms_enabled()


def test_progress_names_what_is_done_and_the_density_falls(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    distil(task(network, monitor=keeping))
    assert keeping.reports[0][:2] == ("the base's answers", 0)
    steps = keeping.reports[1:]
    assert [report[:3] for report in steps] == [("masks and norms", step + 1, 8) for step in range(8)]
    densities = [report[3]["weight_retention"] for report in steps]
    assert densities[0] == pytest.approx(0.5, abs=0.01)
    assert densities[4:] == [densities[4]] * 4
    assert densities == sorted(densities, reverse=True)


def test_labels_of_one_job_share_the_base_s_answers(network: nn.Module, tmp_path: Path) -> None:
    pool = ViewPool(network, images(90, seed=1), GREY, augmentation="crop", seed=3, device=CPU)
    first, second = Keeping(tmp_path), Keeping(tmp_path)
    shared = [
        distil(task(network, problem=BinaryProblem(label), pool=pool, monitor=keeping))
        for label, keeping in (("bee", first), ("cow", second))
    ]
    assert first.reports[0] == ("the base's answers", 0, 180, {})
    assert second.reports[0][0] == "masks and norms"
    assert shared[0].masks == distil(task(network)).masks


def test_before_the_first_step_a_module_that_keeps_everything_is_the_base(network: nn.Module) -> None:
    whole = dataclasses.replace(QUICK, retention=1.0)
    for base in (network, nn.Sequential(nn.Flatten(), nn.Linear(64, 4))):
        run = Distillation(task(base, whole))
        assert run.kept == len(run.scores)
        masks = RankedMasks(base.requires_grad_(False)).harden(run.kept)
        chosen = normalise(images(30, seed=5).images, GREY)
        head = network_of_head(Target.of(BEE, LABELS).head())
        with torch.no_grad():
            own = head(masked_forward(base, masked_state(base, masks), chosen))
            assert torch.equal(own, head(base(chosen)))


def stepped(network: nn.Module, settings: DistilledSettings) -> tuple[Tensor, Tensor]:
    """Scores before and after the first step, of a network without norms, computed anew."""
    parameters = [value.detach() for value in network.parameters()]
    weights = torch.cat([value.flatten() for value in parameters])
    scores = torch.zeros_like(weights)
    scores[weights.abs().argsort()] = torch.linspace(0, 1, len(weights))
    bits = torch.zeros_like(weights)
    bits[scores.argsort(descending=True)[: round(len(weights) / 2)]] = 1
    bits.requires_grad_()
    again = task(network, settings)
    run = Distillation(again)
    run.fill_pool()
    views = run._views(0)
    t = settings.temperature
    flat = again.pool.inputs(views).flatten(1)
    weight, bias = (weights * bits).split([parameters[0].numel(), 4])
    logits, base = flat @ weight.view_as(parameters[0]).T + bias, again.pool.logits(views)
    odds = [value[:, 1] - torch.logsumexp(value[:, [0, 2, 3]], dim=1) for value in (logits, base)]
    loss = t**2 * functional.binary_cross_entropy_with_logits(odds[0] / t, torch.sigmoid(odds[1] / t))
    for own, taught in zip(logits, base, strict=True):
        right = torch.softmax(taught / t, dim=0)
        loss = loss + t**2 * (right * (right.log() - torch.log_softmax(own / t, dim=0))).sum() / settings.batch_size
    (gradient,) = torch.autograd.grad(loss, bits)
    gradient = gradient.clamp(-1, 1)
    return scores, scores - settings.lr_mask * gradient / (gradient.abs() + 1e-8)  # Adam's first step


def test_the_first_step_is_that_of_the_recipe_as_written_down() -> None:
    torch.manual_seed(2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    before, after = stepped(network, QUICK)
    run_task = task(network)
    run = Distillation(run_task)
    assert torch.equal(run.scores, before)
    run.fill_pool()
    run.run_step()
    assert torch.allclose(run.scores, after, atol=1e-4)


def test_steps_become_smaller_as_a_cosine(network: nn.Module) -> None:
    asked = task(network)
    run = Distillation(asked)
    run.fill_pool()
    moved = []
    for _ in range(QUICK.steps):
        before = run.scores.clone()
        run.run_step()
        moved.append(float((run.scores - before).abs().max()))
    assert moved[0] == pytest.approx(QUICK.lr_mask, rel=0.01)  # Adam's first step is the rate
    assert moved[-1] < 3 * 0.038 * QUICK.lr_mask  # (1 + cos(7/8 pi)) / 2, and what Adam's past adds


LONGER = dataclasses.replace(QUICK, steps=100, batch_size=32, retention=0.3)


class WithoutNorms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU())
        self.linear = nn.Linear(16, 4)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.layers(images).mean(dim=(2, 3)))
        return logits


def transformer() -> nn.Module:
    architecture = Architecture(
        "timm:vit_tiny_patch16_224", {"img_size": 8, "patch_size": 4, "depth": 2, "embed_dim": 48, "num_heads": 3}
    )
    return build_network(architecture, 4, GREY)


@pytest.mark.parametrize(
    ("kind", "norms"),
    [(WithoutNorms, set()), (DroppingOut, {"bn.weight", "bn.bias"}), (transformer, set())],
    ids=["no norm", "batch norm", "layer norm"],
)
@pytest.mark.parametrize(
    "problem",
    [BEE, MultiClassProblem(("ant", "cow")), OpenSetProblem(("ant", "dog"))],
    ids=["binary", "multi-class", "open-set"],
)
def test_networks_and_problems_of_all_kinds_keep_what_their_base_knows(
    kind: Callable[[], nn.Module], norms: set[str], problem: Problem
) -> None:
    torch.manual_seed(0)
    network = trained(kind(), 0.002 if kind is transformer else 0.02)
    found = distil(task(network, LONGER, problem=problem))
    assert found.rewritten.keys() == norms
    assert found.masks.retention == pytest.approx(0.3, abs=0.005)
    assert accuracy(network, found, problem, images(60, seed=2)) == pytest.approx(found.validation_accuracy)
    assert accuracy(network, found, problem, images(400, seed=7)) > 0.85


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO CUDA DEVICE: distilling is tested on the CPU only")
def test_a_gpu_distils_the_same_bits_again(network: nn.Module) -> None:
    def on_gpu() -> Distilled:
        cuda = torch.device("cuda")
        pool = ViewPool(network, images(90, seed=1), GREY, augmentation=QUICK.augmentation, seed=3, device=cuda)
        return distil(dataclasses.replace(task(network, pool=pool), device=cuda))

    found, on_cpu = on_gpu(), distil(task(network))
    assert same(on_gpu(), found)
    assert found.masks.kept == on_cpu.masks.kept
    assert accuracy(network, found, BEE, images(60, seed=4)) == pytest.approx(
        accuracy(network, on_cpu, BEE, images(60, seed=4)), abs=0.1
    )
