"""Seconds: what they are worth in steps is planned twice, and what was run is recorded."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from modelfoundry.core.channels import plan_channels, with_projections
from modelfoundry.core.datasets import ImageSet
from modelfoundry.core.monitor import Unwatched
from modelfoundry.decomposer.algorithms.distilling.odds import Target
from modelfoundry.decomposer.algorithms.specialise import SpecialiseSettings, search
from modelfoundry.decomposer.algorithms.specialise.search import Specialisation
from modelfoundry.decomposer.algorithms.specialise.timing import first_steps, planned_anew, steps_for
from modelfoundry.decomposer.algorithms.specialise.work import Clock, Decided, Work
from modelfoundry.values.architectures import InputSpec

SPEC = InputSpec(3, 8, 8)


class Stopped(Clock):
    """Always says that nothing was computed."""

    @property
    def seconds(self) -> float:
        return 0.0


@given(steps=st.integers(5, 1_000_000))
def test_the_first_round_has_a_tenth_to_a_fifth_of_the_steps(steps: int) -> None:
    assert steps / 10 < first_steps(steps) <= steps / 5


@given(steps=st.integers(1, 1_000_000), second=st.integers(1, 1_000_000))
def test_a_second_plan_leaves_the_first_round_as_it_was(steps: int, second: int) -> None:
    assert first_steps(planned_anew(steps, second)) == first_steps(steps)


def test_a_second_plan_takes_the_steps_that_there_is_time_for() -> None:
    assert planned_anew(930, 700) == 128 + 700
    assert planned_anew(930, 100) == 640
    assert planned_anew(930, 5000) == 1279


def test_steps_are_as_many_as_seconds_are_enough_for() -> None:
    assert steps_for(100.0, 0.2, 0.1) == 869
    assert steps_for(-5.0, 0.2, 0.1) == 1


def test_a_clock_counts_what_was_computed_before() -> None:
    clock = Clock()
    clock.add(100.0)
    assert 100 <= clock.seconds < 200


def test_the_second_round_has_what_the_first_has_left(
    network: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = ((images + 1) * 127.5).to(torch.uint8).repeat(4, 1, 1, 1)
    labels = torch.arange(len(pixels)) % 4
    projected = with_projections(network, SPEC)[0].requires_grad_(False)
    work = Work(
        network=projected,
        plan=plan_channels(projected, SPEC),
        target=Target(4, (3,), True),
        train=ImageSet(pixels, labels),
        validation=ImageSet(pixels[:48], (labels[:48] != 3).long()),
        input_spec=SPEC,
        settings=SpecialiseSettings(seconds=1000.0, batch_size=8, precision="float32"),
        seed=0,
        device=torch.device("cpu"),
        precision="float32",
        monitor=Unwatched(),
        clock=Stopped(),
    )
    monkeypatch.setattr(search, "decide", lambda _: Decided("8-16-32", (), 30, 64))
    monkeypatch.setattr(search, "seconds_a_step", lambda *_: 2.0)
    monkeypatch.setattr(search, "seconds_to_finish", lambda *_: 952.0)
    found = Specialisation(work).run()
    assert found.decided.steps == first_steps(30) + 24
    again = dataclasses.replace(work, settings=dataclasses.replace(work.settings, steps=28, widths="8-16-32", views=64))
    monkeypatch.undo()
    repeated = Specialisation(again).run()
    assert repeated.decided.steps == 28
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in repeated.tensors.items())
