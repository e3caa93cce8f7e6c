"""The loop that searches share: epochs, what becomes of each, and a state to go on from after every one.

An algorithm brings what an epoch trains and what it finds (`EpochSearch`), and a rule by which an epoch is chosen on
validation data (`Selection`). The loop keeps copies of the chosen epochs, the history and the checkpoints, so that a
search that was stopped ends with the bits of one that never was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import torch
from torch import Tensor

from modelfoundry.core.checkpoints import Checkpoint, fingerprint, read_checkpoint, write_checkpoint
from modelfoundry.core.finite import finite_loss
from modelfoundry.core.monitor import Monitor

Batch = TypeVar("Batch")
Watch = Callable[[Iterable[Batch]], Iterator[Batch]]


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """What an epoch did."""

    epoch: int
    """From 0."""
    phase: str
    """What was trained, for example `masks and head`."""
    loss: float
    """Mean cross entropy of the epoch's batches, plus what the algorithm adds for the kept share at its end."""
    accuracy: float
    """On validation data after the epoch, in [0, 1]."""
    retention: float
    """Kept share of weights or kernels after the epoch, in [0, 1]."""
    accepted: bool
    """It became the best so far."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an epoch came to, before it is decided what becomes of it."""

    loss: float
    """As in `EpochRecord`."""
    accuracy: float
    """On validation data, in [0, 1]."""
    kept: int
    """Kept weights or kernels."""
    retention: float
    """Their share, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of an epoch."""

    accepted: bool
    """It is the best so far of those that are good enough."""
    fallback: bool = False
    """It is the best so far of all: what is taken when none is ever good enough."""
    stop: bool = False
    """No more epochs."""


class Selection(Protocol):
    """A rule that chooses an epoch; a dataclass whose fields are its memory."""

    base_accuracy: float
    """Accuracy of the untouched base on the same validation images, in [0, 1]."""

    def observe(self, accuracy: float, kept: int) -> Verdict:
        """Takes notice of an epoch.

        Args:
            accuracy: On validation data, in [0, 1].
            kept: Number of kept weights or kernels.
        """


