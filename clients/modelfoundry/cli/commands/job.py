"""`modelfoundry job ...`: long work, which goes on without its caller."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.completion import complete_jobs
from modelfoundry.cli.options import FilterOption, JobArgument
from modelfoundry.cli.rendering.job_table import job_facts, print_jobs
from modelfoundry.cli.rendering.json_output import as_plain, print_json_line
from modelfoundry.cli.rendering.progress import JobBars
from modelfoundry.cli.rendering.tables import print_facts, print_line, print_remark
from modelfoundry.cli.session import Session
from modelfoundry.values.results import JobState

if TYPE_CHECKING:
    from modelfoundry.client import JobEvent, JobStatus

app = typer.Typer(help="Jobs: long work, which goes on without its caller.")


@command(app, "list")
def list_jobs(
    session: Session,
    *,
    filter: FilterOption = "",  # noqa: A002 - the name of the option and of the field
    state: Annotated[JobState | None, typer.Option("--state", help="Only jobs in this state.")] = None,
) -> None:
    """List jobs, newest first."""
    conditions = [f"({filter})"] if filter else []
    if state is not None:
        conditions.append(f'state = "{state.name}"')
    with session.client() as client:
        statuses = [job.status for job in client.jobs.list(" AND ".join(conditions))]
    session.answer(statuses, lambda: print_jobs(statuses, session.parent))


@command(app, "show")
def show(session: Session, job: JobArgument) -> None:
    """Show where a job stands."""
    with session.client() as client:
        status = client.jobs.get(job).status
    session.answer(status, lambda: print_facts(job_facts(status, session.parent)))


@command(app, "watch")
def watch(
    session: Session,
    *,
    job: JobArgument,
    after: Annotated[int, typer.Option("--after", help="Only events after this number.", min=0)] = 0,
) -> None:
    """Follow a job until it is done, past events first. Ctrl-C stops the watching, not the job.

    With --json every event is printed as one line of JSON. A job that failed decides the exit status.
    """
    status = asyncio.run(_watch(session, job, after))
    if not session.as_json:
        print_facts(job_facts(status, session.parent))
    if status.error is not None:
        raise status.error


@command(app, "cancel")
def cancel(
    session: Session,
    jobs: Annotated[list[str], typer.Argument(help="Jobs: ids or names.", autocompletion=complete_jobs)],
) -> None:
    """Ask jobs to stop, which takes a few seconds. A job that is done stays as it is."""
    with session.client() as client:
        for job in jobs:
            client.jobs.cancel(job)
            if not session.as_json:
                print_line(f"asked {job} to stop")
        statuses = [client.jobs.get(job).status for job in jobs] if session.as_json else []
    session.answer(statuses, lambda: None)


async def _watch(session: Session, job: str, after: int) -> JobStatus:
    async with session.async_client() as client:
        followed = await client.jobs.get(job)
        status = followed.status
        with JobBars() as bars:
            bars.add(status.name, f"{status.kind} {session.short(status.target)}")
            try:
                async for event in followed.events(after):
                    _show_event(session, status.name, event, bars)
            except asyncio.CancelledError:
                print_remark(f"The job goes on. To stop it: modelfoundry job cancel {session.short(status.name)}")
                raise
        return await followed.refresh()


def _show_event(session: Session, name: str, event: JobEvent, bars: JobBars) -> None:
    from modelfoundry.client import LogWritten, ProgressMade, StateChanged

    match event:
        case StateChanged():
            kind = "state"
            if event.state.is_final:
                bars.finish(name, event.state.value, succeeded=event.state is JobState.SUCCEEDED)
        case ProgressMade():
            kind = "progress"
            bars.show(name, event.progress)
        case LogWritten():
            kind = "log"
            if not session.as_json:
                bars.remark(f"{event.severity.value}: {event.text}")
    if session.as_json:
        print_json_line({"event": kind, **as_plain(event)})
