"""Waits for jobs with a bar each. Interrupted, it leaves them running and says how to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from modelfoundry.cli.rendering.progress import JobBars
from modelfoundry.cli.rendering.tables import print_remark
from modelfoundry.errors import ModelFoundryError

if TYPE_CHECKING:
    from modelfoundry.client import AsyncJob

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class TitledJob(Generic[Result]):
    """A job and what its bar is called."""

    title: str
    job: AsyncJob[Result]


@dataclass(frozen=True, slots=True)
class Outcomes(Generic[Result]):
    """What came of several jobs, in the order given."""

    results: tuple[Result, ...]
    failures: tuple[tuple[str, ModelFoundryError], ...]
    """Titles of the jobs that failed, and why."""


async def follow(jobs: Sequence[TitledJob[Result]]) -> Outcomes[Result]:
    """Waits until all jobs are done, whether they succeed or fail."""
    with JobBars() as bars:
        for titled in jobs:
            bars.add(titled.job.name, titled.title)
        try:
            ends = await asyncio.gather(*(_wait(titled, bars) for titled in jobs))
        except asyncio.CancelledError:
            _say_that_jobs_go_on([titled.job for titled in jobs])
            raise
    return Outcomes(
        results=tuple(end.result for end in ends if isinstance(end, _Success)),
        failures=tuple(
            (titled.title, end) for titled, end in zip(jobs, ends, strict=True) if isinstance(end, ModelFoundryError)
        ),
    )


async def follow_one(title: str, job: AsyncJob[Result]) -> Result:
    """Waits for one job and returns its result.

    Raises:
        ModelFoundryError: it failed.
    """
    outcomes = await follow([TitledJob(title, job)])
    for _, failure in outcomes.failures:
        raise failure
    return outcomes.results[0]


@dataclass(frozen=True, slots=True)
class _Success(Generic[Result]):
    result: Result


async def _wait(titled: TitledJob[Result], bars: JobBars) -> _Success[Result] | ModelFoundryError:
    name = titled.job.name
    try:
        result = await titled.job.wait(
            on_progress=lambda progress: bars.show(name, progress),
            on_warning=lambda text: bars.say(f"warning: {titled.title}: {text}"),
        )
    except ModelFoundryError as error:
        bars.finish(name, "failed", succeeded=False)
        return error
    bars.finish(name, "done", succeeded=True)
    return _Success(result)


def _say_that_jobs_go_on(jobs: Sequence[AsyncJob[Result]]) -> None:
    ids = " ".join(job.id for job in jobs)
    which = "The job goes on" if len(jobs) == 1 else "The jobs go on"
    print_remark(f"{which}. To see: modelfoundry job list. To stop: modelfoundry job cancel {ids}")
