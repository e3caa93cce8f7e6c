"""GradSplitter: the joint search for the kernels that each label needs (Qi et al., TOSEM 2023, section 3).

Masks over the kernels of a frozen network in evaluation mode and a small head per module are trained together with
`cross entropy of all scores + alpha * kept share of all kernels`. The scores are sigmoids, as in the published code, so
that the cross entropy of N labels ends above log(1 + (N - 1) / e). While the masks stay, the network's outputs stay, so
that epochs of the heads alone run the network once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.batches import shuffled, to_input
from modelfoundry.core.channels import ChannelPlan, kernel_weight_masks
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
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.gradsplitter.heads import SplitHeads
from modelfoundry.decomposer.algorithms.gradsplitter.passes import Passes, SplitLogits
from modelfoundry.decomposer.algorithms.gradsplitter.result import EpochRecord, Snapshot, SplitModule, SplitResult
from modelfoundry.decomposer.algorithms.gradsplitter.selection import Selection
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings, Phase
from modelfoundry.decomposer.algorithms.gradsplitter.trunk import FoldedTrunk
from modelfoundry.decomposer.algorithms.gradsplitter.unit_scores import UnitScores
from modelfoundry.errors import UnsupportedModel
from modelfoundry.values.architectures import InputSpec

MEMORY_BYTES: Final = 3 * 2**30
"""What the tensors of one pass may take on a CPU; on a card it is a third of its memory."""
_CACHE_BYTES: Final = 2 * 2**30
_SAMPLES_SCORED_AT_ONCE: Final = 512


@dataclass(frozen=True, eq=False, slots=True)
class SplitTask:
    """What is decomposed into what, and on which data."""

    network: nn.Module
    """The trained classifier; untouched."""
    plan: ChannelPlan
    """Its channels; those of `kernel_groups` are masked."""
    label_groups: tuple[tuple[int, ...], ...]
    """Labels of every module, by number: every label of the network once, two modules or more."""
    train: ImageSet
    """Images to learn from, with label numbers of the network."""
    validation: ImageSet
    """Images to choose the epoch on, never test data, with label numbers of the network."""
    base_accuracy: float
    """Accuracy of the untouched network on the same validation images, in [0, 1]."""
    input_spec: InputSpec
    """How images are normalised."""
    settings: GradSplitterSettings


def split(
    task: SplitTask,
    *,
    seed: int,
    device: torch.device,
    monitor: Monitor,
    resume: Path | None = None,
    memory_bytes: int | None = None,
) -> SplitResult:
    """Searches the kernels and heads of all modules.

    The same arguments on the same machine, with the same number of threads, give the same bits; so does a search that
    was stopped and taken up from a checkpoint.

    Args:
        task: What to do.
        seed: Of the heads' initialisation and the order of images; any integer.
        device: Where to compute.
        monitor: Told of every step, asked before every step whether to go on, offered a checkpoint after every epoch.
        resume: Checkpoint to go on from.
        memory_bytes: What the tensors of one pass may take; None: a default for the device. Sums are cut accordingly,
            so that another bound may give other last bits.

    Raises:
        UnsupportedModel: no kernel can be dropped.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    with seeded(seed, device):
        run = _Search(task, seed, device, monitor, memory_bytes or _default_memory(device))
        if resume is not None:
            run.restore(resume)
        while not run.finished:
            run.run_epoch()
            monitor.checkpoint(run.save)
        return run.result()


