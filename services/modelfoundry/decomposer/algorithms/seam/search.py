"""SeaM: the search for the weights that one target problem needs (SeaM, Qi et al., ICSE 2023, section 3).

Masks over all weights of a frozen network and a small head behind it are trained with `cross entropy + alpha *
retention`. Some epochs train the head alone, the others both, with an Adam of their own each.

Adam divides a gradient by its running size, so that a weight that the problem does not need, whose only gradient is the
tiny constant alpha / total, still loses about lr_mask in every step. With more than about 100 million weights the
constant comes near Adam's epsilon (1e-8) and the steps shrink; this is the paper's arithmetic and is kept.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modelfoundry.core.batches import training_batches
from modelfoundry.core.checkpoints import optimiser_tensors, restore_optimiser
from modelfoundry.core.devices import seeded, stream_seed
from modelfoundry.core.masking import MaskScores, mask_training_mode, masked_forward
from modelfoundry.decomposer.algorithms.epochs import EpochLoop, Measured, Watch
from modelfoundry.decomposer.algorithms.linear_head import (
    PosedTask,
    found_module,
    found_tensors,
    new_head,
    posed_accuracy,
)
from modelfoundry.decomposer.algorithms.seam.selection import Selection
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult


def search(task: PosedTask[SeamSettings]) -> SearchResult[FoundModule]:
    """Searches the weights that a target problem needs.

    The same task on the same machine, with the same number of threads, gives the same bits; so does a search that was
    stopped and taken up from a checkpoint.

    Raises:
        UnsupportedModel: the network has nothing to mask.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    with seeded(task.seed, task.device):
        masks = MaskSearch(task)
        selection = Selection(task.base_accuracy, masks.scores.total, task.settings.patience)
        chosen = EpochLoop(masks, selection, task.monitor).run(task.resume)
    module = found_module(chosen.snapshot.found, masks.layout)
    return SearchResult.of((module,), chosen, task.base_accuracy, task.samples)


class MaskSearch:
    """Masks and head between two epochs."""

    retention_name = "weight_retention"

    def __init__(self, task: PosedTask[SeamSettings]) -> None:
        self._task = task
        settings = task.settings
        self.epochs, self.steps = settings.epochs, -(-len(task.train) // settings.batch_size)
        trunk = copy.deepcopy(task.network).requires_grad_(False)
        self._trunk = trunk.to(task.device).to(memory_format=torch.channels_last)
        self.scores = MaskScores(self._trunk)
        self.layout = [(name, tuple(scores.shape)) for name, scores in self.scores.values.items()]
        self.head = new_head(self._trunk, task.outputs, task.input_spec, seed=task.seed, device=task.device)
        self._head_optimiser = torch.optim.Adam(self.head.parameters(), lr=settings.lr_head, fused=True)
        self._joint_optimiser = torch.optim.Adam(
            [
                {"params": list(self.scores.values.values()), "lr": settings.lr_mask},
                {"params": list(self.head.parameters()), "lr": settings.lr_head},
            ],
            fused=True,
        )

    def phase(self, epoch: int) -> str:
        """What an epoch trains, in words."""
        return "masks and head" if self._task.settings.trains_masks(epoch) else "head"

    def run_epoch(self, epoch: int, watch: Watch[Any]) -> Measured:
        """Trains one epoch, and measures what it left on validation images."""
        # Dropout's numbers depend on the epoch alone, so that an epoch can be repeated without the ones before.
        torch.manual_seed(stream_seed(self._task.seed, f"dropout of epoch {epoch}"))
        cross_entropy = self.train(epoch, watch)
        masks = self.scores.harden()
        with torch.no_grad():
            state = self.scores.effective()
        measured = posed_accuracy(self._task, self._trunk, state, self.head)
        loss = cross_entropy + self._task.settings.alpha * masks.retention
        return Measured(loss, measured, masks.kept, masks.retention)

    def train(self, epoch: int, watch: Watch[Any]) -> float:
        """Trains one epoch; returns the mean cross entropy over all samples."""
        task, settings = self._task, self._task.settings
        with_masks = settings.trains_masks(epoch)
        mask_training_mode(self._trunk)
        optimiser = self._joint_optimiser if with_masks else self._head_optimiser
        with torch.no_grad():
            fixed = self.scores.effective()
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
            optimiser.zero_grad(set_to_none=True)
            # Without masks to train, the trunk needs neither gradients nor masking in every step.
            with torch.set_grad_enabled(with_masks):
                logits = masked_forward(self._trunk, self.scores.effective() if with_masks else fixed, images)
            loss = functional.cross_entropy(self.head(functional.relu(logits)), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            if with_masks:
                self.scores.add_retention_gradient(settings.alpha)
            optimiser.step()
            total += loss.detach() * len(labels)
        return float(total) / len(task.train)

    def found(self) -> Mapping[str, Tensor]:
        """The module as it is, as tensors that later training does not touch."""
        return found_tensors(self.scores.harden().packed(), self.head)

    def state(self) -> Mapping[str, Tensor]:
        """What a checkpoint has to keep."""
        return {
            **{f"scores.{name}": scores for name, scores in self.scores.values.items()},
            **{f"head.{name}": value for name, value in self.head.state_dict().items()},
            **optimiser_tensors(self._head_optimiser, "head_optimiser"),
            **optimiser_tensors(self._joint_optimiser, "joint_optimiser"),
        }

    def restore(self, tensors: Mapping[str, Tensor], epochs_run: int) -> None:  # noqa: ARG002 - part of the interface
        """Goes to where `state` was asked for."""
        with torch.no_grad():
            for name, scores in self.scores.values.items():
                scores.copy_(tensors[f"scores.{name}"])
        self.head.load_state_dict({name: tensors[f"head.{name}"] for name in self.head.state_dict()})
        restore_optimiser(self._head_optimiser, "head_optimiser", tensors)
        restore_optimiser(self._joint_optimiser, "joint_optimiser", tensors)

    def work(self) -> Mapping[str, object]:
        """What the search is of: a checkpoint of anything else is refused."""
        task = self._task
        return {
            "algorithm": "seam",
            "settings": task.settings.record(),
            "seed": task.seed,
            "base_accuracy": task.base_accuracy,
            "layout": self.layout,
            "head": tuple(self.head.weight.shape),
            "samples": (len(task.train), len(task.validation)),
            "input": asdict(task.input_spec),
            "device": task.device.type,
        }
