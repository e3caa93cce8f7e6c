"""The search: the same bits again, from any checkpoint, until it is cancelled (SeaM)."""

from __future__ import annotations

import copy
import dataclasses
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.batches import training_batches
from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.devices import seeded, stream_seed
from modelfoundry.core.masking import WeightMasks, mask_training_mode, masked_forward, masked_state
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.decomposer.algorithms.linear_head import PosedTask
from modelfoundry.decomposer.algorithms.seam.search import search
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult
from modelfoundry.errors import Cancelled, MalformedFile
from modelfoundry.values.architectures import Architecture, InputSpec

CPU = torch.device("cpu")
GREY = InputSpec(1, 8, 8, mean=(0.3,), std=(0.4,))
QUICK = SeamSettings(epochs=6, head_epoch_every=3, batch_size=16, lr_mask=0.2, alpha=2.0, augmentation="crop")


class DroppingOut(nn.Module):
    """A network with everything that could break repeating: dropout, batch statistics, a layer that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.dropout = nn.Dropout(0.3)
        self.linear = nn.Linear(8, 5)
        self.unused = nn.Linear(3, 3)

    def forward(self, images: Tensor) -> Tensor:
        features = functional.relu(self.bn(self.conv(images))).mean(dim=(2, 3))
        logits: Tensor = self.linear(self.dropout(features))
        return logits


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    network = DroppingOut()
    network(torch.randn(64, 1, 8, 8))  # running statistics that are not 0 and 1
    return network.eval()


def images(count: int, seed: int) -> ImageSet:
    """Bright and dark images, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 2, (count,), generator=generator)
    noise = torch.randint(0, 180, (count, 1, 8, 8), generator=generator)
    return ImageSet((noise + 60 * labels[:, None, None, None]).to(torch.uint8), labels)


def searched(
    network: nn.Module,
    settings: SeamSettings = QUICK,
    monitor: Unwatched | None = None,
    *,
    base_accuracy: float = 0.7,
    seed: int = 3,
    resume: Path | None = None,
) -> SearchResult[FoundModule]:
    return search(
        PosedTask(
            network=network,
            outputs=2,
            train=images(50, seed=1),
            validation=images(30, seed=2),
            base_accuracy=base_accuracy,
            input_spec=GREY,
            settings=settings,
            seed=seed,
            device=CPU,
            monitor=monitor or Unwatched(),
            resume=resume,
        )
    )


def masks_of(result: SearchResult[FoundModule]) -> WeightMasks:
    return result.modules[0].masks


class Keeping(Unwatched):
    """Keeps the checkpoint of every epoch, and cancels at a given step."""

    def __init__(self, folder: Path, cancel_at: int | None = None) -> None:
        self.paths: list[Path] = []
        self.reports: list[tuple[str, int, int, dict[str, float]]] = []
        self._folder = folder
        self._cancel_at = cancel_at
        self._asked = 0

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        self.reports.append((phase, done, total, dict(metrics)))

    def check_cancelled(self) -> None:
        self._asked += 1
        if self._asked == self._cancel_at:
            raise Cancelled("enough")

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        path = self._folder / f"{len(self.paths)}.safetensors"
        write(path)
        self.paths.append(path)


def test_the_same_seed_gives_the_same_bits(network: nn.Module) -> None:
    torch.manual_seed(11)
    first = searched(network)
    torch.manual_seed(12)
    second = searched(network)
    assert second == first
    assert 0.0 < masks_of(first).retention < 1.0


def test_another_seed_gives_another_search(network: nn.Module) -> None:
    assert searched(network, seed=4).history != searched(network, seed=3).history


def test_a_search_leaves_network_random_numbers_and_flags_as_they_were(network: nn.Module) -> None:
    before = copy.deepcopy(network.state_dict())
    random_state = torch.get_rng_state()
    searched(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())
    assert not network.training
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not torch.are_deterministic_algorithms_enabled()


