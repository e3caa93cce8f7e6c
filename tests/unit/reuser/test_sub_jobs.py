"""Jobs that one job waits for: started once or found, started anew when others cancel them, ended with their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from modelfoundry import errors
from modelfoundry.client import JobState, JobStatus, Progress
from modelfoundry.reuser.on_demand import sub_jobs
from modelfoundry.reuser.on_demand.sub_jobs import MOST_ROUNDS, SubJob, SubJobs

NAME = "projects/p/operations/request-1"


class Waiting:
    """The context of the job that waits."""

    name = NAME

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.phases: list[str] = []
        self.cancelled = False

    def log(self, text: str, severity: str = "info") -> None:
        self.lines.append(text if severity == "info" else f"{severity}: {text}")

    def check_cancelled(self) -> None:
        if self.cancelled:
            raise errors.Cancelled("somebody cancelled it")

    def progress(self, phase: str, *_: Any) -> None:
        self.phases.append(phase)


class Others:
    """The jobs of other workers: what becomes of each, and which were cancelled."""

    def __init__(self) -> None:
        self.outcomes: dict[str, list[Any]] = {}
        self.cancelled: list[str] = []

    @property
    def jobs(self) -> Others:
        return self

    async def get(self, name: str) -> Others.Followed:
        return Others.Followed(self.outcomes[name].pop(0))

    async def cancel(self, name: str) -> None:
        self.cancelled.append(name)

    class Followed:
        """One of them, as it is waited for."""

        def __init__(self, outcome: Any) -> None:
            self.outcome = outcome

        async def wait(self, on_progress: Callable[[Progress], None]) -> Any:
            on_progress(Progress(phase="masks", fraction=0.5))
            if self.outcome is None:
                await asyncio.Event().wait()
            if isinstance(self.outcome, Exception):
                raise self.outcome
            return self.outcome


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLANCE_SECONDS", "PAUSE_SECONDS"):
        monkeypatch.setattr(sub_jobs, name, 0.001)


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def others() -> Others:
    return Others()


def jobs_of(waiting: Waiting, others: Others) -> SubJobs:
    client: Any = others
    context: Any = waiting
    return SubJobs(client, context)


def sub_job(what: str, *, found: bool = False, ids: list[str] | None = None) -> SubJob:
    """A job that is called like its work; `found`: it was there, under another's request id."""

    async def start(request_id: str) -> JobStatus:
        if ids is not None:
            ids.append(request_id)
        return JobStatus(name=what, state=JobState.RUNNING, request_id="another's" if found else request_id)

    return SubJob(f"making {what}", what, start)


async def test_results_come_in_the_order_of_the_jobs(waiting: Waiting, others: Others) -> None:
    others.outcomes = {"cat": ["a cat"], "dog": ["a dog"]}
    found: Any = await jobs_of(waiting, others).results([sub_job("cat"), sub_job("dog", found=True)])
    assert found == ["a cat", "a dog"]
    assert waiting.lines == ["making cat: started cat", "making dog: found dog"]


async def test_a_job_that_is_taken_up_again_asks_under_the_same_id(waiting: Waiting, others: Others) -> None:
    ids: list[str] = []
    for _ in range(2):
        others.outcomes = {"cat": ["a cat"]}
        await jobs_of(waiting, others).result(sub_job("cat", ids=ids))
    assert ids[0] == ids[1]
    others.outcomes = {"dog": ["a dog"]}
    await jobs_of(waiting, others).result(sub_job("dog", ids=ids))
    assert ids[2] != ids[0]


async def test_what_others_cancel_is_started_again_under_another_id(waiting: Waiting, others: Others) -> None:
    ids: list[str] = []
    others.outcomes = {"cat": [errors.Cancelled("not wanted"), "a cat"]}
    found: Any = await jobs_of(waiting, others).result(sub_job("cat", ids=ids))
    assert found == "a cat"
    assert len(set(ids)) == 2
    assert "warning: making cat: cat was cancelled; it is started again" in waiting.lines


async def test_what_is_cancelled_again_and_again_is_given_up(waiting: Waiting, others: Others) -> None:
    others.outcomes = {"cat": [errors.Cancelled("not wanted")] * MOST_ROUNDS}
    with pytest.raises(errors.Unavailable, match="cancelled 5 times"):
        await jobs_of(waiting, others).result(sub_job("cat"))


async def test_a_failure_is_that_of_the_waiting_job(waiting: Waiting, others: Others) -> None:
    others.outcomes = {"cat": [errors.UnsupportedModel("no layer")], "dog": [None]}
    with pytest.raises(errors.UnsupportedModel):
        await jobs_of(waiting, others).results([sub_job("cat"), sub_job("dog")])
    assert others.cancelled == []


async def test_cancelling_ends_what_the_job_started_and_nothing_that_it_found(waiting: Waiting, others: Others) -> None:
    others.outcomes = {"cat": [None], "dog": [None]}
    work = asyncio.ensure_future(jobs_of(waiting, others).results([sub_job("cat"), sub_job("dog", found=True)]))
    while not waiting.phases:
        await asyncio.sleep(0.001)
    waiting.cancelled = True
    with pytest.raises(errors.Cancelled):
        await work
    assert others.cancelled == ["cat"]
    assert waiting.phases[-1] == "making cat: masks"


async def test_a_service_that_is_away_for_a_while_is_waited_for(
    waiting: Waiting, others: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    others.outcomes = {"cat": ["a cat"]}
    ready = sub_job("cat")
    calls = 0

    async def start(request_id: str) -> JobStatus:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise errors.Unavailable("nobody answers")
        return await ready.start(request_id)

    found: Any = await jobs_of(waiting, others).result(SubJob(ready.title, ready.what, start))
    assert found == "a cat"
    assert waiting.lines[0] == "warning: making cat: nobody answers; trying again"
    assert len(waiting.lines) == 2

    monkeypatch.setattr(sub_jobs, "PATIENCE_SECONDS", 0.0)
    calls = 0
    with pytest.raises(errors.Unavailable, match="nobody answers"):
        await jobs_of(waiting, others).result(SubJob(ready.title, ready.what, start))
