"""A small network for some labels: decided, cut in two rounds, distilled in between and behind.

The first cut goes half-way, what is left learns a little, is scored again and cut to its widths, and learns on while
the learning rate falls to 0. The last step is taken, so validation images serve for the threshold alone. Between two
steps everything that follows is known from cuts, weights and the optimiser's memory: that is a checkpoint.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from modelfoundry.core.channels import Bypass, KeptChannels, joined_cuts, plan_channels
from modelfoundry.core.channels import LayerCut as Cut
from modelfoundry.core.checkpoints import Checkpoint, fingerprint, read_checkpoint, write_checkpoint
from modelfoundry.core.devices import stream_seed
from modelfoundry.core.finite import finite_loss
from modelfoundry.core.heads import LogOddsHead
from modelfoundry.core.inference import predict_logits
from modelfoundry.core.modules.head_networks import network_of_head
from modelfoundry.decomposer.algorithms.distilling.pool import ViewPool
from modelfoundry.decomposer.algorithms.distilling.threshold import fit_threshold
from modelfoundry.decomposer.algorithms.specialise.deciding import decide
from modelfoundry.decomposer.algorithms.specialise.learning import Round, renew_statistics
from modelfoundry.decomposer.algorithms.specialise.lessons import Lessons
from modelfoundry.decomposer.algorithms.specialise.rounds import narrowed_to, score
from modelfoundry.decomposer.algorithms.specialise.structure import group_widths, halfway, tiers_of
from modelfoundry.decomposer.algorithms.specialise.timing import (
    first_steps,
    planned_anew,
    seconds_a_step,
    seconds_to_finish,
)
from modelfoundry.decomposer.algorithms.specialise.widths import widths_of_text
from modelfoundry.decomposer.algorithms.specialise.work import Decided, Shape, Work, float_state

_STATISTICS: Final = (8, 256)
"""Batches and views of each that statistics are taken from at the end."""
_NARROW: Final = 16.0
"""Tensors of numbers up to this are stored in 16 bits."""
_DECIDED: Final = frozenset({"widths", "left_out", "seconds"})
"""Settings that budgets have decided when a state is written, and have not when it is read: the state says them."""
_ROUNDS: Final = ("first round", "second round")


@dataclass(frozen=True, eq=False, slots=True)
class Specialised:
    """What a specialisation found."""

    shape: Shape
    tensors: Mapping[str, Tensor]
    """All parameters and statistics of the small network, float16 or float32, on the CPU."""
    head: LogOddsHead
    """With the fitted threshold."""
    validation_accuracy: float
    """On the images that the threshold was fitted on, in [0, 1]."""
    decided: Decided
    threads: frozenset[int]
    """Numbers of threads that steps were computed with."""


class Specialisation:
    """A small network between two steps of its making.

    Args:
        work: What is done.
        resume: Checkpoint to go on from.

    Raises:
        UnsupportedModel: no channel of the base can be cut.
        InvalidField: the widths that are asked for are none of the base's.
        Cancelled: the monitor says so.
        MalformedFile: the checkpoint is damaged or of another search.
    """

    def __init__(self, work: Work, resume: Path | None = None) -> None:
        self._work = work
        self._threads = frozenset({torch.get_num_threads()})
        self._round = 0
        self._bypasses: tuple[Bypass, ...] = ()
        self._cuts: tuple[Cut, ...] = ()
        if resume is None:
            self._begin(decide(work))
        else:
            self._restore(read_checkpoint(resume, self._fingerprint()))

    def _begin(self, decided: Decided) -> None:
        self._decided = decided
        self._lessons = self._new_lessons()
        self._lessons.pool.fill(self._views_ahead(0, 0), self._work.monitor)
        self._bypasses = tuple(map(Bypass, self._decided.left_out))
        self._enter(Shape(self._bypasses).of(self._work.network), self._work.network)

    def _new_lessons(self) -> Lessons:
        work, settings = self._work, self._work.settings
        pool = ViewPool(
            work.network,
            work.train,
            work.input_spec,
            augmentation=work.augmentation,
            seed=stream_seed(work.seed, "pool"),
            device=work.device,
            precision=work.precision,
            common=self._decided.views,
            shelf=work.shelf,
        )
        flips = work.augmentation == "crop_flip"
        return Lessons(pool, work.target, batch_size=settings.batch_size, flips=flips, seed=work.seed)

    def _views_ahead(self, round_: int, step: int) -> Iterator[Tensor]:
        """The views that every step to come draws."""
        return chain.from_iterable(
            (
                views
                for number, views in enumerate(self._lessons.views(_ROUNDS[each], self._steps[each]))
                if each > round_ or number >= step
            )
            for each in range(round_, 2)
        )

    @property
    def _steps(self) -> tuple[int, int]:
        first = first_steps(self._decided.steps)
        return first, self._decided.steps - first

    def _enter(self, network: nn.Module, reference: nn.Module) -> None:
        """Cuts the network for the round that begins, and has it learn in it."""
        work = self._work
        whole = self._round == 0 and not self._bypasses
        plan = work.plan if whole else plan_channels(network, work.input_spec)
        if self._round == 0:
            self._widths = group_widths(plan, tiers_of(work.plan), widths_of_text(self._decided.widths))
        through = self._round == 1 or not self._steps[0]
        widths = self._widths if through else halfway(plan, self._widths)
        scores = score(network, plan, self._lessons, work, self._round)
        smaller, cuts = narrowed_to(network, reference, plan, widths, scores, self._lessons, work, self._round)
        self._cuts = joined_cuts(self._cuts, cuts)
        self._round = 1 if through else 0
        if self._round and work.settings.seconds and not work.settings.steps:
            self._plan_anew(smaller)
        self._learning = self._new_round(smaller)

    def _plan_anew(self, network: nn.Module) -> None:
        """Gives the second round the steps that there are seconds left for."""
        work = self._work
        step = seconds_a_step(network, work, lambda: self._lessons.batch(_ROUNDS[1], 0)[0])
        ending = seconds_to_finish(network, work, math.prod(_STATISTICS))
        left = work.settings.seconds - work.clock.seconds - ending
        steps = planned_anew(self._decided.steps, max(1, math.floor(left / step)))
        self._decided = dataclasses.replace(self._decided, steps=steps)
        self._lessons.pool.fill(self._views_ahead(1, 0), work.monitor)

    def _new_round(self, network: nn.Module) -> Round:
        work = self._work
        return Round(
            network,
            self._lessons,
            work.head,
            stream=_ROUNDS[self._round],
            steps=max(1, self._steps[self._round]),
            rate=work.settings.lr,
            falls=self._round == 1,
            temperature=work.settings.temperature,
            precision=work.precision,
            device=work.device,
        )

    def run(self) -> Specialised:
        """Runs all steps that are left.

        Raises:
            Cancelled: the monitor says so.
            DatasetMismatch: too few validation images for a threshold.
        """
        monitor = self._work.monitor
        while self._round == 0 or self._learning.step < self._steps[1]:
            if self._learning.step >= self._steps[self._round]:
                self._round = 1
                network = self._learning.network.eval().requires_grad_(False)
                self._enter(network, network)
                continue
            monitor.check_cancelled()
            loss = finite_loss(self._learning.run_step(), f"the learning in step {self._learning.step + 1}")
            done = self._learning.step + (self._steps[0] if self._round else 0)
            monitor.progress(_ROUNDS[self._round], done, self._decided.steps, "step", {"loss": loss})
            monitor.checkpoint(self._save)
        return self._result()

    def _result(self) -> Specialised:
        """What the last step left, with statistics and threshold of its own, as it is stored."""
        work, network = self._work, self._learning.network.requires_grad_(False)
        count, size = _STATISTICS
        if self._decided.steps:
            renew_statistics(network, (self._watched_inputs(f"statistics {batch}", size) for batch in range(count)))
        network.eval()
        tensors = {name: _narrowed(tensor) for name, tensor in float_state(network).items()}
        network.load_state_dict({name: tensor.to(work.device) for name, tensor in tensors.items()}, strict=False)
        logits = predict_logits(
            network,
            work.validation.images,
            work.input_spec,
            batch_size=size,
            device=work.device,
            monitor=work.monitor,
            channels_last=True,
        )
        right = work.validation.labels
        with torch.no_grad():
            outputs = network_of_head(work.target.head())(logits)
            head = work.target.head(fit_threshold(outputs, right, work.target))
            answers = network_of_head(head)(logits).argmax(dim=1)
        return Specialised(
            shape=Shape(self._bypasses, self._cuts),
            tensors=tensors,
            head=head,
            validation_accuracy=float((answers == right).float().mean()),
            decided=self._decided,
            threads=self._threads,
        )

    def _watched_inputs(self, stream: str, count: int) -> Tensor:
        self._work.monitor.check_cancelled()
        return self._lessons.inputs(stream, count)

    def _save(self, path: Path) -> None:
        """Writes everything that `_restore` needs; random numbers need nothing, they follow from seed and step."""
        cuts = {f"cuts.{cut.layer}.{side}": kept.stays for cut, side, kept in _sides(self._cuts)}
        facts: dict[str, Any] = {
            "decided": dataclasses.asdict(self._decided),
            "widths": self._widths,
            "layers": [cut.layer for cut in self._cuts],
            "round": self._round,
            "step": self._learning.step,
            "threads": sorted(self._threads),
            "spent": self._work.clock.seconds,
        }
        write_checkpoint(path, Checkpoint(self._fingerprint(), {**self._learning.state(), **cuts}, facts))

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Goes to where `_save` was called."""
        facts, tensors = checkpoint.facts, checkpoint.tensors
        decided = dict(facts["decided"])
        self._decided = Decided(**{**decided, "left_out": tuple(decided["left_out"])})
        self._widths, self._round = facts["widths"], facts["round"]
        self._threads |= frozenset(facts["threads"])
        self._work.clock.add(facts["spent"])
        self._bypasses = tuple(map(Bypass, self._decided.left_out))

        def side(layer: str, name: str) -> KeptChannels | None:
            stays = tensors.get(f"cuts.{layer}.{name}")
            return None if stays is None else KeptChannels.of(stays)

        self._cuts = tuple(Cut(layer, side(layer, "inputs"), side(layer, "outputs")) for layer in facts["layers"])
        self._lessons = self._new_lessons()
        self._lessons.pool.fill(self._views_ahead(self._round, facts["step"]), self._work.monitor)
        self._learning = self._new_round(Shape(self._bypasses, self._cuts).of(self._work.network))
        self._learning.restore(tensors, facts["step"])

    def _fingerprint(self) -> str:
        work = self._work
        return fingerprint(
            algorithm="specialise 2",
            settings={name: value for name, value in work.settings.record().items() if name not in _DECIDED},
            seed=work.seed,
            target=dataclasses.asdict(work.target),
            samples=(len(work.train), len(work.validation)),
            layout=[(name, tuple(tensor.shape)) for name, tensor in work.network.state_dict().items()],
            input=dataclasses.asdict(work.input_spec),
            precision=work.precision,
            augmentation=work.augmentation,
            device=work.device.type,
        )


def _sides(cuts: tuple[Cut, ...]) -> Iterator[tuple[Cut, str, KeptChannels]]:
    for cut in cuts:
        for side in ("inputs", "outputs"):
            kept = getattr(cut, side)
            if kept is not None:
                yield cut, side, kept


def _narrowed(values: Tensor) -> Tensor:
    """float16 where that is exact enough, else float32."""
    return values.half() if float(values.abs().max()) <= _NARROW else values.float().clone()