class EpochSearch(Protocol):
    """A search between two epochs, as an algorithm has it."""

    epochs: int
    """At most."""
    steps: int
    """Batches of an epoch."""
    retention_name: str
    """How progress calls the kept share: `weight_retention` or `kernel_retention`."""

    def phase(self, epoch: int) -> str:
        """What an epoch trains, for people."""

    def run_epoch(self, epoch: int, watch: Watch[Any]) -> Measured:
        """Trains one epoch and measures it on validation data.

        Args:
            epoch: From 0.
            watch: Batches go through it: it reports each, and ends the work when it is cancelled.
        """

    def found(self) -> Mapping[str, Tensor]:
        """A copy of what the epoch found, on the CPU: later epochs do not reach it."""

    def state(self) -> Mapping[str, Tensor]:
        """Everything that training goes on from, apart from random numbers, which follow from seed and epoch."""

    def restore(self, tensors: Mapping[str, Tensor], epochs_run: int) -> None:
        """Goes to where `state` was taken, after so many epochs (1 or more)."""

    def work(self) -> Mapping[str, object]:
        """Facts that decide how the search goes, so that no other search is taken up by mistake."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an epoch found."""

    epoch: int
    accuracy: float
    """On validation data, in [0, 1]."""
    found: Mapping[str, Tensor]

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """What `from_tensors` reads, named `prefix.*`."""
        return {
            # Cloned: the same snapshot may stand under two prefixes.
            **{f"{prefix}.{name}": value.clone() for name, value in self.found.items()},
            f"{prefix}.epoch": torch.tensor(self.epoch),
            f"{prefix}.accuracy": torch.tensor(self.accuracy, dtype=torch.float64),
        }

    @classmethod
    def from_tensors(cls, prefix: str, tensors: Mapping[str, Tensor]) -> Snapshot | None:
        """Reads what `tensors` wrote; None when there is nothing under that prefix."""
        own = {
            name.removeprefix(f"{prefix}."): value for name, value in tensors.items() if name.startswith(f"{prefix}.")
        }
        if not own:
            return None
        epoch, accuracy = int(own.pop("epoch")), float(own.pop("accuracy"))
        return cls(epoch, accuracy, own)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a loop ended with."""

    snapshot: Snapshot
    """Of the chosen epoch."""
    fell_back: bool
    """No epoch was good enough; this is the best of all."""
    history: tuple[EpochRecord, ...]


SNAPSHOTS: Final = ("accepted", "fallback")


class EpochLoop:
    """Epochs of a search, one after another.

    Args:
        search: What is trained and measured.
        selection: How an epoch is chosen.
        monitor: Told of every step, asked before every step whether to go on, offered a checkpoint after every epoch.
    """

    def __init__(self, search: EpochSearch, selection: Selection, monitor: Monitor) -> None:
        self._search, self._selection, self._monitor = search, selection, monitor
        self._history: list[EpochRecord] = []
        self._snapshots: dict[str, Snapshot] = {}
        self._stopped = False

    def run(self, resume: Path | None = None) -> Chosen:
        """Runs all epochs that are left.

        Args:
            resume: Checkpoint to go on from.

        Raises:
            NonFiniteOutputs: it diverges.
            Cancelled: the monitor says so.
            MalformedFile: the checkpoint is damaged or of another search.
        """
        if resume is not None:
            self._restore(resume)
        while not self._stopped and len(self._history) < self._search.epochs:
            self._run_epoch()
            self._monitor.checkpoint(self._save)
        snapshot = self._snapshots.get("accepted") or self._snapshots.get("fallback")
        if snapshot is None:
            raise RuntimeError("a search has no result before its first epoch")
        return Chosen(snapshot, "accepted" not in self._snapshots, tuple(self._history))

    def _run_epoch(self) -> None:
        """Trains one epoch, measures it on validation data, and decides what becomes of it."""
        epoch, phase = len(self._history), self._search.phase(len(self._history))
        measured = self._search.run_epoch(epoch, self._watched)
        finite_loss(measured.loss, f"the search in epoch {epoch} ({phase})")
        verdict = self._selection.observe(measured.accuracy, measured.kept)
        if verdict.accepted or verdict.fallback:
            snapshot = Snapshot(epoch, measured.accuracy, self._search.found())
            self._snapshots |= {"accepted": snapshot} if verdict.accepted else {}
            self._snapshots |= {"fallback": snapshot} if verdict.fallback else {}
        self._stopped = verdict.stop
        self._history.append(
            EpochRecord(epoch, phase, measured.loss, measured.accuracy, measured.retention, accepted=verdict.accepted)
        )
        self._report(phase, 0)

    def _watched(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        phase = self._search.phase(len(self._history))
        for step, batch in enumerate(batches):
            self._monitor.check_cancelled()
            self._report(phase, step)
            yield batch

    def _report(self, phase: str, step: int) -> None:
        """Tells of a step of the epoch behind the history."""
        search, epoch = self._search, len(self._history)
        metrics = {"epoch": float(epoch)}
        if self._history:
            last = self._history[-1]
            metrics |= {"loss": last.loss, "accuracy": last.accuracy, search.retention_name: last.retention}
        self._monitor.progress(phase, epoch * search.steps + step, search.epochs * search.steps, "step", metrics)

    def _save(self, path: Path) -> None:
        """Writes everything that `_restore` needs."""
        tensors = dict(self._search.state())
        for prefix, snapshot in self._snapshots.items():
            tensors |= snapshot.tensors(prefix)
        facts = {
            "selection": dataclasses.asdict(self._selection),  # type: ignore[call-overload]  # every rule is a dataclass
            "history": [dataclasses.asdict(record) for record in self._history],
            "stopped": self._stopped,
        }
        write_checkpoint(path, Checkpoint(self._work(), tensors, facts))

    def _restore(self, path: Path) -> None:
        """Goes to where `_save` was called."""
        checkpoint = read_checkpoint(path, self._work())
        tensors, facts = checkpoint.tensors, checkpoint.facts
        self._history = [EpochRecord(**record) for record in facts["history"]]
        self._search.restore(tensors, len(self._history))
        found = {prefix: Snapshot.from_tensors(prefix, tensors) for prefix in SNAPSHOTS}
        self._snapshots = {prefix: snapshot for prefix, snapshot in found.items() if snapshot is not None}
        self._selection = type(self._selection)(**facts["selection"])
        # Checkpoints of before searches shared this loop lack it where nothing ever stopped early.
        self._stopped = facts.get("stopped", False)

    def _work(self) -> str:
        return fingerprint(**self._search.work())
