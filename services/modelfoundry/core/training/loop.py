"""Training a network from scratch; the epoch with the best validation accuracy is kept."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.architectures import load_state
from modelfoundry.core.batches import accuracy, training_batches
from modelfoundry.core.checkpoints import (
    Checkpoint,
    fingerprint,
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import seeded, stream_seed
from modelfoundry.core.finite import finite_loss
from modelfoundry.core.monitor import Monitor
from modelfoundry.core.training.settings import TrainingSettings
from modelfoundry.values.architectures import InputSpec


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What an epoch did."""

    epoch: int
    """From 0."""
    loss: float
    """Mean cross entropy over the epoch's samples."""
    accuracy: float
    """On validation data after the epoch, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A trained network."""

    state: Mapping[str, Tensor]
    """State dict of the kept epoch, contiguous, on the CPU."""
    validation_accuracy: float
    """Of the kept epoch, in [0, 1]."""
    chosen_epoch: int
    epochs_run: int
    history: tuple[EpochRecord, ...]


def train(
    network: nn.Module,
    train: ImageSet,
    validation: ImageSet,
    input_spec: InputSpec,
    settings: TrainingSettings,
    *,
    seed: int,
    device: torch.device,
    monitor: Monitor,
    resume: Path | None = None,
) -> TrainingResult:
    """Trains a network and keeps the epoch with the best validation accuracy, of equal ones the latest.

    The same arguments on the same machine, with the same number of threads, give the same bits; so does a training that
    was stopped and taken up from a checkpoint.

    Args:
        network: Where to begin; untouched. Build it inside `devices.seeded` for weights that can be repeated.
        train: Images to learn from.
        validation: Images to choose the epoch on, never test data.
        input_spec: How images are normalised.
        settings: How to train.
        seed: Of order, augmentation and dropout; any integer.
        device: Where to compute.
        monitor: Told of every step, asked before every step whether to go on, offered a checkpoint after every epoch.
        resume: Checkpoint to go on from.

    Raises:
        NonFiniteOutputs: it diverges.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another training.
    """
    with seeded(seed, device):
        run = _Training(
            network,
            train=train,
            validation=validation,
            input_spec=input_spec,
            settings=settings,
            seed=seed,
            device=device,
            monitor=monitor,
        )
        if resume is not None:
            run.restore(resume)
        while len(run.history) < settings.epochs:
            run.run_epoch()
            monitor.checkpoint(run.save)
        return run.result()


class _Training:
    """A training between two epochs."""

    def __init__(
        self,
        network: nn.Module,
        *,
        train: ImageSet,
        validation: ImageSet,
        input_spec: InputSpec,
        settings: TrainingSettings,
        seed: int,
        device: torch.device,
        monitor: Monitor,
    ) -> None:
        self._train, self._validation, self._input_spec = train, validation, input_spec
        self._settings, self._seed, self._device, self._monitor = settings, seed, device, monitor
        self._network = copy.deepcopy(network).requires_grad_(True)
        self._network.to(device).to(memory_format=torch.channels_last)
        self._optimiser = torch.optim.SGD(
            self._network.parameters(),
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self._best: dict[str, Tensor] = {}
        self._best_epoch = 0
        self.history: list[EpochRecord] = []

    def run_epoch(self) -> None:
        """Trains one epoch and measures it on validation data."""
        epoch = len(self.history)
        # Dropout's numbers depend on the epoch alone, so that an epoch can be repeated without the ones before.
        torch.manual_seed(stream_seed(self._seed, f"dropout of epoch {epoch}"))
        loss = finite_loss(self._train_epoch(epoch), f"training in epoch {epoch}")
        self._network.eval()
        measured = accuracy(
            self._network, self._validation, self._input_spec, device=self._device, monitor=self._monitor
        )
        if not self.history or measured >= self.history[self._best_epoch].accuracy:
            self._best, self._best_epoch = _copied(self._network.state_dict()), epoch
        self.history.append(EpochRecord(epoch, loss, measured))
        self._report(epoch + 1, 0)

    def _train_epoch(self, epoch: int) -> float:
        """Returns the mean cross entropy over all samples."""
        self._network.train()
        for group in self._optimiser.param_groups:
            group["lr"] = self._settings.lr_of(epoch)
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        batches = training_batches(
            self._train,
            self._input_spec,
            batch_size=self._settings.batch_size,
            augmentation=self._settings.augmentation,
            seed=self._seed,
            epoch=epoch,
            device=self._device,
        )
        for step, (images, labels) in enumerate(batches):
            self._monitor.check_cancelled()
            self._report(epoch, step)
            if len(labels) == 1 and step:
                continue  # a last batch of one image has no batch statistics
            self._optimiser.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(self._network(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            total += loss.detach() * len(labels)
        return float(total) / len(self._train)

    def _report(self, epoch: int, step: int) -> None:
        steps = -(-len(self._train) // self._settings.batch_size)
        metrics = {"epoch": float(epoch)}
        if self.history:
            metrics |= {"loss": self.history[-1].loss, "accuracy": self.history[-1].accuracy}
        self._monitor.progress("training", epoch * steps + step, self._settings.epochs * steps, "step", metrics)

    def result(self) -> TrainingResult:
        """The epoch that was kept."""
        chosen = self.history[self._best_epoch]
        return TrainingResult(self._best, chosen.accuracy, chosen.epoch, len(self.history), tuple(self.history))

    def save(self, path: Path) -> None:
        """Writes everything that `restore` needs; random numbers need nothing, they follow from seed and epoch."""
        tensors = {f"network.{name}": value for name, value in _copied(self._network.state_dict()).items()}
        tensors |= {f"best.{name}": value for name, value in self._best.items()}
        tensors |= optimiser_tensors(self._optimiser, "optimiser")
        facts = {"best_epoch": self._best_epoch, "history": [dataclasses.asdict(record) for record in self.history]}
        write_checkpoint(path, Checkpoint(self._work(), tensors, facts))

    def restore(self, path: Path) -> None:
        """Goes to where `save` was called."""
        checkpoint = read_checkpoint(path, self._work())
        tensors = checkpoint.tensors
        load_state(self._network, {name: tensors[f"network.{name}"] for name in self._network.state_dict()})
        self._best = {name: tensors[f"best.{name}"] for name in self._network.state_dict()}
        restore_optimiser(self._optimiser, "optimiser", tensors)
        self._best_epoch = checkpoint.facts["best_epoch"]
        self.history = [EpochRecord(**record) for record in checkpoint.facts["history"]]

    def _work(self) -> str:
        return fingerprint(
            algorithm="training",
            settings=dataclasses.asdict(self._settings),
            seed=self._seed,
            layout=[(name, tuple(value.shape)) for name, value in self._network.state_dict().items()],
            samples=(len(self._train), len(self._validation)),
            input=dataclasses.asdict(self._input_spec),
            device=self._device.type,
        )


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
