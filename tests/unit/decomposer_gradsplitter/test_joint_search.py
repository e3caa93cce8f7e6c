"""The joint search: what it finds, and that it finds it again."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from modelfoundry.core.channels import ChannelPlan
from modelfoundry.core.datasets import normalise
from modelfoundry.core.modules import ModuleArtifact, materialise
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.gradsplitter.search import JointTask, KernelModule, search_jointly
from modelfoundry.decomposer.algorithms.searching import SearchResult
from modelfoundry.errors import Cancelled, MalformedFile, UnsupportedModel
from modelfoundry.values.problems import BinaryProblem, OpenSetProblem

CPU = torch.device("cpu")
DIGEST = "sha256:" + "0" * 64


def _searched(task: JointTask, *, seed: int = 5, **options: Any) -> SearchResult[KernelModule]:
    return search_jointly(task, seed=seed, device=CPU, **{"monitor": Unwatched(), **options})


def _same(one: SearchResult[KernelModule], other: SearchResult[KernelModule]) -> bool:
    return (
        one.history == other.history
        and (one.chosen_epoch, one.fell_back) == (other.chosen_epoch, other.fell_back)
        and all(
            mine.masks == theirs.masks and mine.head == theirs.head and mine.channels.held == theirs.channels.held
            for mine, theirs in zip(one.modules, other.modules, strict=True)
        )
    )


def _scores(task: JointTask, result: SearchResult[KernelModule]) -> torch.Tensor:
    """Every label's score by its materialised module, [n, labels]."""
    images = normalise(task.validation.images, task.input_spec)
    columns: dict[int, torch.Tensor] = {}
    names = "abcd"
    for module in result.modules:
        labels = tuple(names[label] for label in module.labels)
        problem = BinaryProblem(*labels) if len(labels) == 1 else OpenSetProblem(labels)
        network = materialise(task.network, ModuleArtifact(DIGEST, problem, module.masks, module.head, "gradsplitter"))
        logits = network(images)
        assert torch.equal(logits[:, -1], torch.zeros(len(images)))
        columns |= {label: logits[:, place] for place, label in enumerate(module.labels)}
    return torch.stack([columns[label] for label in range(4)], dim=1)


def test_the_modules_score_what_the_search_measured(make_task: Any) -> None:
    task = make_task()
    result = _searched(task)
    scores = _scores(task, result)
    accuracy = float((scores.argmax(dim=1) == task.validation.labels).float().mean())
    assert accuracy == pytest.approx(result.validation_accuracy)
    assert [module.labels for module in result.modules] == [(2,), (0, 3), (1,)]
    chosen = result.history[result.chosen_epoch]
    assert chosen.accepted
    assert not result.fell_back
    kept = sum(module.kept_kernels for module in result.modules)
    assert kept / (3 * 16) == pytest.approx(chosen.retention)
    assert chosen.retention < 1
    assert all(module.total_kernels == 16 for module in result.modules)


def test_masks_and_heads_are_learnt(make_task: Any) -> None:
    result = _searched(make_task(cycles=4, alpha=0.1, lr_mask=0.02))
    assert result.validation_accuracy > 0.8
    losses = [record.loss for record in result.history]
    assert losses[-1] < losses[0]
    small = _searched(make_task(cycles=4, alpha=50.0))
    assert small.history[-1].retention < result.history[-1].retention


def test_phases_take_turns_and_masks_stay_while_heads_are_trained(make_task: Any) -> None:
    history = _searched(make_task()).history
    joint = "masks and heads"
    assert [record.phase for record in history] == ["heads"] * 2 + ([joint] * 2 + ["heads"] * 2) * 2
    retention = [record.retention for record in history]
    assert retention[:2] == [1.0, 1.0]
    assert retention[3] == retention[4] == retention[5]


def test_the_same_search_gives_the_same_bits_and_another_seed_others(make_task: Any) -> None:
    first = _searched(make_task())
    torch.manual_seed(99)  # nothing outside matters
    assert _same(_searched(make_task()), first)
    assert not _same(_searched(make_task(), seed=6), first)


