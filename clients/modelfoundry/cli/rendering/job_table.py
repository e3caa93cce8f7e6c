"""Jobs and what happens to them, for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelfoundry.cli.rendering.failures import one_line
from modelfoundry.cli.rendering.progress import metric
from modelfoundry.cli.rendering.quantities import duration, moment, percent
from modelfoundry.cli.rendering.tables import Column, print_line, print_table
from modelfoundry.cli.resource_names import short_name

if TYPE_CHECKING:
    from modelfoundry.client import JobStatus

COLUMNS = (
    Column("JOB"),
    Column("KIND"),
    Column("TARGET"),
    Column("STATE"),
    Column("DONE", "right"),
    Column("PHASE"),
    Column("TOOK", "right"),
    Column("CREATED"),
)


def print_jobs(statuses: Iterable[JobStatus], parent: str) -> None:
    """Prints a row for every job."""
    print_table(COLUMNS, [_row(status, parent) for status in statuses], empty="no jobs")


def print_started(statuses: Iterable[JobStatus], parent: str) -> None:
    """Says which jobs were started; one a line, so that it can be read by a script."""
    for status in statuses:
        print_line(short_name(status.name, parent))


def job_facts(status: JobStatus, parent: str) -> list[tuple[str, str]]:
    """Everything about one job."""
    progress = status.progress
    units = f", {progress.unit} {progress.done_units} of {progress.total_units}" if progress.total_units else ""
    return [
        ("name", status.name),
        ("kind", status.kind),
        ("target", short_name(status.target, parent)),
        ("state", status.state.value + (", from an earlier equal job" if status.cache_hit else "")),
        ("error", one_line(status.error.message) if status.error else ""),
        ("hint", one_line(status.error.hint) if status.error else ""),
        ("progress", f"{percent(progress.fraction, 0)} {progress.phase}{units}"),
        ("figures", "  ".join(metric(name, value) for name, value in sorted(progress.metrics.items()))),
        ("time left", duration(progress.remaining.total_seconds()) if progress.remaining is not None else ""),
        ("took", _took(status)),
        ("attempt", str(status.attempt)),
        ("created", moment(status.create_time)),
        ("started", moment(status.start_time)),
        ("ended", moment(status.end_time)),
    ]


def _row(status: JobStatus, parent: str) -> tuple[str, ...]:
    return (
        short_name(status.name, parent),
        status.kind,
        short_name(status.target, parent),
        status.state.value,
        percent(status.progress.fraction, 0),
        status.progress.phase,
        _took(status),
        moment(status.create_time),
    )


def _took(status: JobStatus) -> str:
    if status.start_time is None:
        return ""
    end = status.end_time or datetime.now(UTC)
    return duration(max(0.0, (end - status.start_time).total_seconds()))
