"""Budgets: files are timed before anything learns, and what nothing meets is refused with what came nearest."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modelfoundry.core.channels import cut, plan_channels, plan_cuts, with_projections
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.metrics import cost
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.specialise import SpecialiseSettings, budgets, choosing
from modelfoundry.decomposer.algorithms.specialise.candidates import structures, weighed, worthwhile
from modelfoundry.decomposer.algorithms.specialise.choosing import choose
from modelfoundry.decomposer.algorithms.specialise.files import (
    base_file,
    file_accuracy,
    shares_of_time,
    trial_file,
)
from modelfoundry.decomposer.algorithms.specialise.frontier import Point, frontier_lines
from modelfoundry.decomposer.algorithms.specialise.saliency import first_units
from modelfoundry.decomposer.algorithms.specialise.structure import Structure, Tier, group_widths, tiers_of
from modelfoundry.decomposer.algorithms.specialise.work import Work
from modelfoundry.errors import Cancelled, ConstraintUnmet
from modelfoundry.values.architectures import InputSpec
from modelfoundry.values.file_forms import Compute, WeightFormat

SPEC = InputSpec(3, 8, 8)
QUICK = SpecialiseSettings(steps=1, views=64, batch_size=8, precision="float32", seconds=1.0)


def work(network: nn.Module, **changes: Any) -> Work:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (96, 3, 8, 8), generator=generator, dtype=torch.uint8)
    labels = torch.arange(96) % 4
    projected = with_projections(network, SPEC)[0].requires_grad_(False)
    return Work(
        network=projected,
        plan=plan_channels(projected, SPEC),
        target=Target(4, (3,), True),
        train=ImageSet(pixels, labels),
        validation=ImageSet(pixels[:24], (labels[:24] != 3).long()),
        input_spec=SPEC,
        settings=dataclasses.replace(QUICK, **changes),
        seed=0,
        device=torch.device("cpu"),
        precision="float32",
        monitor=Unwatched(),
    )


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes and times that follow from the widths, so that no test waits for files or depends on a clock."""
    monkeypatch.setattr(choosing, "base_file", lambda _: b"base")
    monkeypatch.setattr(choosing, "trial_file", lambda network, _: b"x" * sum(p.numel() for p in network.parameters()))
    monkeypatch.setattr(choosing, "shares_of_time", lambda _, files, __: [len(file) / 200_000 for file in files])


def test_all_combinations_are_weighed_where_they_are_few() -> None:
    tiers = [Tier(16, ("a",)), Tier(32, ("b",))]
    found = set(structures(tiers, 3))
    widths = [(first, second) for first in (8, 16) for second in (8, 16, 24, 32)]
    assert found == {Structure(each, left_out) for each in widths for left_out in range(4)}


def test_of_many_blocks_some_numbers_are_weighed() -> None:
    counts = {structure.left_out for structure in structures([Tier(8, ("a",))], 24)}
    assert counts == {0, 3, 6, 9, 12, 15, 18, 21, 24}


def test_many_tiers_are_narrowed_alike() -> None:
    tiers = [Tier(64 * 2**place, (str(place),)) for place in range(4)]
    found = list(structures(tiers, 0))
    assert len(found) <= 8
    assert Structure((32, 64, 128, 256)) in found


def test_only_what_is_not_beaten_is_worth_while() -> None:
    points = [
        Point(Structure((width,)), macs, lost) for width, macs, lost in ((8, 0.2, 0.5), (16, 0.4, 0.6), (24, 0.5, 0.1))
    ]
    assert [point.structure.widths for point in worthwhile(points)] == [(8,), (24,)]


@pytest.mark.usefixtures("untimed")
def test_what_loses_least_within_the_budgets_comes_first(network: nn.Module) -> None:
    choice = choose(work(network, max_macs=0.5, max_bytes=60_000))
    assert all(point.macs <= 0.5 and point.bytes <= 60_000 for point in choice.fitting)
    assert [point.lost for point in choice.fitting] == sorted(point.lost for point in choice.fitting)
    assert len(choice.timed) <= 8


