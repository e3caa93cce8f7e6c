"""Magnitude pruning: the weights of the greatest size stay, and a head behind them learns the problem.

The masks know nothing of the problem: what a search for its weights is worth shows beside this. The network is not
trained again after pruning (Han et al., NeurIPS 2015, do so), because a module shares its base model's weights.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modelfoundry.core.batches import training_batches
from modelfoundry.core.checkpoints import optimiser_tensors, restore_optimiser
from modelfoundry.core.devices import seeded
from modelfoundry.core.masking import masked_forward, masked_state
from modelfoundry.decomposer.algorithms.epochs import EpochLoop, Measured, Verdict, Watch
from modelfoundry.decomposer.algorithms.linear_head import (
    PosedTask,
    found_module,
    found_tensors,
    new_head,
    posed_accuracy,
)
from modelfoundry.decomposer.algorithms.magnitude.masks import greatest_weights
from modelfoundry.decomposer.algorithms.magnitude.settings import MagnitudeSettings
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult


def search(task: PosedTask[MagnitudeSettings]) -> SearchResult[FoundModule]:
    """Prunes the network and trains a head for the problem.

    The same task on the same machine, with the same number of threads, gives the same bits; so does a search that was
    stopped and taken up from a checkpoint.

    Raises:
        UnsupportedModel: the network has nothing to mask.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    with seeded(task.seed, task.device):
        heads = _HeadSearch(task)
        chosen = EpochLoop(heads, MostAccurate(task.base_accuracy), task.monitor).run(task.resume)
    module = found_module(chosen.snapshot.found, heads.masks.layout)
    return SearchResult.of((module,), chosen, task.base_accuracy, task.samples)


@dataclass(slots=True)
class MostAccurate:
    """The rule's memory. In words: the most accurate epoch, of equals the first; below the base's accuracy it is a
    fallback.
    """

    base_accuracy: float
    best_accuracy: float = -1.0

    def observe(self, accuracy: float, kept: int) -> Verdict:
        """Takes notice of an epoch.

        Args:
            accuracy: On validation data, in [0, 1].
            kept: The same in every epoch.
        """
        del kept
        best = accuracy > self.best_accuracy
        self.best_accuracy = max(accuracy, self.best_accuracy)
        return Verdict(accepted=best and accuracy >= self.base_accuracy, fallback=best)


class _HeadSearch:
    """The head between two epochs, behind a trunk that stays."""

    retention_name = "weight_retention"

    def __init__(self, task: PosedTask[MagnitudeSettings]) -> None:
        self._task = task
        settings = task.settings
        self.epochs, self.steps = settings.epochs, -(-len(task.train) // settings.batch_size)
        trunk = copy.deepcopy(task.network).requires_grad_(False)
        self._trunk = trunk.to(task.device).to(memory_format=torch.channels_last)
        self.masks = greatest_weights(self._trunk, settings.retention)
        self._state = masked_state(self._trunk, self.masks)
        self._head = new_head(self._trunk, task.outputs, task.input_spec, seed=task.seed, device=task.device)
        self._optimiser = torch.optim.Adam(self._head.parameters(), lr=settings.lr_head, fused=True)

    def phase(self, epoch: int) -> str:
        del epoch
        return "head"

    def run_epoch(self, epoch: int, watch: Watch[Any]) -> Measured:
        cross_entropy = self._train(epoch, watch)
        accuracy = posed_accuracy(self._task, self._trunk, self._state, self._head)
        return Measured(cross_entropy, accuracy, self.masks.kept, self.masks.retention)

    def _train(self, epoch: int, watch: Watch[Any]) -> float:
        """Returns the mean cross entropy over all samples."""
        task, settings = self._task, self._task.settings
        self._trunk.eval()
        total = torch.zeros((), dtype=torch.float64, device=task.device)
        batches = training_batches(
            task.train,
            task.input_spec,
            batch_size=settings.batch_size,
            augmentation=settings.augmentation,
            seed=task.seed,
            epoch=epoch,
            device=task.device,
        )
        for images, labels in watch(batches):
            self._optimiser.zero_grad(set_to_none=True)
            with torch.no_grad():
                logits = masked_forward(self._trunk, self._state, images)
            loss = functional.cross_entropy(self._head(functional.relu(logits)), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            total += loss.detach() * len(labels)
        return float(total) / len(task.train)

    def found(self) -> Mapping[str, Tensor]:
        return found_tensors(self.masks.packed(), self._head)

    def state(self) -> Mapping[str, Tensor]:
        return {
            **{f"head.{name}": value for name, value in self._head.state_dict().items()},
            **optimiser_tensors(self._optimiser, "optimiser"),
        }

    def restore(self, tensors: Mapping[str, Tensor], epochs_run: int) -> None:
        del epochs_run
        self._head.load_state_dict({name: tensors[f"head.{name}"] for name in self._head.state_dict()})
        restore_optimiser(self._optimiser, "optimiser", tensors)

    def work(self) -> Mapping[str, object]:
        task = self._task
        return {
            "algorithm": "magnitude",
            "settings": task.settings.record(),
            "seed": task.seed,
            "base_accuracy": task.base_accuracy,
            "layout": self.masks.layout,
            "head": tuple(self._head.weight.shape),
            "samples": task.samples,
            "input": asdict(task.input_spec),
            "device": task.device.type,
        }