class _Search:
    """A search between two epochs."""

    def __init__(self, task: SplitTask, seed: int, device: torch.device, monitor: Monitor, memory: int) -> None:
        self._task, self._seed, self._device, self._monitor, self._memory = task, seed, device, monitor, memory
        settings, groups = task.settings, task.plan.kernel_groups
        if not groups:
            raise UnsupportedModel(
                "no kernel of the network can be dropped", field="model", hint="decompose it with SeaM instead"
            )
        self._scores = UnitScores(task.network, groups, len(task.label_groups), device)
        trunk = FoldedTrunk(task.network, groups, task.input_spec, device)
        self._passes = Passes(
            trunk, sum(self._scores.widths), task.input_spec, memory=memory, device=device, monitor=monitor
        )
        torch.manual_seed(stream_seed(seed, "heads"))
        self._heads = SplitHeads(task.label_groups, settings.head_width, device)
        self._optimiser = self._new_optimiser(settings.phase(0))
        self._selection = Selection(task.base_accuracy, settings.accuracy_loss)
        self._history: list[EpochRecord] = []
        self._accepted: Snapshot | None = None
        self._fallback: Snapshot | None = None
        self._train_logits: SplitLogits | None = None
        """Of the masks as they are; so are the next."""
        self._validation_logits: SplitLogits | None = None

    @property
    def finished(self) -> bool:
        return len(self._history) >= self._task.settings.epochs

    def run_epoch(self) -> None:
        """Trains one epoch, measures it on validation data, and decides what becomes of it."""
        epoch = len(self._history)
        phase = self._task.settings.phase(epoch)
        if phase.start == epoch:
            self._optimiser = self._new_optimiser(phase)
        cross_entropy = self._train_masks(epoch) if phase.trains_masks else self._train_heads(epoch)
        alive, held = self._scores.alive(), self._scores.held()
        kept = self._scores.kept(alive)
        accuracy = self._validation_accuracy(alive)
        verdict = self._selection.observe(accuracy, kept)
        if verdict.accepted or verdict.most_accurate:
            heads = {name: value.detach().cpu().clone() for name, value in self._heads.state_dict().items()}
            snapshot = Snapshot(epoch, accuracy, alive.cpu(), held.cpu(), heads)
            self._accepted = snapshot if verdict.accepted else self._accepted
            self._fallback = snapshot if verdict.most_accurate else self._fallback
        retention = kept / self._scores.total
        loss = cross_entropy + (self._task.settings.alpha * retention if phase.trains_masks else 0.0)
        self._history.append(EpochRecord(epoch, _name(phase), loss, accuracy, retention, accepted=verdict.accepted))
        self._report(epoch + 1, 0, phase)

    def _train_masks(self, epoch: int) -> float:
        """Trains masks and heads; returns the mean cross entropy over all samples."""
        self._train_logits = self._validation_logits = None
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for indices in self._batches(epoch):
            images, labels = self._images(indices), self._labels(indices)
            self._optimiser.zero_grad(set_to_none=True)
            loss, of_bits = self._passes.gradient(
                images, self._scores.alive(), partial(self._cross_entropy, labels=labels)
            )
            self._scores.set_gradient(of_bits, self._task.settings.alpha)
            self._optimiser.step()
            total += loss * len(labels)
        return float(total) / len(self._task.train)

    def _train_heads(self, epoch: int) -> float:
        """Trains the heads alone; returns the mean cross entropy over all samples."""
        alive = self._scores.alive()
        fits = 4 * len(alive) * len(self._task.train) * self._heads.owner.numel() <= _CACHE_BYTES
        if fits and self._train_logits is None:
            self._train_logits = self._passes.split_logits(self._task.train, alive)
        cached = self._train_logits
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for indices in self._batches(epoch):
            logits = cached.of(indices) if cached else self._passes.logits(self._images(indices), alive)
            labels = self._labels(indices)
            self._optimiser.zero_grad(set_to_none=True)
            loss = self._cross_entropy(logits, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            total += loss.detach() * len(labels)
        return float(total) / len(self._task.train)

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        scores: Tensor = self._heads(logits)
        return functional.cross_entropy(scores.sigmoid(), labels)

    def _batches(self, epoch: int) -> Iterator[Tensor]:
        settings, phase = self._task.settings, self._task.settings.phase(epoch)
        batches = shuffled(len(self._task.train), settings.batch_size, seed=self._seed, epoch=epoch)
        for step, indices in enumerate(batches):
            self._monitor.check_cancelled()
            self._report(epoch, step, phase)
            yield indices

    def _images(self, indices: Tensor) -> Tensor:
        return to_input(self._task.train.images[indices], self._task.input_spec, self._device)

    def _labels(self, indices: Tensor) -> Tensor:
        return self._task.train.labels[indices].to(self._device)

    @torch.no_grad()
    def _validation_accuracy(self, alive: Tensor) -> float:
        validation = self._task.validation
        if self._validation_logits is None:
            self._validation_logits = self._passes.split_logits(validation, alive)
        correct = 0
        for indices in torch.split(torch.arange(len(validation)), _SAMPLES_SCORED_AT_ONCE):
            scores = self._heads(self._validation_logits.of(indices))
            correct += int((scores.argmax(dim=1).cpu() == validation.labels[indices]).sum())
        return correct / len(validation)

    def _new_optimiser(self, phase: Phase) -> torch.optim.Adam:
        groups = [{"params": list(self._heads.parameters()), "lr": phase.lr_head}]
        if phase.trains_masks:
            groups.append({"params": [self._scores.values], "lr": self._task.settings.lr_mask})
        return torch.optim.Adam(groups, fused=True)

    def _report(self, epoch: int, step: int, phase: Phase) -> None:
        settings = self._task.settings
        steps = -(-len(self._task.train) // settings.batch_size)
        metrics = {"epoch": float(epoch)}
        if self._history:
            last = self._history[-1]
            metrics |= {"loss": last.loss, "accuracy": last.accuracy, "kernel_retention": last.retention}
        self._monitor.progress(_name(phase), epoch * steps + step, settings.epochs * steps, "step", metrics)

    def result(self) -> SplitResult:
        chosen = self._accepted or self._fallback
        if chosen is None:
            raise RuntimeError("a search has no result before its first epoch")
        self._heads.load_state_dict(dict(chosen.heads))
        return SplitResult(
            modules=tuple(self._module(place, chosen) for place in range(len(self._task.label_groups))),
            validation_accuracy=chosen.accuracy,
            base_validation_accuracy=self._selection.base_accuracy,
            chosen_epoch=chosen.epoch,
            epochs_run=len(self._history),
            fell_back=self._accepted is None,
            history=tuple(self._history),
        )

    def _module(self, place: int, chosen: Snapshot) -> SplitModule:
        channels = self._scores.masks(chosen.alive[place], chosen.held[place])
        return SplitModule(
            labels=self._task.label_groups[place],
            channels=channels,
            masks=kernel_weight_masks(self._task.network, self._task.plan, channels),
            head=self._heads.head(place),
            kept_kernels=self._scores.kept(chosen.alive[place].to(self._device)),
            total_kernels=self._scores.total // len(self._task.label_groups),
        )

    def save(self, path: Path) -> None:
        """Writes everything that `restore` needs; orders of images need nothing, they follow from seed and epoch."""
        tensors: dict[str, Tensor] = {"scores": self._scores.values}
        tensors |= {f"heads.{name}": value for name, value in self._heads.state_dict().items()}
        tensors |= optimiser_tensors(self._optimiser, "optimiser")
        for prefix, snapshot in (("accepted", self._accepted), ("fallback", self._fallback)):
            tensors |= snapshot.tensors(prefix) if snapshot else {}
        facts = {
            "selection": self._selection.facts(),
            "history": [dataclasses.asdict(record) for record in self._history],
        }
        write_checkpoint(path, Checkpoint(self._work(), tensors, facts))

    def restore(self, path: Path) -> None:
        """Goes to where `save` was called."""
        checkpoint = read_checkpoint(path, self._work())
        tensors, facts = checkpoint.tensors, checkpoint.facts
        with torch.no_grad():
            self._scores.values.copy_(tensors["scores"])
        self._heads.load_state_dict({name: tensors[f"heads.{name}"] for name in self._heads.state_dict()})
        self._history = [EpochRecord(**record) for record in facts["history"]]
        self._optimiser = self._new_optimiser(self._task.settings.phase(len(self._history) - 1))
        restore_optimiser(self._optimiser, "optimiser", tensors)
        self._accepted = Snapshot.from_tensors("accepted", tensors)
        self._fallback = Snapshot.from_tensors("fallback", tensors)
        self._selection = Selection(**facts["selection"])

    def _work(self) -> str:
        task = self._task
        return fingerprint(
            algorithm="gradsplitter",
            settings=dataclasses.asdict(task.settings),
            seed=self._seed,
            base_accuracy=task.base_accuracy,
            groups=[(group.name, group.units) for group in self._scores.groups],
            label_groups=task.label_groups,
            samples=(len(task.train), len(task.validation)),
            input=dataclasses.asdict(task.input_spec),
            device=self._device.type,
            memory=self._memory,
        )


def _name(phase: Phase) -> str:
    return "masks and heads" if phase.trains_masks else "heads"


def _default_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 3
    return MEMORY_BYTES
