"""GradSplitter's kernels with the base as teacher: all modules in one search, and no label in the loss.

Scores begin as ranks of how much a module needs a kernel. A step keeps the best of all modules, as many as the schedule
says, and compares each module with the base on the same views, so that the base answers once for all. What comes before
the first layer whose kernels differ is computed once for all modules too. The last step is taken.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, fx, nn

from modelfoundry.core.channels import ChannelPlan, kernel_weight_masks
from modelfoundry.core.checkpoints import (
    Checkpoint,
    fingerprint,
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)
from modelfoundry.core.devices import Precision, computing_in, seeded, stream_seed
from modelfoundry.core.finite import finite_loss
from modelfoundry.core.masking import masked_state
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.distilling.density import density_at
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss
from modelfoundry.decomposer.algorithms.distilling.norms import BatchNorms
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.kernels import KernelScores
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.norms import parameters_of, trained_of
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.saliency import unit_saliency
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.settings import DistilledSplitSettings
from modelfoundry.decomposer.algorithms.gradsplitter.distilled.trunk import SharedTrunk, Values
from modelfoundry.decomposer.algorithms.gradsplitter.search import KernelModule
from modelfoundry.values.architectures import InputSpec

_SALIENCY_BATCHES: Final = 4
_ESTIMATION_BATCHES: Final = 4
_ESTIMATION_BATCH: Final = 256
"""Views in a batch that statistics are taken from: 1,024 in all."""


@dataclass(frozen=True, eq=False, slots=True)
class SplitTask:
    """What is to be distilled into which modules, and on which data."""

    network: nn.Module
    """The trained classifier; untouched."""
    plan: ChannelPlan
    """Its channels; those of `kernel_groups`, one or more, are masked."""
    targets: tuple[Target, ...]
    """The problem of every module, each with a rest: every label of the network once, two modules or more."""
    pool: ViewPool
    """Views of the training images; the views that the search draws are added to it."""
    input_spec: InputSpec
    settings: DistilledSplitSettings
    seed: int
    """Of what is drawn; any integer."""
    device: torch.device
    precision: Precision
    """What the settings mean by theirs on this machine; the pool's."""
    monitor: Monitor
    """Told of every step, asked before it whether to go on, offered a checkpoint after it."""
    resume: Path | None = None
    """Checkpoint to go on from."""


@dataclass(frozen=True, slots=True)
class Split:
    """What a joint distillation found."""

    modules: tuple[KernelModule, ...]
    """In the order of the targets, with heads that have no threshold yet."""
    threads: frozenset[int]
    """Numbers of threads that steps were computed with: more than one when it was taken up with another."""


