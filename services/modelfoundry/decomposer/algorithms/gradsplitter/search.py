"""GradSplitter: the joint search for the kernels that each label needs (Qi et al., TOSEM 2023, section 3).

Masks over the kernels of a frozen network in evaluation mode and a small head per module are trained together with
`cross entropy of all scores + alpha * kept share of all kernels`. The scores are sigmoids, as in the published code, so
that the cross entropy of N labels ends above log(1 + (N - 1) / e). While the masks stay, the network's outputs stay, so
that epochs of the heads alone run the network once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from modelfoundry.core.batches import shuffled, to_input
from modelfoundry.core.channels import ChannelMasks, ChannelPlan, kernel_weight_masks
from modelfoundry.core.checkpoints import optimiser_tensors, restore_optimiser
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import seeded, stream_seed
from modelfoundry.core.finite import finite_outputs
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.epochs import EpochLoop, Measured, Watch
from modelfoundry.decomposer.algorithms.gradsplitter.heads import JointHeads
from modelfoundry.decomposer.algorithms.gradsplitter.passes import Passes, SplitLogits
from modelfoundry.decomposer.algorithms.gradsplitter.selection import Selection
from modelfoundry.decomposer.algorithms.gradsplitter.settings import GradSplitterSettings, Phase
from modelfoundry.decomposer.algorithms.gradsplitter.trunk import FoldedTrunk
from modelfoundry.decomposer.algorithms.gradsplitter.unit_scores import UnitScores
from modelfoundry.decomposer.algorithms.searching import FoundModule, SearchResult
from modelfoundry.errors import UnsupportedModel
from modelfoundry.values.architectures import InputSpec

MEMORY_BYTES: Final = 3 * 2**30
"""What the tensors of one pass may take on a CPU; on a card it is a third of its memory."""
_CACHE_BYTES: Final = 2 * 2**30
_SAMPLES_SCORED_AT_ONCE: Final = 512


@dataclass(frozen=True, eq=False, slots=True)
class JointTask:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelModule(FoundModule):
    """One of the modules; its head gives the logits of its labels in that order, then 0 for the rest."""

    labels: tuple[int, ...]
    """Labels of the base that it recognises, by number."""
    channels: ChannelMasks
    """Kept units; its masks are the same over all maskable weights."""
    kept_kernels: int
    """Of the kernels that can be dropped."""
    total_kernels: int


def search_jointly(
    task: JointTask,
    *,
    seed: int,
    device: torch.device,
    monitor: Monitor,
    resume: Path | None = None,
    memory_bytes: int | None = None,
) -> SearchResult[KernelModule]:
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
        kernels = KernelSearch(task, seed, device, monitor, memory_bytes or _default_memory(device))
        selection = Selection(task.base_accuracy, task.settings.accuracy_loss)
        chosen = EpochLoop(kernels, selection, monitor).run(resume)
        found = kernels.modules(chosen.snapshot.found)
    return SearchResult.of(found, chosen, task.base_accuracy, (len(task.train), len(task.validation)))


class KernelSearch:
    """Masks and heads of all modules between two epochs."""

    retention_name = "kernel_retention"

    def __init__(self, task: JointTask, seed: int, device: torch.device, monitor: Monitor, memory: int) -> None:
        self._task, self._seed, self._device, self._memory = task, seed, device, memory
        settings, groups = task.settings, task.plan.kernel_groups
        if not groups:
            raise UnsupportedModel(
                "no kernel of the network can be dropped",
                field="model",
                hint="use an algorithm that drops single weights",
            )
        self.epochs, self.steps = settings.epochs, -(-len(task.train) // settings.batch_size)
        self.scores = UnitScores(task.network, groups, len(task.label_groups), device)
        trunk = FoldedTrunk(task.network, groups, task.input_spec, device)
        self._passes = Passes(
            trunk, sum(self.scores.widths), task.input_spec, memory=memory, device=device, monitor=monitor
        )
        torch.manual_seed(stream_seed(seed, "heads"))
        self.heads = JointHeads(task.label_groups, settings.head_width, device)
        self._optimiser = self._new_optimiser(settings.phase(0))
        self._train_logits: SplitLogits | None = None
        """Of the masks as they are; so are the next."""
        self._validation_logits: SplitLogits | None = None

    def phase(self, epoch: int) -> str:
        """What an epoch trains, in words."""
        return "masks and heads" if self._task.settings.phase(epoch).trains_masks else "heads"

    def run_epoch(self, epoch: int, watch: Watch[Any]) -> Measured:
        """Trains one epoch, and measures what it left on validation images."""
        phase = self._task.settings.phase(epoch)
        if phase.start == epoch:
            self._optimiser = self._new_optimiser(phase)
        train = self._train_masks if phase.trains_masks else self._train_heads
        cross_entropy = train(epoch, watch)
        alive = self.scores.alive()
        kept = self.scores.kept(alive)
        retention = kept / self.scores.total
        loss = cross_entropy + (self._task.settings.alpha * retention if phase.trains_masks else 0.0)
        return Measured(loss, self._validation_accuracy(alive), kept, retention)

    def _train_masks(self, epoch: int, watch: Watch[Any]) -> float:
        """Trains masks and heads; returns the mean cross entropy over all samples."""
        self._train_logits = self._validation_logits = None
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for indices in watch(self._batches(epoch)):
            images, labels = self._images(indices), self._labels(indices)
            self._optimiser.zero_grad(set_to_none=True)
            loss, of_bits = self._passes.gradient(
                images, self.scores.alive(), partial(self._cross_entropy, labels=labels)
            )
            self.scores.set_gradient(of_bits, self._task.settings.alpha)
            self._optimiser.step()
            total += loss * len(labels)
        return float(total) / len(self._task.train)

    def _train_heads(self, epoch: int, watch: Watch[Any]) -> float:
        """Trains the heads alone; returns the mean cross entropy over all samples."""
        alive = self.scores.alive()
        fits = 4 * len(alive) * len(self._task.train) * self.heads.owner.numel() <= _CACHE_BYTES
        if fits and self._train_logits is None:
            self._train_logits = self._passes.split_logits(self._task.train, alive)
        cached = self._train_logits
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for indices in watch(self._batches(epoch)):
            logits = cached.of(indices) if cached else self._passes.logits(self._images(indices), alive)
            labels = self._labels(indices)
            self._optimiser.zero_grad(set_to_none=True)
            loss = self._cross_entropy(logits, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimiser.step()
            total += loss.detach() * len(labels)
        return float(total) / len(self._task.train)

    def _cross_entropy(self, logits: Tensor, labels: Tensor) -> Tensor:
        scores: Tensor = self.heads(logits)
        return functional.cross_entropy(scores.sigmoid(), labels)

    def _batches(self, epoch: int) -> tuple[Tensor, ...]:
        return shuffled(len(self._task.train), self._task.settings.batch_size, seed=self._seed, epoch=epoch)

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
            scores = finite_outputs(self.heads(self._validation_logits.of(indices)), "the modules")
            correct += int((scores.argmax(dim=1).cpu() == validation.labels[indices]).sum())
        return correct / len(validation)

    def _new_optimiser(self, phase: Phase) -> torch.optim.Adam:
        groups = [{"params": list(self.heads.parameters()), "lr": phase.lr_head}]
        if phase.trains_masks:
            groups.append({"params": [self.scores.values], "lr": self._task.settings.lr_mask})
        return torch.optim.Adam(groups, fused=True)

    def found(self) -> Mapping[str, Tensor]:
        """The module as it is, as tensors that later training does not touch."""
        heads = {f"heads.{name}": value.detach().cpu().clone() for name, value in self.heads.state_dict().items()}
        return {"alive": self.scores.alive().cpu(), "held": self.scores.held().cpu(), **heads}

    def modules(self, found: Mapping[str, Tensor]) -> tuple[KernelModule, ...]:
        """All modules of what an epoch found."""
        self.heads.load_state_dict({name: found[f"heads.{name}"] for name in self.heads.state_dict()})
        return tuple(
            self._module(place, found["alive"][place], found["held"][place])
            for place in range(len(self._task.label_groups))
        )

    def _module(self, place: int, alive: Tensor, held: Tensor) -> KernelModule:
        channels = self.scores.masks(alive, held)
        return KernelModule(
            labels=self._task.label_groups[place],
            channels=channels,
            masks=kernel_weight_masks(self._task.network, self._task.plan, channels),
            head=self.heads.head(place),
            empty_layers=channels.held,
            kept_kernels=self.scores.kept(alive.to(self._device)),
            total_kernels=self.scores.total // len(self._task.label_groups),
        )

    def state(self) -> Mapping[str, Tensor]:
        """What a checkpoint has to keep."""
        return {
            "scores": self.scores.values,
            **{f"heads.{name}": value for name, value in self.heads.state_dict().items()},
            **optimiser_tensors(self._optimiser, "optimiser"),
        }

    def restore(self, tensors: Mapping[str, Tensor], epochs_run: int) -> None:
        """Goes to where `state` was asked for."""
        with torch.no_grad():
            self.scores.values.copy_(tensors["scores"])
        self.heads.load_state_dict({name: tensors[f"heads.{name}"] for name in self.heads.state_dict()})
        self._optimiser = self._new_optimiser(self._task.settings.phase(epochs_run - 1))
        restore_optimiser(self._optimiser, "optimiser", tensors)

    def work(self) -> Mapping[str, object]:
        """What the search is of: a checkpoint of anything else is refused."""
        task = self._task
        return {
            "algorithm": "gradsplitter",
            "settings": task.settings.record(),
            "seed": self._seed,
            "base_accuracy": task.base_accuracy,
            "groups": [(group.name, group.units) for group in self.scores.groups],
            "label_groups": task.label_groups,
            "samples": (len(task.train), len(task.validation)),
            "input": asdict(task.input_spec),
            "device": self._device.type,
            "memory": self._memory,
        }


def _default_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // 3
    return MEMORY_BYTES