@pytest.mark.parametrize("stop_after", [1, 3, 4, 5], ids=lambda epochs: f"after {epochs}")
def test_a_search_taken_up_again_is_the_one_that_never_stopped(
    make_task: Any, make_watcher: Any, stop_after: int
) -> None:
    whole = _searched(make_task())
    watcher = make_watcher(stop_after)
    with pytest.raises(Cancelled):
        _searched(make_task(), monitor=watcher)
    assert len(watcher.checkpoints) == stop_after
    assert _same(_searched(make_task(), resume=watcher.checkpoints[-1]), whole)


def test_a_checkpoint_of_another_search_is_refused(make_task: Any, make_watcher: Any) -> None:
    watcher = make_watcher(1)
    with pytest.raises(Cancelled):
        _searched(make_task(), monitor=watcher)
    for other in (make_task(alpha=0.3), make_task(label_groups=((0,), (1,), (2,), (3,)))):
        with pytest.raises(MalformedFile):
            _searched(other, resume=watcher.checkpoints[0])


def test_when_no_epoch_is_accurate_enough_the_most_accurate_is_taken(make_task: Any) -> None:
    result = _searched(make_task(accuracy_loss=1e-6, alpha=50.0, lr_warmup=1e-5, lr_head=1e-5))
    assert result.fell_back
    assert result.validation_accuracy == max(record.accuracy for record in result.history)
    assert not any(record.accepted for record in result.history)


def test_layers_of_which_nothing_was_left_are_named(make_task: Any) -> None:
    task = make_task(alpha=1000.0, lr_mask=1.0, accuracy_loss=1.0)
    result = _searched(task)
    held = [module.channels.held for module in result.modules]
    assert ("conv1", "conv2") in held
    assert all(int(alive.sum()) >= 1 for module in result.modules for alive in module.channels.alive.values())
    scores = _scores(task, result)  # what was measured is what was kept
    accuracy = float((scores.argmax(dim=1) == task.validation.labels).float().mean())
    assert accuracy == pytest.approx(result.validation_accuracy)


def test_progress_says_phase_steps_and_figures(make_task: Any, make_watcher: Any) -> None:
    watcher = make_watcher()
    _searched(make_task(), monitor=watcher)
    phase, done, total, metrics = watcher.seen[-1]
    assert (phase, done, total) == ("heads", 30, 30)  # ten epochs of three batches
    assert set(metrics) == {"epoch", "loss", "accuracy", "kernel_retention"}
    steps = [step for _, step, _, _ in watcher.seen]
    assert steps == sorted(steps)


def test_the_network_stays_as_it_was(make_task: Any) -> None:
    task = make_task()
    task.network.train()
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    _searched(task)
    assert task.network.training
    assert all(torch.equal(value, before[name]) for name, value in task.network.state_dict().items())
    assert all(parameter.requires_grad for parameter in task.network.parameters())
    assert not any(layer._forward_pre_hooks for layer in task.network.modules())


def test_a_network_without_kernels_is_refused(make_task: Any) -> None:
    task = make_task()
    bare = JointTask(
        **{name: getattr(task, name) for name in JointTask.__slots__ if name != "plan"}, plan=ChannelPlan((), ())
    )
    with pytest.raises(UnsupportedModel, match="no kernel"):
        _searched(bare)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="NO CUDA DEVICE: the joint search is tested on the CPU only")
def test_a_gpu_searches_alike(make_task: Any) -> None:
    result = search_jointly(make_task(), seed=5, device=torch.device("cuda"), monitor=Unwatched())
    again = search_jointly(make_task(), seed=5, device=torch.device("cuda"), monitor=Unwatched())
    assert _same(result, again)
    assert result.history[0].loss == pytest.approx(_searched(make_task()).history[0].loss, abs=1e-3)
