"""SeaM's masks with the base as teacher: a given share of the weights, and no label in the loss.

Scores begin as ranks of the weights' sizes. A step keeps the best of them, as many as the schedule says, and compares
what is left with the base on the same views. The gradient of every weight, kept or not, moves its score. The last step
is taken: nothing is chosen by accuracy, so validation images serve for the threshold alone.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from modelfoundry.core.batches import to_input
from modelfoundry.core.checkpoints import (
    Checkpoint,
    fingerprint,
    optimiser_tensors,
    read_checkpoint,
    restore_optimiser,
    write_checkpoint,
)
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.devices import Precision, computing_in, seeded
from modelfoundry.core.finite import finite_loss, finite_outputs
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.masking import WeightMasks, masked_forward
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.core.monitor import Monitor
from modelfoundry.decomposer.algorithms.distilling.density import density_at, kept_of
from modelfoundry.decomposer.algorithms.distilling.drawing import BalancedDraws, HardDraws, closeness
from modelfoundry.decomposer.algorithms.distilling.losses import distillation_loss
from modelfoundry.decomposer.algorithms.distilling.norms import BatchNorms
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.distilling.threshold import fit_threshold
from modelfoundry.decomposer.algorithms.seam.distilled.masks import RankedMasks
from modelfoundry.decomposer.algorithms.seam.distilled.settings import DistilledSettings
from modelfoundry.values.architectures import InputSpec

_ESTIMATION_BATCHES: Final = 8
_ESTIMATION_BATCH: Final = 256
"""Views in a batch that statistics are taken from: 2,048 in all."""
_AT_ONCE: Final = 4096
"""Views whose answers are weighed at a time."""


@dataclass(frozen=True, eq=False, slots=True)
class DistillationTask:
    """What is to be distilled, and on which data."""

    network: nn.Module
    """The trained classifier; untouched."""
    target: Target
    """The problem."""
    pool: ViewPool
    """Views of the training images; the views that the search draws are added to it."""
    validation: ImageSet
    """Images to fit the threshold on, never test data; their labels are outputs of the module."""
    input_spec: InputSpec
    """How images are normalised."""
    settings: DistilledSettings
    """With a number of steps."""
    seed: int
    """Of what is drawn; any integer."""
    device: torch.device
    monitor: Monitor
    """Told of every step, asked before it whether to go on, offered a checkpoint after it."""
    resume: Path | None = None
    """Checkpoint to go on from."""
    precision: Precision = "float32"
    """What the settings mean by theirs on this machine; the pool's."""


@dataclass(frozen=True, eq=False, slots=True)
class Distilled:
    """What a distillation found."""

    masks: WeightMasks
    rewritten: Mapping[str, Tensor]
    """Tensors of norms that the module has in place of the base's own, float16 or float32, on the CPU."""
    head: LogOddsHead
    """With the fitted threshold."""
    validation_accuracy: float
    """On the images that the threshold was fitted on, in [0, 1]."""
    threads: frozenset[int]
    """Numbers of threads that steps were computed with: more than one when it was taken up with another."""


def distil(task: DistillationTask) -> Distilled:
    """Searches the weights that a problem needs, and what their norms have to become.

    The same task on the same machine, with the same number of threads, gives the same bits; so does a search that was
    stopped and taken up from a checkpoint.

    Raises:
        UnsupportedModel: the network has nothing to mask.
        DatasetMismatch: too few validation images for a threshold.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """
    with seeded(task.seed, task.device):
        run = Distillation(task)
        if task.resume is not None:
            run.restore(task.resume)
        run.fill_pool()
        while run.step < task.settings.steps:
            run.run_step()
            task.monitor.checkpoint(run.save)
        return run.result()


