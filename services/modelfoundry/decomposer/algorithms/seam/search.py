"""SeaM: the search for the weights that one target problem needs (SeaM, Qi et al., ICSE 2023, section 3).

Masks over all weights of a frozen network and a small head behind it are trained with `cross entropy + alpha *
retention`. Some epochs train the head alone, the others both, with an Adam of their own each.

Adam divides a gradient by its running size, so that a weight that the problem does not need, whose only gradient is the
tiny constant alpha / total, still loses about lr_mask in every step. With more than about 100 million weights the
constant comes near Adam's epsilon (1e-8) and the steps shrink; this is the paper's arithmetic and is kept.
"""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

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
from modelfoundry.core.heads import LinearHead
from modelfoundry.core.masking import MaskScores, WeightMasks, mask_training_mode, masked_forward
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.seam.result import EpochRecord, SearchResult, Snapshot
from modelfoundry.decomposer.algorithms.seam.selection import Selection
from modelfoundry.decomposer.algorithms.seam.settings import SeamSettings
from modelfoundry.values.architectures import InputSpec


def search(  # the first seven are what is searched
    network: nn.Module,
    problem_outputs: int,
    train: ImageSet,
    validation: ImageSet,
    base_accuracy: float,
    input_spec: InputSpec,
    settings: SeamSettings,
    *,
    seed: int,
    device: torch.device,
    monitor: Monitor,
    resume: Path | None = None,
) -> SearchResult:
    """Searches the weights that a target problem needs.

    The same arguments on the same machine, with the same number of threads, give the same bits; so does a search that
    was stopped and taken up from a checkpoint.

    Args:
        network: The trained classifier; untouched.
        problem_outputs: Number of outputs of the module.
        train: Images to learn from; labels are outputs of the module.
        validation: Images to choose the epoch on, never test data; labels are outputs of the module.
        base_accuracy: Accuracy of the untouched network on the same validation images, in [0, 1].
        input_spec: How images are normalised.
        settings: How to search.
        seed: Of initialisation, order, augmentation and dropout; any integer.
        device: Where to compute.
        monitor: Told of every step, asked before every step whether to go on, offered a checkpoint after every epoch.
        resume: Checkpoint to go on from.

    Raises:
        UnsupportedModel: the network has nothing to mask.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    with seeded(seed, device):
        run = _Search(
            network,
            problem_outputs=problem_outputs,
            train=train,
            validation=validation,
            base_accuracy=base_accuracy,
            input_spec=input_spec,
            settings=settings,
            seed=seed,
            device=device,
            monitor=monitor,
        )
        if resume is not None:
            run.restore(resume)
        while not run.finished:
            run.run_epoch()
            monitor.checkpoint(run.save)
        return run.result()


class _Search:
    """A search between two epochs."""

    def __init__(
        self,
        network: nn.Module,
        *,
        problem_outputs: int,
        train: ImageSet,
        validation: ImageSet,
        base_accuracy: float,
        input_spec: InputSpec,
        settings: SeamSettings,
        seed: int,
        device: torch.device,
        monitor: Monitor,
    ) -> None:
        self._train, self._validation, self._input_spec = train, validation, input_spec
        self._settings, self._seed, self._device, self._monitor = settings, seed, device, monitor
        trunk = copy.deepcopy(network).requires_grad_(False)
        self._trunk = trunk.to(device).to(memory_format=torch.channels_last)
        self._scores = MaskScores(self._trunk)
        torch.manual_seed(stream_seed(seed, "head"))
        label_count = _label_count(self._trunk, input_spec, device)
        self._head = nn.Linear(label_count, problem_outputs).to(device)
        self._head_optimiser = torch.optim.Adam(self._head.parameters(), lr=settings.lr_head, fused=True)
        self._joint_optimiser = torch.optim.Adam(
            [
                {"params": list(self._scores.values.values()), "lr": settings.lr_mask},
                {"params": list(self._head.parameters()), "lr": settings.lr_head},
            ],
            fused=True,
        )
        self._selection = Selection(base_accuracy, self._scores.total, settings.patience)
        self._history: list[EpochRecord] = []
        self._accepted: Snapshot | None = None
        self._fallback: Snapshot | None = None
        self._stopped = False

    @property
    def finished(self) -> bool:
        return self._stopped or len(self._history) >= self._settings.epochs

    def run_epoch(self) -> None:
        """Trains one epoch, measures it on validation data, and decides what becomes of it."""
        epoch = len(self._history)
        # Dropout's numbers depend on the epoch alone, so that an epoch can be repeated without the ones before.
        torch.manual_seed(stream_seed(self._seed, f"dropout of epoch {epoch}"))
        with_masks = self._settings.trains_masks(epoch)
        cross_entropy = self._train_epoch(epoch, with_masks=with_masks)
        masks = self._scores.harden()
        measured = self._validation_accuracy()
        verdict = self._selection.observe(measured, masks.kept)
        if verdict.accepted or verdict.best_compromise:
            snapshot = Snapshot(epoch, measured, masks.packed(), _head_of(self._head))
            self._accepted = snapshot if verdict.accepted else self._accepted
            self._fallback = snapshot if verdict.best_compromise else self._fallback
        self._stopped = verdict.stop
        loss = cross_entropy + self._settings.alpha * masks.retention
        self._history.append(
            EpochRecord(epoch, _phase(with_masks), loss, measured, masks.retention, accepted=verdict.accepted)
        )
        self._report(epoch + 1, 0, with_masks=with_masks)

    def _train_epoch(self, epoch: int, *, with_masks: bool) -> float:
        """Returns the mean cross entropy over all samples."""
        mask_training_mode(self._trunk)
        optimiser = self._joint_optimiser if with_masks else self._head_optimiser
        with torch.no_grad():
            fixed = self._scores.effective()
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
            self._report(epoch, step, with_masks=with_masks)
            optimiser.zero_grad(set_to_none=True)
            # Without masks to train, the trunk needs neither gradients nor masking in every step.
            with torch.set_grad_enabled(with_masks):
                logits = masked_forward(self._trunk, self._scores.effective() if with_masks else fixed, images)
            loss = functional.cross_entropy(self._head(functional.relu(logits)), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            if with_masks:
                self._scores.add_retention_gradient(self._settings.alpha)
            optimiser.step()
            total += loss.detach() * len(labels)
        return float(total) / len(self._train)

    def _validation_accuracy(self) -> float:
        self._trunk.eval()
        with torch.no_grad():
            state = self._scores.effective()
        return accuracy(
            lambda images: self._head(functional.relu(masked_forward(self._trunk, state, images))),
            self._validation,
            self._input_spec,
            device=self._device,
            monitor=self._monitor,
        )

    def _report(self, epoch: int, step: int, *, with_masks: bool) -> None:
        steps = -(-len(self._train) // self._settings.batch_size)
        metrics = {"epoch": float(epoch)}
        if self._history:
            last = self._history[-1]
            metrics |= {"loss": last.loss, "accuracy": last.accuracy, "weight_retention": last.retention}
        self._monitor.progress(_phase(with_masks), epoch * steps + step, self._settings.epochs * steps, "step", metrics)

    def result(self) -> SearchResult:
        chosen = self._accepted or self._fallback
        if chosen is None:
            raise RuntimeError("a search has no result before its first epoch")
        layout = [(name, tuple(scores.shape)) for name, scores in self._scores.values.items()]
        return SearchResult(
            masks=WeightMasks.from_packed(chosen.packed, layout),
            head=chosen.head,
            validation_accuracy=chosen.accuracy,
            base_validation_accuracy=self._selection.base_accuracy,
            chosen_epoch=chosen.epoch,
            epochs_run=len(self._history),
            fell_back=self._accepted is None,
            history=tuple(self._history),
        )

    def save(self, path: Path) -> None:
        """Writes everything that `restore` needs; random numbers need nothing, they follow from seed and epoch."""
        tensors: dict[str, Tensor] = {f"scores.{name}": scores for name, scores in self._scores.values.items()}
        tensors |= {f"head.{name}": value for name, value in self._head.state_dict().items()}
        tensors |= optimiser_tensors(self._head_optimiser, "head_optimiser")
        tensors |= optimiser_tensors(self._joint_optimiser, "joint_optimiser")
        for prefix, snapshot in (("accepted", self._accepted), ("fallback", self._fallback)):
            tensors |= snapshot.tensors(prefix) if snapshot else {}
        facts = {
            "selection": self._selection.facts(),
            "history": [dataclasses.asdict(record) for record in self._history],
            "stopped": self._stopped,
        }
        write_checkpoint(path, Checkpoint(self._work(), tensors, facts))

    def restore(self, path: Path) -> None:
        """Goes to where `save` was called."""
        checkpoint = read_checkpoint(path, self._work())
        tensors, facts = checkpoint.tensors, checkpoint.facts
        with torch.no_grad():
            for name, scores in self._scores.values.items():
                scores.copy_(tensors[f"scores.{name}"])
        self._head.load_state_dict({name: tensors[f"head.{name}"] for name in self._head.state_dict()})
        restore_optimiser(self._head_optimiser, "head_optimiser", tensors)
        restore_optimiser(self._joint_optimiser, "joint_optimiser", tensors)
        self._accepted = Snapshot.from_tensors("accepted", tensors)
        self._fallback = Snapshot.from_tensors("fallback", tensors)
        self._selection = Selection(**facts["selection"])
        self._history = [EpochRecord(**record) for record in facts["history"]]
        self._stopped = facts["stopped"]

    def _work(self) -> str:
        return fingerprint(
            algorithm="seam",
            settings=dataclasses.asdict(self._settings),
            seed=self._seed,
            base_accuracy=self._selection.base_accuracy,
            layout=[(name, tuple(scores.shape)) for name, scores in self._scores.values.items()],
            head=tuple(self._head.weight.shape),
            samples=(len(self._train), len(self._validation)),
            input=dataclasses.asdict(self._input_spec),
            device=self._device.type,
        )


def _phase(with_masks: bool) -> str:
    return "masks and head" if with_masks else "head"


def _head_of(linear: nn.Linear) -> LinearHead:
    return LinearHead.of(linear.weight.detach().cpu().clone(), linear.bias.detach().cpu().clone())


def _label_count(trunk: nn.Module, input_spec: InputSpec, device: torch.device) -> int:
    with torch.no_grad():
        return int(trunk.eval()(torch.zeros(1, *input_spec.shape, device=device)).shape[1])
