from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from modelfoundry.runtime.jobs.progress import ProgressMeter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr("modelfoundry.runtime.jobs.progress.time", clock)
    return clock


def test_only_news_is_told() -> None:
    meter = ProgressMeter()
    assert meter.news() is None
    meter.update("search", 1, 4, "epoch", {"loss": 0.5})
    progress = meter.news()
    assert (progress.phase, progress.fraction, progress.done_units, progress.unit) == ("search", 0.25, 1, "epoch")
    assert dict(progress.metrics) == {"loss": 0.5}
    assert meter.news() is None
    meter.forget_told()
    assert meter.news() == progress


def test_the_remaining_time_follows_the_pace_of_the_phase(clock) -> None:
    meter = ProgressMeter()
    meter.update("load", 0, 2, "file", {})
    clock.now += 500
    meter.update("search", 10, 100, "step", {})  # taken up again at step 10
    assert meter.news().remaining is None
    clock.now += 20
    meter.update("search", 20, 100, "step", {})
    assert meter.news().remaining == timedelta(seconds=160)


def test_a_phase_that_begins_again_has_a_new_pace(clock) -> None:
    meter = ProgressMeter()
    meter.update("epoch", 10, 10, "step", {})
    clock.now += 1000
    meter.update("epoch", 0, 10, "step", {})
    clock.now += 1
    meter.update("epoch", 1, 10, "step", {})
    assert meter.news().remaining == timedelta(seconds=9)


@pytest.mark.parametrize(("done", "total", "fraction"), [(5, 0, 0.0), (7, 5, 1.0), (-1, 5, 0.0), (5, 5, 1.0)])
def test_the_fraction_stays_a_fraction(done, total, fraction) -> None:
    meter = ProgressMeter()
    meter.update("p", done, total, "", {})
    assert meter.news().fraction == fraction


def test_progress_may_come_from_many_threads() -> None:
    meter = ProgressMeter()
    told = []

    def update() -> None:
        for done in range(2000):
            meter.update("p", done, 2000, "", {})

    threads = [threading.Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        told.append(meter.news())
    told.append(meter.news())
    assert [progress for progress in told if progress is not None][-1].done_units == 1999
