"""A service's refusal, from its domain error through gRPC and the client to two lines and an exit status."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelfoundry import errors
from modelfoundry.cli.exit_codes import EXIT_CODE_BY_ERROR, ExitCode

PROGRAM = Path(__file__).with_name("refusing_registry.py")


@pytest.fixture(scope="module")
def refusing_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a registry that refuses everything."""
    log = tmp_path_factory.mktemp("refusing") / "log"
    with (
        log.open("wb") as errors_of_server,
        subprocess.Popen([sys.executable, PROGRAM], stdout=subprocess.PIPE, stderr=errors_of_server) as server,
    ):
        port = server.stdout.readline().decode().strip()
        assert port, log.read_text()
        yield f"127.0.0.1:{port}"
        server.terminate()


@pytest.mark.parametrize("error", EXIT_CODE_BY_ERROR, ids=lambda error: error.reason)
@pytest.mark.usefixtures("short_waits")
def test_every_refusal_is_two_lines_and_its_exit_code(cli, monkeypatch, refusing_registry, error):
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY", refusing_registry)
    outcome = cli("model", "show", error.reason.lower().replace("_", "-"), "--json")
    what, hint, *violations = outcome.err.splitlines()
    assert outcome.status == EXIT_CODE_BY_ERROR[error]
    assert outcome.out == ""
    if error is not errors.Internal:
        assert what == f"error: refused because of {error.reason}"
        assert hint == "hint: do something else"
    assert violations == (["  - name: is not liked"] if error is errors.WeightsMismatch else [])


def test_a_mistake_of_the_server_stays_its_secret(cli, monkeypatch, refusing_registry):
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY", refusing_registry)
    outcome = cli("model", "list")
    assert outcome.status == ExitCode.FAILED
    assert "secret" not in outcome.err
    assert "Traceback" not in outcome.err


def test_debug_shows_where_a_failure_came_from(cli, monkeypatch, refusing_registry):
    monkeypatch.setenv("MODELFOUNDRY_REGISTRY", refusing_registry)
    outcome = cli("model", "show", "not-found", "--debug")
    assert outcome.status == ExitCode.NOT_FOUND
    assert "Traceback" in outcome.err


@pytest.mark.usefixtures("short_waits")
def test_services_that_are_not_there_are_said_so_with_what_to_start(cli, monkeypatch):
    for service in ("REGISTRY", "DECOMPOSER", "EVALUATOR", "REUSER"):
        monkeypatch.setenv(f"MODELFOUNDRY_{service}", "127.0.0.1:1")
    outcome = cli("job", "list")
    assert outcome.status == ExitCode.UNAVAILABLE
    assert "modelfoundry up" in outcome.err
    assert len(outcome.err.splitlines()) == 2
    outcome = cli("doctor")
    assert outcome.status == ExitCode.UNAVAILABLE
    assert outcome.out.count("modelfoundry up") == 4