def split(task: SplitTask) -> Split:
    """Searches the kernels of all modules, and what their norms have to become.

    The same task on the same machine, with the same number of threads, gives the same bits; so does a search that was
    stopped and taken up from a checkpoint.

    Raises:
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    with seeded(task.seed, task.device):
        run = Splitting(task)
        if task.resume is not None:
            run.restore(task.resume)
        task.pool.fill(run.views_ahead(), task.monitor)
        while run.step < task.settings.steps:
            run.run_step()
            task.monitor.checkpoint(run.save)
        return Split(run.modules(), run.threads)


class Splitting:
    """A joint search between two steps."""

    def __init__(self, task: SplitTask) -> None:
        self._task = task
        groups = task.plan.kernel_groups
        shared = min(int(task.settings.shared * len(groups)), len(groups) - 1)
        self._trunk = SharedTrunk(
            task.network,
            groups,
            shared=shared,
            modules=len(task.targets),
            input_spec=task.input_spec,
            device=task.device,
            dtype=torch.bfloat16 if task.precision == "bfloat16" else torch.float32,
        )
        self._heads: Sequence[Callable[[Tensor], Tensor]] = [
            network_of_head(target.head()).requires_grad_(False).to(task.device) for target in task.targets
        ]
        units = sum(group.units for group in groups)
        with computing_in(task.precision, task.device):
            saliency = unit_saliency(self._trunk, self._heads, self._saliency_batches(), units)
        self.scores = KernelScores(task.network, groups, shared, saliency.to(task.device))
        rates = [{"params": [self.scores.values], "lr": task.settings.lr_mask}]
        if self._trunk.norms:
            rates.append({"params": list(parameters_of(self._trunk.norms)), "lr": task.settings.lr_norm})
        self._optimiser = torch.optim.Adam(rates, fused=True)
        self.step = 0
        """Steps that were run."""
        self.threads = frozenset({torch.get_num_threads()})

    def _saliency_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        pool, targets = self._task.pool, self._task.targets
        for batch in range(_SALIENCY_BATCHES):
            self._task.monitor.check_cancelled()
            views = self._draw(f"saliency {batch}", self._task.settings.batch_size)
            labels = pool.labels[views]
            mine = [torch.isin(labels, torch.tensor(target.columns)) for target in targets]
            yield pool.inputs(views), torch.stack(mine, dim=1)

    def _draw(self, stream: str, count: int) -> Tensor:
        """Views as they are distributed, for one purpose: they depend on seed and purpose alone."""
        generator = torch.Generator().manual_seed(stream_seed(self._task.seed, stream))
        return torch.randint(0, len(self._task.pool), (count,), generator=generator)

    def views_ahead(self) -> Iterator[Tensor]:
        """The views that every step to come draws, int64 [batch] each."""
        return map(self._views, range(self.step, self._task.settings.steps))

    def _views(self, step: int) -> Tensor:
        return self._draw(f"step {step}", self._task.settings.batch_size)

    @property
    def alive(self) -> Tensor:
        """Units that the next step keeps: bool [modules, units]."""
        settings = self._task.settings
        return self.scores.alive(density_at(self.step, settings.steps, settings.retention))

    def run_step(self) -> None:
        """One batch: keeps the best, compares every module with the base, moves scores, scales and shifts."""
        task, views, alive = self._task, self._views(self.step), self.alive
        task.monitor.check_cancelled()
        self._optimiser.zero_grad(set_to_none=True)
        loss, of_bits = self._gradients(task.pool.inputs(views), task.pool.logits(views), alive)
        self.scores.set_gradient(of_bits)
        self._slow_down()
        self._optimiser.step()
        self.step += 1
        figures = {
            "loss": finite_loss(loss, f"the search in step {self.step}"),
            "kernel_retention": self.scores.kept(alive) / self.scores.total,
        }
        task.monitor.progress("kernels and norms", self.step, task.settings.steps, "step", figures)

    def _gradients(self, images: Tensor, taught: Tensor, alive: Tensor) -> tuple[float, Tensor]:
        """Mean loss of the modules, and the gradient of their sum by the bits, float32 [modules, units].

        Module by module, so that the graph of one is in memory at a time; what they begin with alike goes backward
        once, with the sum of what they ask of it.
        """
        task = self._task
        bits = alive.float()
        of_bits = torch.zeros_like(bits)
        with computing_in(task.precision, task.device):
            common = bits[:1].clone().requires_grad_()
            begun = self._trunk.begin(images, common)
            leaves = {node: _leaf(value) for node, value in begun.items()}
            total = torch.zeros((), device=task.device)
            for module, head in enumerate(self._heads):
                task.monitor.check_cancelled()
                own = bits[module : module + 1].clone().requires_grad_()
                logits = self._trunk.logits(leaves, own, module)
                loss = distillation_loss(logits, taught, head, task.settings.temperature)
                loss.backward()  # type: ignore[no-untyped-call]
                of_bits[module] = 0.0 if own.grad is None else own.grad[0]
                total += loss.detach()
            _backward(begun, leaves)
        if common.grad is not None:
            of_bits[0] += common.grad[0]
        return float(total) / len(self._heads), of_bits

    def _slow_down(self) -> None:
        """Learning rates fall to 0 as a cosine, so that the last step can be taken as it is."""
        settings = self._task.settings
        share = 0.5 * (1 + math.cos(math.pi * self.step / settings.steps))
        for group, rate in zip(self._optimiser.param_groups, (settings.lr_mask, settings.lr_norm), strict=False):
            group["lr"] = rate * share

    def modules(self) -> tuple[KernelModule, ...]:
        """What the last step left, with statistics of its own."""
        alive = self.scores.alive(self._task.settings.retention)
        return tuple(self._module(place, alive[place]) for place in range(len(self._heads)))

    def _module(self, place: int, alive: Tensor) -> KernelModule:
        task = self._task
        channels = self.scores.masks(alive)
        masks = kernel_weight_masks(task.network, task.plan, channels)
        network = copy.deepcopy(task.network).requires_grad_(False).eval().to(task.device)
        norms = BatchNorms(network.to(memory_format=torch.channels_last))
        with torch.no_grad():
            for name, value in trained_of(self._trunk.norms, place).items():
                norms.trained[name].copy_(value)
        return KernelModule(
            labels=task.targets[place].columns,
            channels=channels,
            masks=masks,
            head=task.targets[place].head(),
            rewritten=norms.estimate(masked_state(network, masks), self._estimation_batches()),
            kept_kernels=self.scores.kept(alive),
            total_kernels=self.scores.total // len(task.targets),
        )

    def _estimation_batches(self) -> Iterator[Tensor]:
        for batch in range(_ESTIMATION_BATCHES):
            self._task.monitor.check_cancelled()
            yield self._task.pool.inputs(self._draw(f"statistics {batch}", _ESTIMATION_BATCH))

    def save(self, path: Path) -> None:
        """Writes everything that `restore` needs; random numbers need nothing, they follow from seed and step."""
        tensors: dict[str, Tensor] = {"scores": self.scores.values}
        tensors |= {f"norms.{place}": value for place, value in enumerate(parameters_of(self._trunk.norms))}
        tensors |= optimiser_tensors(self._optimiser, "optimiser")
        facts = {"step": self.step, "precision": self._task.precision, "threads": sorted(self.threads)}
        write_checkpoint(path, Checkpoint(self._work(), tensors, facts))

    def restore(self, path: Path) -> None:
        """Goes to where `save` was called, unless that was on a machine that computes in another precision.

        Then it begins again, so that modules come from steps of one precision, and can be made again.

        Raises:
            MalformedFile: the checkpoint is damaged or of another search.
        """
        checkpoint = read_checkpoint(path, self._work())
        if checkpoint.facts["precision"] != self._task.precision:
            return
        with torch.no_grad():
            self.scores.values.copy_(checkpoint.tensors["scores"])
            for place, value in enumerate(parameters_of(self._trunk.norms)):
                value.copy_(checkpoint.tensors[f"norms.{place}"])
        restore_optimiser(self._optimiser, "optimiser", checkpoint.tensors)
        self.step = checkpoint.facts["step"]
        self.threads |= frozenset(checkpoint.facts["threads"])

    def _work(self) -> str:
        task = self._task
        return fingerprint(
            algorithm="gradsplitter distilled",
            settings=task.settings.record(),
            seed=task.seed,
            targets=[dataclasses.asdict(target) for target in task.targets],
            groups=[(group.name, group.units) for group in self.scores.groups],
            norms=list(self._trunk.norms),
            samples=len(task.pool),
            input=dataclasses.asdict(task.input_spec),
            device=task.device.type,
        )


def _leaf(value: object) -> object:
    """A value that gradients end at; what is no tensor stays as it is."""
    return value.detach().requires_grad_(value.requires_grad) if isinstance(value, Tensor) else value


def _backward(begun: Values, leaves: dict[fx.Node, object]) -> None:
    """Hands on what arrived at the leaves to what they were made of."""
    wanted = [
        (value, leaf.grad)
        for value, leaf in ((begun[node], leaf) for node, leaf in leaves.items())
        if isinstance(leaf, Tensor) and leaf.grad is not None and value.requires_grad
    ]
    if wanted:
        torch.autograd.backward([value for value, _ in wanted], [grad for _, grad in wanted])
