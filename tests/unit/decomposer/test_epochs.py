"""The loop of epochs by itself, with a search that counts and a rule that is told what to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modelfoundry.core.checkpoints import read_checkpoint, write_checkpoint
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.epochs import Chosen, EpochLoop, Measured, Verdict
from modelfoundry.errors import Cancelled, MalformedFile

NOTHING, ACCEPTED, FALLBACK = Verdict(accepted=False), Verdict(accepted=True), Verdict(accepted=False, fallback=True)
BOTH, STOP = Verdict(accepted=True, fallback=True), Verdict(accepted=False, stop=True)


class Counting:
    """Counts batches; what it finds is the count, in one tensor that it goes on changing."""

    steps = 3
    retention_name = "weight_retention"

    def __init__(self, epochs: int = 5, name: str = "counting") -> None:
        self.epochs, self._name = epochs, name
        self.count = torch.zeros(1)

    def phase(self, epoch: int) -> str:
        return "even" if epoch % 2 == 0 else "odd"

    def run_epoch(self, epoch: int, watch: Callable[[Iterable[int]], Iterator[int]]) -> Measured:
        for _ in watch(range(self.steps)):
            self.count += 1
        return Measured(loss=-float(epoch), accuracy=float(self.count) / 100, kept=epoch, retention=epoch / 10)

    def found(self) -> Mapping[str, Tensor]:
        return {"count": self.count.clone()}

    def state(self) -> Mapping[str, Tensor]:
        return {"now": self.count}

    def restore(self, tensors: Mapping[str, Tensor], epochs_run: int) -> None:
        self.count = tensors["now"].clone()
        assert float(self.count) == self.steps * epochs_run

    def work(self) -> Mapping[str, object]:
        return {"name": self._name}


@dataclass
class Told:
    """Says what it was told, epoch by epoch."""

    verdicts: Any
    base_accuracy: float = 0.5
    observed: int = 0

    def observe(self, accuracy: float, kept: int) -> Verdict:
        assert kept == self.observed
        self.observed += 1
        accepted, fallback, stop = self.verdicts[self.observed - 1]
        return Verdict(accepted, fallback, stop)


def told(*verdicts: Verdict) -> Told:
    """As JSON keeps it in a checkpoint."""
    return Told([[one.accepted, one.fallback, one.stop] for one in verdicts])


class Watching(Unwatched):
    def __init__(self, folder: Path | None = None, cancel_in_step: int | None = None) -> None:
        self.folder, self.cancel_in_step = folder, cancel_in_step
        self.told: list[tuple[str, int, int, dict[str, float]]] = []
        self.paths: list[Path] = []

    def progress(self, phase: str, done: int, total: int, unit: str, metrics: Mapping[str, float]) -> None:
        assert unit == "step"
        self.told.append((phase, done, total, dict(metrics)))

    def check_cancelled(self) -> None:
        if len(self.told) == self.cancel_in_step:
            raise Cancelled("enough")

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        if self.folder is not None:
            self.paths.append(self.folder / str(len(self.paths)))
            write(self.paths[-1])


def run(*verdicts: Verdict, monitor: Unwatched | None = None, resume: Path | None = None, **search: Any) -> Chosen:
    return EpochLoop(Counting(**search), told(*verdicts), monitor or Unwatched()).run(resume)


def chosen(found: Chosen) -> tuple[int, float, bool]:
    return found.snapshot.epoch, float(found.snapshot.found["count"]), found.fell_back


CHOICES = {
    "the last accepted": ([ACCEPTED, NOTHING, ACCEPTED, NOTHING, NOTHING], (2, 9.0, False)),
    "an accepted one before any fallback": ([FALLBACK, ACCEPTED, FALLBACK, FALLBACK, NOTHING], (1, 6.0, False)),
    "the last fallback when none is accepted": ([FALLBACK, NOTHING, NOTHING, FALLBACK, NOTHING], (3, 12.0, True)),
    "one that is both": ([BOTH, NOTHING, NOTHING, NOTHING, NOTHING], (0, 3.0, False)),
}


@pytest.mark.parametrize(("verdicts", "expected"), CHOICES.values(), ids=CHOICES.keys())
def test_an_epoch_is_chosen_and_later_ones_do_not_touch_it(
    verdicts: list[Verdict], expected: tuple[int, float, bool], tmp_path: Path
) -> None:
    watching = Watching(tmp_path)
    whole = run(*verdicts, monitor=watching)
    assert chosen(whole) == expected
    for path in watching.paths:
        again = run(*verdicts, resume=path)
        assert (chosen(again), again.history) == (expected, whole.history)


def test_a_rule_that_stops_ends_the_search_and_so_does_its_checkpoint(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    verdicts = [FALLBACK, STOP, NOTHING, NOTHING, NOTHING]
    assert len(run(*verdicts, monitor=watching).history) == 2
    assert len(run(*verdicts, resume=watching.paths[-1]).history) == 2


def test_a_search_in_which_nothing_was_ever_kept_has_no_result() -> None:
    with pytest.raises(RuntimeError):
        run(*[NOTHING] * 5)


def test_every_step_is_told_with_the_figures_of_the_epoch_before() -> None:
    watching = Watching()
    run(BOTH, NOTHING, monitor=watching, epochs=2)
    assert [(phase, done, total) for phase, done, total, _ in watching.told] == [
        *(("even", step, 6) for step in range(3)),
        ("even", 3, 6),
        *(("odd", step, 6) for step in range(3, 6)),
        ("odd", 6, 6),
    ]
    assert watching.told[2][3] == {"epoch": 0.0}
    assert watching.told[5][3] == {"epoch": 1.0, "loss": 0.0, "accuracy": 0.03, "weight_retention": 0.0}


def test_it_is_cancelled_before_a_step_and_no_epoch_is_half_told(tmp_path: Path) -> None:
    watching = Watching(tmp_path, cancel_in_step=6)
    with pytest.raises(Cancelled):
        run(*[BOTH] * 5, monitor=watching)
    assert len(watching.paths) == 1


def test_a_checkpoint_of_other_work_is_refused(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    run(*[BOTH] * 5, monitor=watching)
    with pytest.raises(MalformedFile):
        run(*[BOTH] * 5, resume=watching.paths[0], name="other")


def test_a_checkpoint_of_before_searches_shared_the_loop_is_taken_up(tmp_path: Path) -> None:
    watching = Watching(tmp_path)
    whole = run(*[BOTH] * 5, monitor=watching)
    loop = EpochLoop(Counting(), told(*[BOTH] * 5), Unwatched())
    old = read_checkpoint(watching.paths[1], loop._work())
    facts = {name: value for name, value in old.facts.items() if name != "stopped"}
    write_checkpoint(tmp_path / "old", replace(old, facts=facts))
    assert chosen(loop.run(tmp_path / "old")) == chosen(whole)