def test_a_search_stopped_after_any_epoch_goes_on_to_the_same_end(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    whole = searched(network, monitor=keeping)
    assert len(keeping.paths) == whole.epochs_run == 6
    for path in keeping.paths:
        assert searched(network, resume=path) == whole


def test_a_search_that_loses_patience_goes_on_from_a_checkpoint_to_its_early_stop(
    network: nn.Module, tmp_path: Path
) -> None:
    settings = dataclasses.replace(QUICK, epochs=40, patience=2, alpha=20.0)
    keeping = Keeping(tmp_path)
    whole = searched(network, settings, keeping, base_accuracy=0.55)
    assert 4 < whole.epochs_run < 40
    for path in (keeping.paths[3], keeping.paths[-1]):
        assert searched(network, settings, base_accuracy=0.55, resume=path) == whole


@pytest.mark.parametrize(
    "change",
    [{"lr_mask": 0.1}, {"epochs": 7}, {"alpha": 1.0}],
    ids=["rate", "epochs", "alpha"],
)
def test_checkpoints_of_another_search_are_refused(
    network: nn.Module, tmp_path: Path, change: dict[str, float]
) -> None:
    keeping = Keeping(tmp_path)
    searched(network, monitor=keeping)
    with pytest.raises(MalformedFile):
        searched(network, dataclasses.replace(QUICK, **change), resume=keeping.paths[0])
    with pytest.raises(MalformedFile):
        searched(network, seed=99, resume=keeping.paths[0])


def test_damaged_checkpoints_are_refused(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    searched(network, monitor=keeping)
    damaged = tmp_path / "damaged"
    shutil.copy(keeping.paths[0], damaged)
    damaged.write_bytes(damaged.read_bytes()[:-7])
    for path in (damaged, tmp_path / "missing"):
        with pytest.raises(MalformedFile):
            searched(network, resume=path)


@pytest.mark.parametrize("step", [1, 2, 7])
def test_a_search_is_cancelled_before_its_next_step(network: nn.Module, tmp_path: Path, step: int) -> None:
    keeping = Keeping(tmp_path, cancel_at=step)
    with pytest.raises(Cancelled):
        searched(network, monitor=keeping)
    assert len(keeping.reports) <= step
    assert not torch.are_deterministic_algorithms_enabled()


def test_progress_grows_from_step_to_step_and_names_the_phase(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    result = searched(network, monitor=keeping)
    done = [report[1] for report in keeping.reports]
    assert done == sorted(done)
    assert done[-1] == keeping.reports[-1][2] == 6 * 4
    assert {phase for phase, *_ in keeping.reports} == {"head", "masks and head"}
    assert keeping.reports[-1][3] == {
        "epoch": 6.0,
        "loss": result.history[-1].loss,
        "accuracy": result.history[-1].accuracy,
        "weight_retention": result.history[-1].retention,
    }


def test_epochs_of_the_head_alone_change_no_mask(network: nn.Module) -> None:
    history = searched(network).history
    assert [record.phase for record in history] == ["head", *["masks and head"] * 2] * 2
    assert history[0].retention == 1.0
    assert history[3].retention == history[2].retention
    assert history[4].retention != history[3].retention


def test_the_result_is_the_chosen_epoch_and_not_the_last(network: nn.Module) -> None:
    settings = dataclasses.replace(QUICK, epochs=12, alpha=50.0)
    result = searched(network, settings, base_accuracy=0.9)
    chosen = result.history[result.chosen_epoch]
    assert result.chosen_epoch < result.epochs_run - 1
    assert (result.validation_accuracy, masks_of(result).retention) == (chosen.accuracy, chosen.retention)
    assert measured(network, result) == result.validation_accuracy
    assert result.base_validation_accuracy == 0.9


def test_a_search_that_never_reaches_the_base_falls_back_to_the_best_compromise(network: nn.Module) -> None:
    result = searched(network, base_accuracy=1.1)
    compromises = [record.accuracy - record.retention for record in result.history]
    assert result.fell_back
    assert result.chosen_epoch == compromises.index(max(compromises))
    assert not any(record.accepted for record in result.history)
    assert measured(network, result) == result.validation_accuracy


def measured(network: nn.Module, result: SearchResult[FoundModule]) -> float:
    validation = images(30, seed=2)
    with torch.no_grad():
        logits = masked_forward(network, masked_state(network, masks_of(result)), normalise(validation.images, GREY))
        return float(
            (result.modules[0].head(logits).argmax(dim=1) == validation.labels).float().mean(dtype=torch.float64)
        )


def test_a_layer_that_the_images_never_reach_is_dropped_whole(network: nn.Module) -> None:
    result = searched(network, dataclasses.replace(QUICK, epochs=10), base_accuracy=1.1)
    assert result.history[-1].retention < 0.9
    assert not masks_of(result).bits["unused.weight"].any()


class _Binarise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, scores: Tensor) -> Tensor:
        return (scores > 0).float()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0].clamp(-1, 1)


def naive_search(
    network: nn.Module, train: ImageSet, settings: SeamSettings, seed: int
) -> tuple[WeightMasks, list[float]]:
    """The published loop: real-valued masks, all of them concatenated for the ratio, plain Adam. No validation."""
    network = copy.deepcopy(network).requires_grad_(False)
    weights = {name: parameter for name, parameter in network.named_parameters() if not name.startswith("bn.")}
    masks = {name: torch.ones_like(parameter).requires_grad_() for name, parameter in weights.items()}
    torch.manual_seed(stream_seed(seed, "head"))
    head = nn.Linear(5, 2)
    head_only = torch.optim.Adam(head.parameters(), lr=settings.lr_head)
    joint = torch.optim.Adam(
        [{"params": masks.values(), "lr": settings.lr_mask}, {"params": head.parameters(), "lr": settings.lr_head}]
    )
    losses = []
    for epoch in range(settings.epochs):
        torch.manual_seed(stream_seed(seed, f"dropout of epoch {epoch}"))
        mask_training_mode(network)
        optimiser = head_only if epoch % settings.head_epoch_every == 0 else joint
        total = 0.0
        batches = training_batches(
            train,
            GREY,
            batch_size=settings.batch_size,
            augmentation=settings.augmentation,
            seed=seed,
            epoch=epoch,
            device=CPU,
        )
        for batch, labels in batches:
            optimiser.zero_grad()
            state = {name: weights[name] * _Binarise.apply(mask) for name, mask in masks.items()}
            logits = torch.func.functional_call(network, state, (batch,))
            ratio = _Binarise.apply(torch.cat([mask.flatten() for mask in masks.values()])).mean()
            cross_entropy = functional.cross_entropy(head(torch.relu(logits)), labels)
            (cross_entropy + settings.alpha * ratio).backward()
            optimiser.step()
            total += float(cross_entropy.detach()) * len(labels)
        kept = WeightMasks({name: mask.detach() > 0 for name, mask in masks.items()})
        losses.append(total / len(train) + settings.alpha * kept.retention)
    return kept, losses


def test_masks_and_losses_are_those_of_the_published_loop(network: nn.Module) -> None:
    settings = dataclasses.replace(QUICK, epochs=8, lr_mask=0.05)
    with seeded(5, CPU):
        masks, losses = naive_search(network, images(50, seed=1), settings, seed=5)
    # A base of accuracy 0 is always reached: the smallest epoch is chosen, which is the last.
    result = searched(network, settings, base_accuracy=0.0, seed=5)
    assert [record.loss for record in result.history] == pytest.approx(losses, rel=1e-3)
    assert result.chosen_epoch == 7
    assert 0.05 < masks.retention < 0.95
    differing = sum(int((masks_of(result).bits[name] ^ bits).sum()) for name, bits in masks.bits.items())
    assert differing <= 0.005 * masks.total


def test_a_multi_class_head_has_an_output_for_every_label(network: nn.Module) -> None:
    three = ImageSet(images(30, seed=1).images, torch.arange(30) % 3)
    task = PosedTask(
        network=network,
        outputs=3,
        train=three,
        validation=three,
        base_accuracy=0.2,
        input_spec=GREY,
        settings=QUICK,
        seed=0,
        device=CPU,
        monitor=Unwatched(),
    )
    result = search(task)
    assert tuple(result.modules[0].head.layers[0].weight.shape) == (3, 5)


def test_a_transformer_is_searched_by_the_same_code() -> None:
    architecture = Architecture(
        "timm:vit_tiny_patch16_224", {"img_size": 8, "patch_size": 4, "depth": 1, "drop_rate": 0.1}
    )
    network = build_network(architecture, 5, GREY)
    result = searched(network, dataclasses.replace(QUICK, epochs=3))
    assert "blocks.0.attn.qkv.weight" in masks_of(result).bits
    assert searched(network, dataclasses.replace(QUICK, epochs=3)) == result
