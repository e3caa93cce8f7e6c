"""`modelfoundry registry ...`: looking after the registry itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.rendering.json_output import print_json_line
from modelfoundry.cli.rendering.quantities import byte_count
from modelfoundry.cli.rendering.statement_text import print_keys
from modelfoundry.cli.rendering.tables import print_line
from modelfoundry.cli.session import Session
from modelfoundry.errors import Unavailable

if TYPE_CHECKING:
    from modelfoundry.client import BlobFinding, CheckProgress

app = typer.Typer(help="The registry itself: check, back up, restore, keys.")


@command(app, "fsck")
def check(session: Session) -> None:
    """Read every blob again and report what is corrupt, missing or unknown; changes nothing.

    Ends with exit code 1 when something was found.
    """
    from modelfoundry.client import CheckProgress

    findings = 0
    with session.client() as client:
        for event in client.maintenance.check_blobs():
            if session.as_json:
                print_json_line(event)
            else:
                _show(session, event)
            if isinstance(event, CheckProgress):
                findings = event.findings
    if findings:
        raise typer.Exit(ExitCode.FAILED)


@command(app, "backup")
def back_up(
    session: Session,
    folder: Annotated[Path, typer.Argument(help="Folder of the backup; one that is there is brought up to date.")],
) -> None:
    """Copy the database and all blobs into a folder, while the registry runs. Run it where the registry runs."""
    with _needs_registry():
        from modelfoundry.registry.maintenance.backup import back_up
        from modelfoundry.registry.settings import RegistrySettings
    made = back_up(RegistrySettings(), folder)
    text = f"backed up {made.blobs} blobs ({byte_count(made.size)}), {made.copied} of them now, to {folder}"
    session.answer(made, lambda: print_line(text))


@command(app, "restore")
def restore(session: Session, folder: Annotated[Path, typer.Argument(help="Folder of a backup.", exists=True)]) -> None:
    """Make a registry from a backup, where none is yet. Run it with the settings that the registry will have."""
    with _needs_registry():
        from modelfoundry.registry.maintenance.restore import restore
        from modelfoundry.registry.settings import RegistrySettings
    made = restore(RegistrySettings(), folder)
    text = f"restored {made.blobs} blobs ({byte_count(made.size)}), {made.copied} of them now, from {folder}"
    session.answer(made, lambda: print_line(text))


@command(app, "keys")
def keys(session: Session) -> None:
    """Show the public keys that statements are and were signed with, to be saved and given to `verify --key`."""
    with session.client() as client:
        found = client.statements.keys()
    session.answer(found, lambda: print_keys(found))


def _show(session: Session, event: BlobFinding | CheckProgress) -> None:
    from modelfoundry.client import CheckProgress

    if not isinstance(event, CheckProgress):
        used = f"  used by {', '.join(session.short(name) for name in event.resources)}" if event.resources else ""
        print_line(f"{event.kind.value}  {event.digest or event.key}  {byte_count(event.size_bytes)}{used}")
    elif event.complete:
        print_line(
            f"checked {event.checked_blobs} blobs ({byte_count(event.checked_bytes)}): {event.findings} findings"
        )


@contextmanager
def _needs_registry() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"this command needs the Python package {error.name}, which is not installed",
            hint='run it where the registry runs, or: pip install "modelfoundry[registry]"',
        ) from error