class Distillation:
    """A search between two steps."""

    def __init__(self, task: DistillationTask) -> None:
        self._task = task
        network = copy.deepcopy(task.network).requires_grad_(False).eval()
        self._network = network.to(task.device).to(memory_format=torch.channels_last)
        self._masks = RankedMasks(self._network)
        self._norms = BatchNorms(self._network)
        self._norms.normalise_by_batch()
        self._head = network_of_head(task.target.head()).requires_grad_(False).to(task.device)
        self._draws = BalancedDraws(task.pool.labels, task.target, task.seed, task.pool.common)
        self._draws_of_steps: BalancedDraws | HardDraws = self._draws
        groups = [{"params": [self._masks.scores], "lr": task.settings.lr_mask}]
        if self._norms.trained:
            groups.append({"params": list(self._norms.trained.values()), "lr": task.settings.lr_norm})
        self._optimiser = torch.optim.Adam(groups, fused=True)
        self.step = 0
        """Steps that were run."""
        self._threads = frozenset({torch.get_num_threads()})

    @property
    def scores(self) -> Tensor:
        """Of all weights, float32 [total]."""
        return self._masks.scores.detach()

    @property
    def kept(self) -> int:
        """Weights that the next step keeps."""
        settings = self._task.settings
        return kept_of(self._masks.total, density_at(self.step, settings.steps, settings.retention))

    def fill_pool(self) -> None:
        """Finds what the base says of the views that steps may draw, and weighs those of the rest by it.

        Raises:
            Cancelled: the monitor says so.
        """
        task = self._task
        task.pool.fill(map(self._balanced, range(task.settings.steps)), task.monitor)
        if task.target.rest and task.settings.hard_negatives:
            self._draws_of_steps = self._hard_draws()

    def _hard_draws(self) -> HardDraws:
        task, settings = self._task, self._task.settings
        drawn = [self._draws.parts(_stream(step), settings.batch_size)[1] for step in range(settings.steps)]
        others = torch.unique(torch.cat(drawn))
        parts = [closeness(self._head(task.pool.logits(views))).cpu() for views in torch.split(others, _AT_ONCE)]
        return HardDraws(self._draws, others, torch.cat(parts), settings.hard_negatives, task.seed)

    def run_step(self) -> None:
        """One batch: keeps the best, compares with the base, moves scores, scales and shifts."""
        task, kept = self._task, self.kept
        task.monitor.check_cancelled()
        views = self._views(self.step)
        weights = self._masks.masked(kept)
        state = {**self._masks.state(weights), **self._norms.trained}
        with computing_in(task.precision, task.device):
            logits = masked_forward(self._network, state, task.pool.inputs(views)).float()
        loss = distillation_loss(logits, task.pool.logits(views), self._head, task.settings.temperature)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._masks.pass_gradient(weights)
        self._slow_down()
        self._optimiser.step()
        self.step += 1
        figures = {
            "loss": finite_loss(float(loss.detach()), f"the search in step {self.step}"),
            "weight_retention": kept / self._masks.total,
        }
        task.monitor.progress("masks and norms", self.step, task.settings.steps, "step", figures)

    def _balanced(self, step: int) -> Tensor:
        return self._draws.draw(_stream(step), self._task.settings.batch_size)

    def _views(self, step: int) -> Tensor:
        return self._draws_of_steps.draw(_stream(step), self._task.settings.batch_size)

    def _slow_down(self) -> None:
        """Learning rates fall to 0 as a cosine, so that the last step can be taken as it is."""
        settings = self._task.settings
        share = 0.5 * (1 + math.cos(math.pi * self.step / settings.steps))
        for group, rate in zip(self._optimiser.param_groups, (settings.lr_mask, settings.lr_norm), strict=False):
            group["lr"] = rate * share

    def result(self) -> Distilled:
        """What the last step left, with statistics and threshold of its own."""
        task = self._task
        kept = kept_of(self._masks.total, task.settings.retention)
        state = dict(self._masks.state(self._masks.masked(kept).detach()))
        rewritten = self._norms.estimate(state, self._estimation_batches())
        state |= {name: value.to(task.device, torch.float32) for name, value in rewritten.items()}
        logits, right = self._validation_logits(state), task.validation.labels
        with torch.no_grad():
            outputs = network_of_head(task.target.head())(logits)
            head = task.target.head(fit_threshold(outputs, right, task.target))
            answers = network_of_head(head)(logits).argmax(dim=1)
        return Distilled(
            masks=self._masks.harden(kept),
            rewritten=rewritten,
            head=head,
            validation_accuracy=float((answers == right).float().mean()),
            threads=self._threads,
        )

    def _estimation_batches(self) -> Iterator[Tensor]:
        for batch in range(_ESTIMATION_BATCHES):
            self._task.monitor.check_cancelled()
            yield self._task.pool.inputs(self._draws.draw(f"statistics {batch}", _ESTIMATION_BATCH))

    def _validation_logits(self, state: Mapping[str, Tensor]) -> Tensor:
        """Logits of validation images, float32 [n, labels] on the CPU."""
        found = []
        with torch.no_grad():
            for images in torch.split(self._task.validation.images, _ESTIMATION_BATCH):
                self._task.monitor.check_cancelled()
                inputs = to_input(images, self._task.input_spec, self._task.device)
                found.append(finite_outputs(masked_forward(self._network, state, inputs).float().cpu(), "the module"))
        return torch.cat(found)

    def save(self, path: Path) -> None:
        """Writes everything that `restore` needs; random numbers need nothing, they follow from seed and step."""
        tensors: dict[str, Tensor] = {"scores": self._masks.scores}
        tensors |= {f"norms.{name}": value for name, value in self._norms.trained.items()}
        tensors |= optimiser_tensors(self._optimiser, "optimiser")
        facts = {"step": self.step, "precision": self._task.precision, "threads": sorted(self._threads)}
        write_checkpoint(path, Checkpoint(self._work(), tensors, facts))

    def restore(self, path: Path) -> None:
        """Goes to where `save` was called, unless that was on a machine that computes in another precision.

        Then it begins again, so that a module comes from steps of one precision, and can be made again.

        Raises:
            MalformedFile: the checkpoint is damaged or of another search.
        """
        checkpoint = read_checkpoint(path, self._work())
        if checkpoint.facts["precision"] != self._task.precision:
            return
        with torch.no_grad():
            self._masks.scores.copy_(checkpoint.tensors["scores"])
            for name, value in self._norms.trained.items():
                value.copy_(checkpoint.tensors[f"norms.{name}"])
        restore_optimiser(self._optimiser, "optimiser", checkpoint.tensors)
        self.step = checkpoint.facts["step"]
        self._threads |= frozenset(checkpoint.facts["threads"])

    def _work(self) -> str:
        task = self._task
        return fingerprint(
            algorithm="distilled",
            settings=task.settings.record(),
            seed=task.seed,
            target=dataclasses.asdict(task.target),
            layout=self._masks.layout,
            norms=list(self._norms.trained),
            samples=(len(task.pool), len(task.validation)),
            input=dataclasses.asdict(task.input_spec),
            device=task.device.type,
        )


def _stream(step: int) -> str:
    return f"step {step}"
