"""`modelfoundry up`: the four services on this machine, in the foreground."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from modelfoundry.cli.command import command
from modelfoundry.cli.rendering.json_output import print_json_line
from modelfoundry.cli.rendering.tables import Column, print_line, print_remark, print_table
from modelfoundry.cli.session import Session


class Ports(StrEnum):
    """Which ports the services listen on."""

    DEFAULT = "default"
    FREE = "free"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(app, "up")(up)


def up(
    session: Session,
    *,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Where all is kept. [default: ~/.modelfoundry]"),
    ] = None,
    ports: Annotated[Ports, typer.Option("--ports", help="50051 to 50054, or any free ones.")] = Ports.DEFAULT,
    listen_host: Annotated[str, typer.Option("--listen-host", help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Start registry, decomposer, evaluator and reuser on embedded defaults, and keep them running until Ctrl-C.

    Prints the addresses once all four answer, with --json on one line; clients on this machine find them by themselves.
    """
    import asyncio

    from modelfoundry.cli.supervision.data_lock import locked
    from modelfoundry.cli.supervision.endpoints_file import remove_endpoints, write_endpoints
    from modelfoundry.cli.supervision.local_services import DEFAULT_PORTS, plan_services
    from modelfoundry.cli.supervision.ports import check_ports, free_ports
    from modelfoundry.cli.supervision.supervisor import supervise
    from modelfoundry.client.endpoints import data_directory

    folder = (data_dir or data_directory()).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        if ports is Ports.FREE:
            chosen = dict(zip(DEFAULT_PORTS, free_ports(listen_host, len(DEFAULT_PORTS)), strict=True))
        else:
            chosen = dict(DEFAULT_PORTS)
            check_ports(listen_host, chosen)
        plans = plan_services(folder, listen_host, chosen)
        addresses = {plan.name: plan.address for plan in plans}

        def ready() -> None:
            write_endpoints(folder, addresses)
            _announce(session, addresses, folder, is_default=folder == data_directory().expanduser().resolve())

        try:
            asyncio.run(supervise(plans, ready=ready, remark=print_remark))
        finally:
            remove_endpoints(folder, addresses)


def _announce(session: Session, addresses: dict[str, str], folder: Path, *, is_default: bool) -> None:
    if session.as_json:
        print_json_line({"endpoints": addresses, "data_dir": folder})
        return
    print_table([Column("SERVICE"), Column("ADDRESS"), Column("LOG")], [
        (name, address, str(folder / "logs" / f"{name}.log")) for name, address in addresses.items()
    ])  # fmt: skip
    print_line("")
    print_line("All services answer. In another terminal:")
    if not is_default:
        print_line(f"  export MODELFOUNDRY_HOME={shlex.quote(str(folder))}")
    print_line("  modelfoundry dataset push digits --name digits")
    print_line("  modelfoundry train zoo:digits_cnn --dataset digits --name digits-cnn")
    print_line("  modelfoundry decompose digits-cnn --dataset digits --each")
    print_line("Ctrl-C stops them.")
