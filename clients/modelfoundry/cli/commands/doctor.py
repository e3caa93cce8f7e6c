"""`modelfoundry doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.diagnosis.findings import Finding, Verdict
from modelfoundry.cli.diagnosis.machine import check_machine
from modelfoundry.cli.diagnosis.services import check_services, no_services
from modelfoundry.cli.exit_codes import ExitCode
from modelfoundry.cli.rendering.tables import Column, print_table
from modelfoundry.cli.session import Session
from modelfoundry.errors import Unavailable


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "doctor")(doctor)


def doctor(session: Session) -> None:
    """Look at this machine and at the services, and say what to do. Exit code 5: a service cannot be reached."""
    from modelfoundry.client import data_directory

    machine = check_machine(data_directory())
    services = _services(session)
    findings = [*machine, *services]
    session.answer(findings, lambda: _show(findings))
    if _failed(services):
        raise typer.Exit(ExitCode.UNAVAILABLE)
    if _failed(machine):
        raise typer.Exit(ExitCode.FAILED)


def _services(session: Session) -> list[Finding]:
    try:
        with session.client() as client:
            return check_services(client)
    except Unavailable as error:  # no address at all: also a finding
        return no_services(error)


def _failed(findings: Sequence[Finding]) -> bool:
    return any(finding.verdict is Verdict.FAILED for finding in findings)


def _show(findings: Sequence[Finding]) -> None:
    columns = [Column("CHECK"), Column("VERDICT"), Column("FOUND"), Column("WHAT TO DO")]
    print_table(columns, [(f.check, f.verdict.value, f.found, f.remedy) for f in findings])