@pytest.mark.usefixtures("untimed")
@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ({"max_bytes": 10}, r"max_bytes: no structure .* has [0-9,]+ bytes, [0-9,]+ too many"),
        ({"max_latency": 1e-6}, r"max_latency: no structure .* takes [0-9.]+% of the model's time, [0-9.]+% of it"),
        ({"max_macs": 1e-6}, r"max_macs: no structure .* has [0-9.]+% of the multiply-accumulates"),
    ],
    ids=["bytes", "time", "multiply-accumulates"],
)
def test_a_budget_that_nothing_meets_is_refused_with_what_came_nearest(
    network: nn.Module, budget: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConstraintUnmet, match=message):
        choose(work(network, **budget))


@pytest.mark.usefixtures("untimed")
def test_an_accuracy_that_nothing_reaches_is_refused_with_what_came_nearest(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "file_of", lambda *_: b"file")
    monkeypatch.setattr(budgets, "file_accuracy", lambda *_: 0.625)
    with pytest.raises(ConstraintUnmet, match=r"reaches 90.00% .* with 62.50%, 27.50% below"):
        budgets.specialised(work(network, max_macs=0.3, min_accuracy="0.9"), 1.0, None)


@pytest.mark.usefixtures("untimed")
def test_the_cheapest_that_is_good_enough_is_taken(network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = itertools.chain([0.5], itertools.repeat(0.9))
    monkeypatch.setattr(budgets, "file_of", lambda *_: b"file")
    monkeypatch.setattr(budgets, "file_accuracy", lambda *_: next(reached))
    outcome = budgets.specialised(work(network, max_macs=0.6, min_accuracy="0.75"), 1.0, None)
    taken = [line for line in outcome.notes if line.endswith("<- taken")]
    assert len(taken) == 1
    assert "90.00" in taken[0]
    assert taken[0].startswith(outcome.found.decided.widths)
    frontier = outcome.frontier
    assert frontier is not None
    assert (frontier.weights, frontier.compute) == (WeightFormat.INT8, Compute.INT8)
    assert frontier.taken is not None
    assert (frontier.taken.accuracy, frontier.taken.bytes) == (0.9, len(b"file"))
    assert [point.latency for point in frontier.points] == sorted(point.latency for point in frontier.points)
    assert [point.accuracy for point in frontier.points if not point.taken and point.accuracy] == [0.5]
    assert "reaches 75.00%" in frontier.reason


@pytest.mark.usefixtures("untimed")
def test_without_an_accuracy_the_record_says_that_the_least_lossy_was_taken(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "file_of", lambda *_: b"file")
    monkeypatch.setattr(budgets, "file_accuracy", lambda *_: 0.5)
    settings = {"max_macs": 0.6, "compute": "fp32", "weights": "fp16"}
    frontier = budgets.specialised(work(network, **settings), 1.0, None).frontier
    assert frontier is not None
    assert frontier.taken is not None
    assert frontier.taken.lost == min(point.lost for point in frontier.points if point.macs <= 0.6)
    assert (frontier.weights, frontier.compute) == (WeightFormat.FP16, Compute.FP32)
    assert "loses the least" in frontier.reason


class Stopping(Unwatched):
    """Keeps the state after some steps, and stops then."""

    def __init__(self, path: Path) -> None:
        self.path, self.left = path, 4

    def checkpoint(self, write: Callable[[Path], None]) -> None:
        self.left -= 1
        if not self.left:
            write(self.path)
            raise Cancelled("enough")


@pytest.mark.usefixtures("untimed")
def test_a_search_within_budgets_goes_on_where_it_stopped(
    network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "file_of", lambda *_: b"file")
    monkeypatch.setattr(budgets, "file_accuracy", lambda *_: 0.9)
    asked = work(network, max_macs=0.4, steps=7)
    whole = budgets.specialised(asked, 1.0, None).found
    with pytest.raises(Cancelled):
        budgets.specialised(dataclasses.replace(asked, monitor=Stopping(tmp_path / "state")), 1.0, None)
    resumed = budgets.specialised(asked, 1.0, tmp_path / "state").found
    assert resumed.decided == whole.decided
    assert all(torch.equal(tensor, whole.tensors[name]) for name, tensor in resumed.tensors.items())


@pytest.mark.usefixtures("untimed")
def test_structures_that_learn_share_the_seconds_that_are_left(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[float] = []

    class Noted:
        def __init__(self, some: Work) -> None:
            given.append(some.settings.seconds)
            some.clock.add(20.0)

        def run(self) -> None:
            return None

    asked = work(network, max_macs=0.6, min_accuracy="0.9", seconds=100.0)
    asked.clock.add(10.0)
    monkeypatch.setattr(budgets, "Specialisation", Noted)
    monkeypatch.setattr(budgets, "_measured", lambda _, point, __: dataclasses.replace(point, accuracy=0.5))
    with pytest.raises(ConstraintUnmet):
        budgets.specialised(asked, 1.0, None)
    # 10 of 100 are spent: 30 for the first of three, which leave 70 behind it, less what it takes to choose.
    assert given == pytest.approx([40.0, 65.0, 100.0], abs=8.0)


@pytest.mark.usefixtures("untimed")
def test_structures_too_heavy_for_the_file_are_not_written(network: nn.Module) -> None:
    choice = choose(work(network, max_bytes=30_000))
    assert all(point.weights <= 30_000 for point in choice.timed)
    assert choice.fitting[0].lost == min(point.lost for point in choice.timed)


def test_files_are_written_in_the_numbers_that_are_asked_for_and_timed(network: nn.Module) -> None:
    whole = work(network)
    small = trial_file(cut_to(whole, (16, 16, 16)), whole)
    assert shares_of_time(base_file(whole), [small], whole)[0] > 0
    kept = work(network, compute="fp32", weights="int8")
    assert len(trial_file(cut_to(kept, (16, 16, 16)), kept)) < len(base_file(kept)) / 8
    assert 0 <= file_accuracy(small, whole) <= 1


def cut_to(some: Work, widths: tuple[int, ...]) -> nn.Module:
    plan = plan_channels(some.network, SPEC)
    return cut(some.network, plan_cuts(plan, first_units(plan, group_widths(plan, tiers_of(plan), widths)))).eval()


def test_multiply_accumulates_of_candidates_are_those_of_the_network(network: nn.Module) -> None:
    some = work(network)
    plan = plan_channels(some.network, SPEC)
    scores = {group.name: torch.ones(group.units) for group in plan.groups}
    (point,) = weighed(some, tiers_of(plan), scores, (), iter([Structure((8, 16, 24))]))
    whole, small = (cost(each, SPEC).macs_dense for each in (some.network, cut_to(some, (8, 16, 24))))
    assert point.macs == pytest.approx(small / whole)
    assert 0 < point.lost < 1


def test_points_are_shown_fastest_first() -> None:
    points = [Point(Structure((32,)), 0.5, 0.1, 2048, 0.5, 0.975), Point(Structure((16,), 1), 0.25, 0.2, 1024, 0.25)]
    head, first, second, base = frontier_lines(points, Structure((32,)), 0.99)
    assert first.startswith("16, 1 blocks fewer")
    assert second.endswith("<- taken")
    assert "97.50" in second
    assert first.count("#") < second.count("#")
    assert base.endswith("99.00")
    assert "accuracy" in head


def test_tiers_of_the_network_are_known(network: nn.Module) -> None:
    assert [tier.units for tier in tiers_of(plan_channels(work(network).network, SPEC))] == [16, 32, 64]
