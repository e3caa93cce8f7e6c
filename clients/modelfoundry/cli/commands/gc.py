"""`modelfoundry gc`: removes blobs that nothing uses."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.rendering.quantities import byte_count
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session

if TYPE_CHECKING:
    from modelfoundry.client import GarbageSummary


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "gc")(collect)


def collect(
    session: Session,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    min_age: Annotated[
        float | None,
        typer.Option(
            "--min-age", help="Hours since a blob was last uploaded or asked for. [default: as the registry is set]"
        ),
    ] = None,
) -> None:
    """Remove blobs that no resource, job or export uses. Safe while others work; the registry also does it daily."""
    age = None if min_age is None else timedelta(hours=min_age)
    with session.client() as client:
        summary = client.maintenance.collect_garbage(dry_run=dry_run, min_age=age)
    session.answer(summary, lambda: _show(summary, dry_run=dry_run))


def _show(summary: GarbageSummary, *, dry_run: bool) -> None:
    verb = "would remove" if dry_run else "removed"
    print_line(f"{verb} {summary.removed_blobs} unused blobs ({byte_count(summary.removed_bytes)})")
    if summary.removed_strays:
        print_line(f"{verb} {summary.removed_strays} left behind ({byte_count(summary.removed_stray_bytes)})")
    print_line(f"kept {summary.kept_blobs} blobs ({byte_count(summary.kept_bytes)})")
