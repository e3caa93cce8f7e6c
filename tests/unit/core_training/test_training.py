"""Training from scratch: the same bits again, from any checkpoint, until it is cancelled."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modelfoundry.core.datasets import ImageSet, normalise
from modelfoundry.core.devices import seeded
from modelfoundry.core.monitor import Unwatched
from modelfoundry.core.networks import build_network
from modelfoundry.core.training import TrainingResult, TrainingSettings, train
from modelfoundry.errors import Cancelled, InvalidField, MalformedFile
from modelfoundry.values.architectures import Architecture, InputSpec

CPU = torch.device("cpu")
GREY = InputSpec(1, 8, 8, mean=(0.3,), std=(0.4,))
QUICK = TrainingSettings(epochs=5, batch_size=16, augmentation="crop_flip")


def images(count: int, seed: int) -> ImageSet:
    """Three shades, with noise."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (count,), generator=generator)
    noise = torch.randint(0, 120, (count, 1, 8, 8), generator=generator)
    return ImageSet((noise + 60 * labels[:, None, None, None]).to(torch.uint8), labels)


class Regularised(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(288, 3)
        )


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return Regularised()


def trained(
    network: nn.Module,
    settings: TrainingSettings = QUICK,
    monitor: Unwatched | None = None,
    *,
    samples: int = 50,
    seed: int = 3,
    resume: Path | None = None,
) -> TrainingResult:
    return train(
        network,
        images(samples, seed=1),
        images(30, seed=2),
        GREY,
        settings,
        seed=seed,
        device=CPU,
        monitor=monitor or Unwatched(),
        resume=resume,
    )


def same(left: TrainingResult, right: TrainingResult) -> bool:
    return left.history == right.history and all(
        torch.equal(value, right.state[name]) for name, value in left.state.items()
    )


class Keeping(Unwatched):
    """Keeps the checkpoint of every epoch, and cancels at a given step."""

    def __init__(self, folder: Path, cancel_at: int | None = None) -> None:
        self.paths: list[Path] = []
        self.done: list[int] = []
        self._folder = folder
        self._cancel_at = cancel_at
        self._asked = 0

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        self.done.append(done)

    def check_cancelled(self) -> None:
        self._asked += 1
        if self._asked == self._cancel_at:
            raise Cancelled("enough")

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        path = self._folder / f"{len(self.paths)}.safetensors"
        write(path)
        self.paths.append(path)


def test_training_learns(network: nn.Module) -> None:
    result = trained(network, TrainingSettings(epochs=15, batch_size=16), samples=150)
    assert result.validation_accuracy > 0.8
    assert result.history[-1].loss < 0.5 * result.history[0].loss


def test_the_same_seed_gives_the_same_bits(network: nn.Module) -> None:
    torch.manual_seed(11)
    first = trained(network)
    torch.manual_seed(12)
    assert same(trained(network), first)
    assert not same(trained(network, seed=4), first)


def test_initial_weights_can_be_repeated() -> None:
    built = []
    for _ in range(2):
        with seeded(7, CPU):
            built.append(build_network(Architecture("zoo:digits_cnn"), 10, GREY).state_dict())
    assert all(torch.equal(value, built[1][name]) for name, value in built[0].items())


def test_training_leaves_the_network_as_it_was(network: nn.Module) -> None:
    before = copy.deepcopy(network.state_dict())
    trained(network)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_training_stopped_after_any_epoch_goes_on_to_the_same_end(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    whole = trained(network, monitor=keeping)
    assert len(keeping.paths) == 5
    for path in keeping.paths:
        assert same(trained(network, resume=path), whole)


def test_checkpoints_of_another_training_are_refused(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    trained(network, monitor=keeping)
    with pytest.raises(MalformedFile):
        trained(network, seed=4, resume=keeping.paths[0])


@pytest.mark.parametrize("step", [1, 2, 6])
def test_a_training_is_cancelled_before_its_next_step(network: nn.Module, tmp_path: Path, step: int) -> None:
    keeping = Keeping(tmp_path, cancel_at=step)
    with pytest.raises(Cancelled):
        trained(network, monitor=keeping)
    assert len(keeping.done) <= step


def test_progress_ends_at_its_total(network: nn.Module, tmp_path: Path) -> None:
    keeping = Keeping(tmp_path)
    trained(network, monitor=keeping)
    assert keeping.done == sorted(keeping.done)
    assert keeping.done[-1] == 5 * 4


def test_the_best_epoch_is_kept_and_of_equal_ones_the_latest(network: nn.Module) -> None:
    # A learning rate that ruins what was learnt now and then, so that the last epoch is seldom the best.
    result = trained(network, TrainingSettings(epochs=12, batch_size=16, lr=1.0))
    accuracies = [record.accuracy for record in result.history]
    assert len(set(accuracies)) > 2
    latest_best = max(epoch for epoch, accuracy in enumerate(accuracies) if accuracy == max(accuracies))
    assert result.chosen_epoch == latest_best
    network.load_state_dict(result.state)
    validation = images(30, seed=2)
    with torch.no_grad():
        predicted: Tensor = network.eval()(normalise(validation.images, GREY)).argmax(dim=1)
    assert float((predicted == validation.labels).double().mean()) == result.validation_accuracy == max(accuracies)


def test_a_last_batch_of_one_image_does_not_stop_batch_normalisation() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    assert trained(network, samples=33).epochs_run == 5


def test_the_rate_is_divided_by_ten_at_half_and_three_quarters_or_where_it_is_said() -> None:
    rates = [TrainingSettings(epochs=8, lr=1.0).lr_of(epoch) for epoch in range(8)]
    assert rates == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])
    rates = [TrainingSettings(epochs=4, lr=1.0, milestones=(1,)).lr_of(epoch) for epoch in range(4)]
    assert rates == pytest.approx([1, 0.1, 0.1, 0.1])
    assert TrainingSettings(epochs=1, lr=1.0).lr_of(0) == 1.0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", 0.0),
        ("momentum", 1.0),
        ("weight_decay", -0.1),
        ("milestones", (3, 2)),
        ("milestones", (30,)),
        ("augmentation", "rotate"),
    ],
    ids=str,
)
def test_values_out_of_range_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidField) as caught:
        TrainingSettings(**{field: value})  # type: ignore[arg-type]
    assert caught.value.field == f"recipe.{field}"
